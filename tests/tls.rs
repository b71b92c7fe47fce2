//! Tests of TLS: sessions as without it, and clients whose handshake is wrong, slow or missing.

mod certified;
mod start;
mod traffic;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use arauto::server::Ended;

use crate::harness::{
    Client, NAME_REQUEST, TestServer, confirmation,
    process::Process,
    tls::{Files, Issuer, TLS12_ONLY, TLS13_ONLY, Trust},
};

const CLOSED: &str = "server | all clients | broadcast | server closed";
const TLS_ONLY: &str = "server | client | connection_error | This port speaks TLS: connect with ncat --ssl or openssl \
                        s_client, not with plain netcat or telnet";

/// Starts a server that listens with and without TLS.
fn serve(issuer: &Issuer) -> TestServer {
    let files = issuer.issue("server", "a server");
    TestServer::with(|config| files.serve(config))
}

/// Starts the program with an address for TLS.
fn process(files: &Files, settings: &[(&str, &str)]) -> Process {
    let tls = [
        ("ARAUTO_TLS_LISTEN", "127.0.0.1:0"),
        ("ARAUTO_TLS_CERTIFICATE", files.certificate.to_str().unwrap()),
        ("ARAUTO_TLS_KEY", files.key.to_str().unwrap()),
    ];
    Process::serve(&[&tls, settings].concat())
}

#[test]
fn a_session_over_tls_is_the_same_and_talks_to_others() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    for versions in [TLS12_ONLY, TLS13_ONLY] {
        let trust = Trust { versions, ..Trust::of(&issuer) };
        let mut alan = trust.join(server.tls_address(), "alan");
        let mut bob = server.join("bob");
        alan.send("/all good morning");
        alan.expect("alan | all clients | broadcast | good morning");
        bob.expect("alan | all clients | broadcast | good morning");
        bob.send("/msg alan só para ti");
        alan.expect("bob | alan | private_message | só para ti");
        alan.send("/list\n/echo a | b");
        alan.expect("server | alan | list_clients | clients connected: alan , bob");
        alan.expect("alan | alan | echo | a | b");
        alan.ask("/exit", "server | alan | exit | client disconnected");
        // The server sends TLS's `close_notify`. Without it, this would be an error.
        alan.expect_closed();
        bob.ask("/exit", "server | bob | exit | client disconnected");
    }
}

#[test]
fn all_three_kinds_of_client_are_told_apart_over_tls() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let trust = Trust::of(&issuer);
    let mut telnet = trust.connect(server.tls_address());
    telnet.send_bytes(b"\xff\xfb\x18alan\r\n");
    telnet.expect_bytes(b"\xff\xfe\x18");
    telnet.ending = "\r\n";
    telnet.expect(&confirmation("alan"));
    let mut unframed = trust.connect(server.tls_address());
    unframed.send_bytes(b"bob | server | name | bob");
    unframed.ending = "";
    unframed.expect(&confirmation("bob"));
    unframed.send("/all hi");
    unframed.expect("bob | all clients | broadcast | hi");
    telnet.expect("bob | all clients | broadcast | hi");
    telnet.ask("/all and you", "alan | all clients | broadcast | and you");
    unframed.expect("alan | all clients | broadcast | and you");
}

#[test]
fn who_sends_no_more_is_answered_to_the_end() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut alan = Trust::of(&issuer).connect(server.tls_address());
    alan.send("alan\n/list");
    alan.close_notify();
    alan.expect(&confirmation("alan"));
    alan.expect("server | alan | list_clients | clients connected: alan");
    alan.expect_closed();
}

#[test]
fn an_end_that_tls_does_not_announce_is_logged_as_a_broken_connection() {
    let issuer = Issuer::new();
    let process = process(&issuer.issue("server", "a server"), &[]);
    drop(Trust::of(&issuer).join(process.tls_address(), "alan"));
    process.logged(
        "server | server | error_message | the connection ended without TLS saying so | client (alan) disconnected",
    );
}

#[test]
fn plain_text_where_tls_is_spoken_is_told_so_and_cut() {
    let issuer = Issuer::new();
    let process = process(&issuer.issue("server", "a server"), &[]);
    for said in ["alan\n", "GET / HTTP/1.1\r\n\r\n", "\u{0}\n", "a"] {
        let mut plain = Client::to(process.tls_address());
        plain.send_bytes(said.as_bytes());
        plain.expect(TLS_ONLY);
        plain.expect_closed();
        assert_eq!(process.logged("refused")["reason"], "spoke plain text");
    }
}

