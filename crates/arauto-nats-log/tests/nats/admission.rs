//! Which servers, users and streams are used, and which are refused in words.

use arauto_nats_log::{Access, Command, Options, Refusal, Report, Warning};
use arauto_needs::needs;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::{
    node::{INSTANCE, Node, frame, options, options_of_user},
    raw::Raw,
    server::{PUBLISH, SUBSCRIBE, Server, users, users_with},
};

#[needs("nats-server")]
#[test]
fn a_user_with_no_more_than_the_permissions_of_a_node_can_do_all() {
    let server = Server::start(&users(&PUBLISH, &SUBSCRIBE));
    let mut options = options_of_user(&server);
    options.log_bytes = 128 * 1_024;
    let mut node = Node::join(options);
    for number in 1..=20 {
        node.append(number, 32 * 1_024);
        assert_eq!(node.acknowledgement(), (number, number));
    }
    node.send(Command::Fetch(19..=20));
    let mut read = [node.message(), node.message()];
    read.sort();
    assert_eq!(read.map(|message| message.0), [19, 20]);
    node.send(Command::Fetch(1..=1));
    node.wait("a gap", |report| matches!(report, Report::Gap { position: 1, .. }).then_some(()));
    // To itself, because only its own user may do no more than a node.
    node.send(Command::ListenFor(INSTANCE));
    node.send(Command::SendState { to: INSTANCE, donor: INSTANCE, position: 7, bytes: b"state".to_vec() });
    let (donor, chunk) = node.wait("a chunk", |report| match report {
        Report::Chunk(chunk) => Some(chunk.into_parts()),
        Report::Refused(refusal) => panic!("{refusal}"),
        _ => None,
    });
    assert_eq!((donor.as_str(), chunk.position, chunk.bytes), ("n1", 7, b"state".to_vec()));
}

