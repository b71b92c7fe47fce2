//! Tests of secrecy: no password in a log, in an answer or on a network in plain text; and accounts files that others
//! can read or that are broken.

use arauto_needs::needs;

use super::{AccountsFile, PASSWORD, not_let_in, password_request};
use crate::{
    cli::{arauto, refusal},
    harness::{
        Client, NAME_REQUEST,
        cable::{Cable, Netcat, dial},
        confirmation,
        process::Process,
        tls::{Issuer, Trust},
    },
};

/// Texts that are sent in these tests and must not be in the log.
const SECRETS: [&str; 6] = [PASSWORD, "tuesday", "wednesday", "thursday", "friday", "caf\u{e9}"];

#[test]
fn no_log_shows_a_password_at_any_level() {
    let file = AccountsFile::new();
    let path = file.path();
    let mut process =
        Process::serve(&[("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap()), ("ARAUTO_LOG_LEVEL", "trace")]);
    let connect = || {
        let mut client = Client::to(process.address());
        client.expect(NAME_REQUEST);
        client
    };
    // A wrong password, then the right one, both without and with the message form; then passwords that were not asked
    // for.
    let mut alan = connect();
    alan.ask("alan", &password_request("alan"));
    alan.send("tuesday");
    alan.line();
    alan.expect(&password_request("alan"));
    alan.ask("alan | server | password | opensesame", &confirmation("alan"));
    alan.send("alan | server | password | opensesame");
    assert!(!alan.line().contains(PASSWORD));
    alan.send("alan | server | Password | opensesame\u{1b}");
    assert!(!alan.line().contains(PASSWORD));
    alan.send("alan | server | password | caf\u{e9}\u{7f}");
    assert!(!alan.line().contains("caf"));
    // A password in place of a name.
    let mut carl = connect();
    carl.send("carl | server | password | wednesday");
    assert!(!carl.line().contains("wednesday"));
    carl.expect_closed();
    // A password sent together with the name, and a line that is not UTF-8 in place of a password.
    let mut bob = connect();
    bob.send_bytes(b"bob\nthursday\n");
    bob.expect(&password_request("bob"));
    assert!(!bob.line().contains("thursday"));
    bob.expect_closed();
    let mut bob = connect();
    bob.ask("bob", &password_request("bob"));
    bob.send_bytes(b"friday\xe9\n");
    assert!(!bob.line().contains("friday"));
    bob.expect_closed();
    drop((alan, carl));
    process.signal("TERM");
    assert!(process.ended().success());
    let log = process.whole_log();
    assert!(log.contains("joined") && log.contains("a line that may hold a password"), "{log}");
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let reasons = ["wrong password", "not a password", "not a name"];
    assert!(reasons.iter().all(|reason| log.contains(reason)), "{log}");
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn passwords_cross_no_network_in_the_open_unless_that_is_allowed() {
    let Some(cable) = Cable::lay() else { return };
    let file = AccountsFile::new();
    let path = file.path();
    let path = ("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap());
    let process = cable.serve(&[path]);
    let mut faraway = Netcat::on(&cable.faraway, &process);
    faraway.send("alan\nalan | server | password | opensesame");
    faraway.expect(&not_let_in(
        "alan",
        "alan has a password, and it would cross the network for all to read. Connect by TLS, or from the server's own \
         machine",
    ));
    // A name without a password is given over the network too. On the server's own machine the password is asked for.
    Netcat::join(&cable.faraway, &process, "carl");
    let mut near = Netcat::on(&cable.server, &process);
    near.send("alan");
    near.expect(&password_request("alan"));
    near.send(PASSWORD);
    near.expect(&confirmation("alan"));

    let process = cable.serve(&[path, ("ARAUTO_ACCOUNTS_ALLOW_PLAINTEXT", "true")]);
    let mut faraway = Netcat::on(&cable.faraway, &process);
    faraway.send("alan");
    faraway.expect(&password_request("alan"));
    faraway.send(PASSWORD);
    faraway.expect(&confirmation("alan"));
}

#[needs("root", "ip", "tc", "nc")]
#[test]
fn passwords_cross_a_network_over_tls() {
    let Some(cable) = Cable::lay() else { return };
    let (file, issuer) = (AccountsFile::new(), Issuer::new());
    let (path, files) = (file.path(), issuer.issue("server", "a server"));
    let process = cable.serve(&[
        ("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap()),
        ("ARAUTO_TLS_LISTEN", "192.0.2.1:0"),
        ("ARAUTO_TLS_CERTIFICATE", files.certificate.to_str().unwrap()),
        ("ARAUTO_TLS_KEY", files.key.to_str().unwrap()),
    ]);
    let stream = dial(Some(&cable.faraway), process.tls_address(), None).unwrap();
    let mut alan = Trust::of(&issuer).shake_hands(stream);
    alan.expect(NAME_REQUEST);
    alan.ask("alan", &password_request("alan"));
    alan.ask(PASSWORD, &confirmation("alan"));
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let file = AccountsFile::new();
    let path = file.path();
    let warning = "every local user can read the accounts file; run chmod o-r on it";
    for (mode, warned) in [(0o604, true), (0o640, false), (0o600, false)] {
        file.permit(mode);
        let mut process = Process::serve(&[("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap())]);
        process.signal("TERM");
        process.ended();
        assert_eq!(process.whole_log().contains(warning), warned, "{mode:o}");
    }
}

#[test]
fn a_broken_file_keeps_the_server_from_starting_and_says_where() {
    let file = AccountsFile::new();
    let path = file.path();
    for (text, said) in [
        (
            "[[accounts]]\nname = \"alan\"\npasword = \"x\"\n",
            ":3:1: unknown key in [[accounts]]; there are name, hash, operator\n  |\n3 | pasword = \"x\"\n  | ^^^^^^^\n",
        ),
        (
            "[[accounts]]\nname = \"alan\"\n",
            ":1:1: hash is missing\n  |\n1 | [[accounts]]\n  | ^^^^^^^^^^^^\n",
        ),
    ] {
        file.write(text);
        let complaint =
            refusal(arauto(["serve", "--listen", "127.0.0.1:0"]).env("ARAUTO_ACCOUNTS_FILE", &path));
        assert_eq!(complaint, format!("arauto: {}{said}", path.display()));
    }
    let missing =
        refusal(arauto(["serve", "--listen", "127.0.0.1:0"]).env("ARAUTO_ACCOUNTS_FILE", "/no such file"));
    assert_eq!(missing, "arauto: cannot read /no such file: No such file or directory (os error 2)\n");
}