#[test]
fn tls_where_plain_text_is_spoken_is_told_so_and_cut() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut lost = server.connect();
    lost.send_bytes(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03");
    lost.expect(
        "server | client | connection_error | This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet \
         and type a name",
    );
    lost.expect_closed();
}

#[test]
fn http_within_tls_is_told_so_and_cut() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let mut lost = Trust::of(&issuer).connect(server.tls_address());
    lost.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    lost.expect(
        "server | client | connection_error | This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet \
         and type a name",
    );
    lost.expect_closed();
}

#[test]
fn a_broken_handshake_is_cut_with_an_alert_and_logged() {
    let issuer = Issuer::new();
    let process = process(&issuer.issue("server", "a server"), &[]);
    for garbage in [
        // A handshake record with a message type that does not exist.
        &b"\x16\x03\x01\x00\x04\xff\x00\x00\x00"[..],
        // A record of impossible length.
        b"\x16\x03\x01\xff\xff\x01\x00\x00\x00",
        // A hello that ends in its middle, and then an alert record.
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x80\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16\x16",
    ] {
        let mut hostile = Client::to(process.tls_address());
        hostile.send_bytes(garbage);
        let mut answer = Vec::new();
        hostile.stream().read_to_end(&mut answer).unwrap();
        // Only an alert, or nothing.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
        let refused = process.logged("refused");
        assert_eq!(refused["reason"], "tls handshake failed", "{refused}");
        assert!(refused["error"].is_string(), "{refused}");
    }
    let gone = TcpStream::connect(process.tls_address()).unwrap();
    drop(gone);
    assert_eq!(process.logged("refused")["reason"], "tls handshake failed");
    // Other clients are served as before.
    Trust::of(&issuer).join(process.tls_address(), "alan");
}

#[test]
fn a_slow_handshake_ends_at_the_deadline_and_costs_nobody_anything() {
    let issuer = Issuer::new();
    let process = process(&issuer.issue("server", "a server"), &[("ARAUTO_LIMITS_NAME_TIMEOUT", "2s")]);
    let mut silent = Client::to(process.tls_address());
    let mut halting: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut halting = TcpStream::connect(process.tls_address()).unwrap();
            halting.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
            halting
        })
        .collect();
    let mut alan = Trust::of(&issuer).join(process.tls_address(), "alan");
    alan.expect_nothing_before_an_echo("alan");
    silent.expect(
        "server | client | connection_error | No TLS handshake came within 2s. Connect with ncat --ssl or openssl \
         s_client",
    );
    silent.expect_closed();
    for halting in &mut halting {
        // The end, or a reset, because the server did not read all of the hello.
        let _ = halting.read(&mut [0]);
    }
    process.signal("TERM");
    let ended = process.logged("ended");
    assert_eq!(ended["sessions"], "tls handshake timeout 101, server closed 1", "{ended}");
}

#[test]
fn a_handshake_under_way_does_not_hold_the_end() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    let server = TestServer::with(|config| {
        files.serve(config);
        config.server.drain_timeout = std::time::Duration::from_mins(10);
    });
    let mut halting = Client::to(server.tls_address());
    halting.send_bytes(b"\x16\x03\x01\x02\x00\x01");
    // Alan's connection came later and is served, so the handshake of the first is already under way.
    let mut alan = Trust::of(&issuer).join(server.tls_address(), "alan");
    server.stop();
    alan.expect(CLOSED);
    alan.expect_closed();
    drop(alan);
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}

#[test]
fn a_full_server_says_so_over_tls() {
    let issuer = Issuer::new();
    let files = issuer.issue("server", "a server");
    let server = TestServer::with(|config| {
        files.serve(config);
        config.limits.max_sessions = 1;
    });
    let full =
        "server | client | connection_error | The server is full: it serves 1 at most. Try again later";
    let _alan = server.join("alan");
    let mut bob = Trust::of(&issuer).connect_silently(server.tls_address());
    bob.expect(full);
    bob.expect_closed();
    let mut carol = Client::to(server.tls_address());
    carol.send("carol");
    carol.expect(full);
    carol.expect_closed();
}

#[test]
fn a_name_taken_over_tcp_is_taken_over_tls() {
    let issuer = Issuer::new();
    let server = serve(&issuer);
    let _alan = server.join("alan");
    let mut second = Trust::of(&issuer).connect_silently(server.tls_address());
    second.expect(NAME_REQUEST);
    second.ask(
        "ALAN",
        "server | new_client: ALAN | connection_error | This username is already taken. You need to connect again and use \
         another one",
    );
    second.expect_closed();
}
