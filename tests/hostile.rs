//! Tests with broken and hostile clients: the answers are right, the server stays up, other clients are not disturbed.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use arauto_needs::needs;

use crate::harness::{NAME_REQUEST, TestServer, confirmation, wait_until};

#[test]
fn a_byte_at_a_time() {
    let server = TestServer::start();
    let mut alan = server.connect();
    for byte in "José\r\n/echo á|b\r\n".as_bytes() {
        alan.send_bytes(&[*byte]);
    }
    alan.expect(&confirmation("José"));
    alan.expect("José | José | echo | á|b");
}

#[test]
fn a_line_of_a_million_bytes() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    alan.send_bytes(&vec![b'x'; 1024 * 1024]);
    alan.send_bytes(b"\n/echo still here\n");
    alan.expect("server | alan | error_message | Your line was dropped: a message has at most 1024 bytes. Send it in parts");
    alan.expect("alan | alan | echo | still here");
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn a_million_bytes_in_place_of_a_name() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.send_bytes(&vec![b'x'; 1024 * 1024]);
    client.send_bytes(b"\n");
    client.expect(
        "server | client | connection_error | A name was asked for, but the line is too long. Type just your name: bob",
    );
    client.expect_closed();
}

#[test]
fn what_is_not_utf_8() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    alan.send_bytes(b"alan | alan | echo | caf\xe9\n");
    alan.expect(
        "server | alan | error_message | \"alan \u{fffd} alan \u{fffd} echo \u{fffd} caf\u{fffd}\" is no message: it is not UTF-8 \
         from byte 25 on. Set your terminal or program to send UTF-8. /help shows all operations",
    );
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn nul_bytes() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    alan.send_bytes(b"/echo a\0b\n");
    alan.expect(
        "server | alan | error_message | \"/echo a\u{fffd}b\" is no message: character 8 is a control character (U+0000), and \
         those are refused. Send plain text; a tab is allowed in DATA. /help shows all operations",
    );
    alan.send_bytes(&[0; 4096]);
    alan.send_bytes(b"\n");
    alan.expect("server | alan | error_message | Your line was dropped: a message has at most 1024 bytes. Send it in parts");
}

#[test]
fn escape_sequences_reach_nobody() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    for sequence in ["\u{1b}[2J", "\u{9b}2J", "\u{7f}", "\u{8}", "\r"] {
        alan.send(&format!("/others {sequence}x"));
        assert!(alan.line().contains("is a control character"), "{sequence:?}");
    }
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn a_flood_of_negotiation_is_answered_and_harms_nobody() {
    let server = TestServer::start();
    let mut alan = server.join_by_telnet("alan");
    let mut bob = server.join("bob");
    alan.send_bytes(&b"\xff\xfd\x03".repeat(10_000));
    alan.expect_bytes(&b"\xff\xfc\x03".repeat(10_000));
    alan.expect_nothing_before_an_echo("alan");
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn a_reset_in_the_middle_of_a_message() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    for _ in 0..50 {
        let mut alan = server.join("alan");
        alan.send_bytes(b"/others whole\n/others half");
        bob.expect("alan | all clients | broadcast_not_me | whole");
        socket2::SockRef::from(alan.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(alan);
        wait_until("the name to be free", || {
            bob.send("/list");
            bob.line() == "server | bob | list_clients | clients connected: bob"
        });
    }
}

#[needs("nc")]
#[test]
fn a_client_killed_in_the_middle_of_a_message() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut nc = Command::new("nc")
        .args(["127.0.0.1", &server.port()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    nc.stdin.as_mut().unwrap().write_all(b"alan\n/others whole\n/others half").unwrap();
    bob.expect("alan | all clients | broadcast_not_me | whole");
    nc.kill().unwrap();
    nc.wait().unwrap();
    wait_until("the name to be free", || {
        bob.send("/list");
        bob.line() == "server | bob | list_clients | clients connected: bob"
    });
    server.join("alan").expect_nothing_before_an_echo("alan");
}

#[test]
fn thousands_who_come_and_go_without_a_word() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    for _ in 0..2000 {
        drop(server.connect_silently());
    }
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn noise_is_answered_in_words_and_disturbs_nobody() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..200 {
        let mut noisy = if number % 2 == 0 { server.connect() } else { server.join(&format!("n{number}")) };
        let length = random.usize(1..5000);
        // Without `|` and `/`, so that the noise forms no message by chance.
        let bytes: Vec<u8> =
            (0..length).map(|_| random.u8(..)).filter(|byte| !matches!(byte, b'|' | b'/')).collect();
        noisy.send_bytes(&bytes);
        if number % 3 == 0 {
            noisy.finish_sending();
        }
    }
    bob.expect_nothing_before_an_echo("bob");
    assert_eq!(server.connect_silently().line(), NAME_REQUEST);
}
