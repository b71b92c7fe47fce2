//! Tests of client certificates and the names in them.

use std::io::{Read, Write};

use super::process;
use crate::harness::{
    NAME_REQUEST, TestServer, confirmation,
    tls::{Issuer, TLS12_ONLY, TLS13_ONLY, TlsClient, Trust},
};

const TAKEN: &str = "server | new_client: alan | connection_error | This username is already taken. You need to connect \
                     again and use another one";

/// Starts a server that trusts client certificates of this issuer.
fn serve(issuer: &Issuer) -> TestServer {
    let files = issuer.issue("server", "a server");
    TestServer::with(|config| {
        files.serve(config);
        config.tls.client_ca = issuer.ca();
    })
}

/// Connects a client whose certificate has this common name.
fn certified(server: &TestServer, issuer: &Issuer, common_name: &str) -> TlsClient {
    let files = issuer.issue("client", common_name);
    Trust { shows: Some(&files), ..Trust::of(issuer) }.connect_silently(server.tls_address())
}

#[test]
fn a_certificate_gives_its_name_without_asking() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    for versions in [TLS12_ONLY, TLS13_ONLY] {
        let files = issuer.issue("client", "José");
        let trust = Trust { shows: Some(&files), versions, ..Trust::of(&issuer) };
        let mut jose = trust.connect_silently(server.tls_address());
        jose.expect(&confirmation("José"));
        jose.ask("/all hi", "José | all clients | broadcast | hi");
        // The client need not send its name. If it does, the name is not taken for anything else.
        jose.ask(
            "José | server | name | José",
            "server | José | Unknown_operation | Operation (name) is not supported",
        );
        jose.ask("/exit", "server | José | exit | client disconnected");
        jose.expect_closed();
    }
}

#[test]
fn who_has_no_certificate_is_asked_as_always() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut bob = Trust::of(&issuer).connect(server.tls_address());
    bob.ask("bob", &confirmation("bob"));
}

#[test]
fn a_certificate_does_not_take_a_name_from_its_bearer() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut bearer = server.join("alan");
    let mut second = certified(&server, &issuer, "alan");
    second.expect(TAKEN);
    second.expect_closed();
    bearer.ask("/exit", "server | alan | exit | client disconnected");
    certified(&server, &issuer, "alan").expect(&confirmation("alan"));
}

#[test]
fn a_certificate_for_what_is_no_name_is_refused_in_words() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    for (common_name, told, why) in [
        ("server", "server", "The name server is reserved"),
        ("a,b", "a,b", "A name must not hold the character , because it separates fields or names"),
        (
            "\u{1b}[2J",
            "\u{fffd}[2J",
            "A name must not hold control or invisible characters: character 1 is U+001B",
        ),
    ] {
        let mut refused = certified(&server, &issuer, common_name);
        refused.expect(&format!(
            "server | new_client: {told} | connection_error | {why}. You need to connect again and use another one"
        ));
        refused.expect_closed();
    }
}

#[test]
fn one_that_another_issuer_signed_is_cut_and_logged() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let server = issuer.issue("server", "a server");
    let process = process(&server, &[("ARAUTO_TLS_CLIENT_CA", issuer.ca().to_str().unwrap())]);
    let files = stranger.issue("client", "alan");
    // The client learns of the refusal when it reads.
    let trust = Trust { shows: Some(&files), ..Trust::of(&issuer) };
    let mut refused = trust.connect_silently(process.tls_address());
    let _ = refused.stream_mut().write_all(b"/all hi\n");
    let read = refused.stream_mut().read(&mut [0]);
    assert!(read.is_err(), "{read:?}");
    let refused = process.logged("refused");
    assert_eq!(refused["reason"], "tls handshake failed");
    assert!(refused["error"].as_str().unwrap().contains("invalid peer certificate"), "{refused}");
}

#[test]
fn http_from_a_certified_client_is_told_so_and_cut() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut lost = certified(&server, &issuer, "alan");
    lost.expect(&confirmation("alan"));
    lost.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    lost.expect(
        "server | client | connection_error | This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet \
         and type a name",
    );
    lost.expect_closed();
    Trust::of(&issuer).connect(server.tls_address()).ask("alan", &confirmation("alan"));
}

#[test]
fn certificates_are_not_asked_for_unless_wanted() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    let server = TestServer::with(|config| files.serve(config));
    certified(&server, &issuer, "alan").expect(NAME_REQUEST);
}