#[needs("nats-server")]
#[test]
fn a_user_that_lacks_a_permission_is_refused_in_words() {
    let without = |all: &[&'static str], missing: &str| -> Vec<&'static str> {
        all.iter().copied().filter(|subject| *subject != missing).collect()
    };
    for missing in PUBLISH {
        let server = Server::start(&users(&without(&PUBLISH, missing), &SUBSCRIBE));
        let mut node = Node::start(options_of_user(&server));
        node.send(Command::AskForEnd);
        if missing.contains(".log.") {
            // Only a frame shows this one.
            node.end();
            node.append(1, 64);
        }
        let refusal = node.refusal();
        let subject = missing.replace('*', "0000000000000000");
        assert!(matches!(refusal, Refusal::NotPermitted { access: Access::Publish, .. }), "{refusal:?}");
        let words = format!("the user of this node may not publish to `{subject}` in NATS");
        assert_eq!(refusal.to_string(), words);
        node.ended_by_itself();
    }
    for missing in ["arauto.c.tail.>", "_INBOX.arauto.c.n1.>"] {
        let server = Server::start(&users(&PUBLISH, &without(&SUBSCRIBE, missing)));
        let mut node = Node::start(options_of_user(&server));
        let refusal = node.refusal();
        assert!(matches!(refusal, Refusal::NotPermitted { access: Access::Subscribe, .. }), "{refusal:?}");
        let beginning = missing.trim_end_matches('>');
        assert!(refusal.to_string().contains(&format!("subscribe to `{beginning}")), "{refusal}");
    }
    let server = Server::start(&users(&PUBLISH, &without(&SUBSCRIBE, "arauto.c.state.>")));
    let mut node = Node::start(options_of_user(&server));
    node.send(Command::ListenFor(INSTANCE));
    let words = node.refusal().to_string();
    assert!(words.contains("subscribe to `arauto.c.state.00000000000000a1.*`"), "{words}");
}

#[needs("nats-server")]
#[test]
fn an_open_nats_is_refused_unless_it_is_local_or_trusted() {
    // Tells its clients that it listens elsewhere, and listens on the loopback interface.
    let elsewhere = "client_advertise: \"192.0.2.7:4222\"";
    let server = Server::start(elsewhere);
    let mut node = Node::start(options(&server));
    node.send(Command::AskForEnd);
    let refusal = node.refusal();
    assert_eq!(refusal, Refusal::Open);
    assert!(refusal.to_string().contains("trust_nats"), "{refusal}");
    node.ended_by_itself();

    let mut node = Node::join(Options { trust_nats: true, ..options(&server) });
    node.append(1, 64);
    node.acknowledgement();

    let server = Server::start("");
    let mut node = Node::start(options(&server));
    node.send(Command::AskForEnd);
    node.warning(|warning| *warning == Warning::Open);
    node.end();

    // NATS is open as well if the node's user may publish to the tail, and is not if that user may not.
    let open = [&PUBLISH[..], &["arauto.c.tail.*"]].concat();
    let server = Server::start(&format!("{elsewhere}\n{}", users(&open, &SUBSCRIBE)));
    let mut node = Node::start(options_of_user(&server));
    node.send(Command::AskForEnd);
    assert_eq!(node.refusal(), Refusal::Open);
    let server = Server::start(&format!("{elsewhere}\n{}", users(&PUBLISH, &SUBSCRIBE)));
    Node::join(options_of_user(&server));
}

#[needs("nats-server")]
#[test]
fn wrong_credentials_are_refused_in_words_without_them() {
    let server = Server::start(&users(&PUBLISH, &SUBSCRIBE));
    let mut wrong = options_of_user(&server);
    wrong.credentials = Some(server.file("wrong", "n1:hidden"));
    let mut node = Node::start(wrong);
    let refusal = node.refusal();
    assert_eq!(refusal, Refusal::Credentials);
    assert!(refusal.to_string().contains("credentials") && !refusal.to_string().contains("hidden"));
    node.ended_by_itself();
    assert_eq!(Node::start(options(&server)).refusal(), Refusal::Credentials, "no credentials at all");
}

#[needs("nats-server")]
#[test]
fn credentials_that_are_taken_away_later_are_waited_for() {
    let mut server = Server::start(&users(&PUBLISH, &SUBSCRIBE));
    let mut node = Node::join(options_of_user(&server));
    server.kill();
    node.connection(false);
    let others = users_with(r#"user: "n2", password: "n2""#, &PUBLISH, &SUBSCRIBE);
    server.configure(&others);
    server.restart();
    node.warning(|warning| *warning == Warning::Credentials);
    server.kill();
    server.configure(&users(&PUBLISH, &SUBSCRIBE));
    server.restart();
    node.connection(true);
    node.append(1, 64);
    node.acknowledgement();
}

#[needs("nats-server")]
#[test]
fn a_user_with_an_nkey_is_let_in() {
    let key = KeyPair::new_user();
    let nkey = format!("nkey: {:?}", key.public_key());
    let server = Server::start(&users_with(&nkey, &PUBLISH, &SUBSCRIBE));
    let seed = server.file("seed", &key.seed().expect("a seed"));
    let mut node = Node::join(Options { credentials: Some(seed), ..options(&server) });
    node.append(1, 64);
    assert_eq!(node.message(), (1, "n1".to_owned(), frame(1, 64)));
    let other = server.file("other", &KeyPair::new_user().seed().expect("a seed"));
    let mut node = Node::start(Options { credentials: Some(other), ..options(&server) });
    assert_eq!(node.refusal(), Refusal::Credentials);
}

/// A JWT: the key that issues it says this of another key.
fn jwt(issuer: &KeyPair, subject: &KeyPair, says: &Value) -> String {
    let claims = json!({
        "jti": subject.public_key(), "iat": 1, "name": "test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": says,
    });
    let head = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string().as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature))
}

#[needs("nats-server")]
#[test]
fn a_user_with_a_file_of_nsc_is_let_in() {
    let keys = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_user());
    let (operator, system, account, user) = keys;
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let of_account = json!({ "type": "account", "version": 2, "limits": limits });
    let of_system = json!({ "type": "account", "version": 2 });
    let of_user = json!({
        "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
        "pub": { "allow": PUBLISH }, "sub": { "allow": SUBSCRIBE },
    });
    let settings = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        jwt(&operator, &operator, &json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        system.public_key(),
        jwt(&operator, &system, &of_system),
        account.public_key(),
        jwt(&operator, &account, &of_account),
    );
    let server = Server::start(&settings);
    let creds = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        jwt(&account, &user, &of_user),
        user.seed().expect("a seed"),
    );
    let creds = server.file("n1.creds", &creds);
    let mut node = Node::join(Options { credentials: Some(creds), ..options(&server) });
    node.append(1, 64);
    assert_eq!(node.message(), (1, "n1".to_owned(), frame(1, 64)));
}

#[needs("nats-server")]
#[test]
fn a_stream_with_other_settings_is_refused_in_words() {
    let server = Server::start("");
    let mut raw = Raw::connect(&server);
    let other = r#"{"name":"ARAUTO_c","subjects":["arauto.c.log.>"],"storage":"memory","retention":"limits",
        "num_replicas":1,"max_msgs":1000}"#;
    let created = raw.ask("STREAM.CREATE.ARAUTO_c", &other.replace('\n', ""));
    assert!(created["config"].is_object(), "{created}");
    let mut node = Node::start(options(&server));
    node.send(Command::AskForEnd);
    let words = node.refusal().to_string();
    for expected in [
        "storage is `memory` and has to be `file`",
        "republish.dest is `` and has to be `arauto.c.tail.>`",
        "allow_direct is `false` and has to be `true`",
        "deny_delete is `false` and has to be `true`",
        "max_msgs is `1000`",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    node.ended_by_itself();
}

#[needs("nats-server")]
#[test]
fn a_stream_with_other_limits_is_used_with_a_warning() {
    let server = Server::start("");
    Node::join(options(&server)).ended();
    let mut node = Node::start(Options { log_bytes: 1 << 20, ..options(&server) });
    node.send(Command::AskForEnd);
    let warning = node.warning(|warning| matches!(warning, Warning::Limits(_)));
    assert!(matches!(warning, Warning::Limits(limits) if limits.log_bytes == Some(1 << 30)), "{warning}");
    node.end();
}

#[needs("nats-server")]
#[test]
fn three_replicas_are_refused_on_an_old_server_and_on_one_by_itself() {
    let server = Server::start("");
    let mut node = Node::start(Options { replicas: 3, ..options(&server) });
    node.send(Command::AskForEnd);
    // Debian 12 has 2.9.10.
    let words = node.refusal().to_string();
    let is_old = words.contains("version 2.9.10; a stream of 3 replica(s) needs at least 2.11");
    let is_by_itself =
        words.contains("three replicas need three NATS servers in one NATS cluster: replicas > 1");
    assert!(is_old || is_by_itself, "{words}");
}

#[needs("nats-server")]
#[test]
fn a_server_that_takes_no_whole_frame_is_refused() {
    let server = Server::start("max_payload: 262144");
    assert_eq!(Node::start(options(&server)).refusal(), Refusal::MaxPayload(262_144));
}

#[needs("nats-server")]
#[test]
fn a_stream_that_finds_no_room_on_disk_is_asked_for_again() {
    let server = Server::start("");
    let mut node = Node::start(Options { log_bytes: 1 << 62, ..options(&server) });
    node.send(Command::AskForEnd);
    let warning = node.warning(|warning| matches!(warning, Warning::JetStream(_))).to_string();
    assert!(warning.contains("insufficient storage"), "{warning}");
}

#[needs("nats-server")]
#[test]
fn with_a_file_of_certificates_only_their_servers_are_talked_to() {
    let certificate =
        |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let (ours, other) = (certificate("localhost"), certificate("localhost"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    };
    let cert = file("cert.pem", ours.cert.pem());
    let key = file("key.pem", ours.signing_key.serialize_pem());
    let other = file("other.pem", other.cert.pem());
    let server = Server::start(&format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}"));
    let tls = |ca| Options {
        servers: vec![format!("tls://localhost:{}", server.port())],
        tls_ca: Some(ca),
        ..options(&server)
    };
    let mut node = Node::join(tls(cert.clone()));
    node.append(1, 64);
    node.acknowledgement();
    let mut node = Node::start(tls(other));
    let words = node.warning(|warning| matches!(warning, Warning::Unreachable(_))).to_string();
    assert!(words.contains("certificate"), "{words}");

    // A server without TLS is not sent anything.
    let plain = Server::start("");
    let mut options = tls(cert);
    options.servers = vec![plain.url()];
    Node::start(options).warning(|warning| matches!(warning, Warning::Unreachable(_)));
}
