//! Tests of `tags`: which lines begin with which numbers and times, for each kind of client.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Client, TestServer};

/// A received line: its number, its time in milliseconds since 1970, and the message.
#[derive(Debug)]
struct Tagged {
    id: Option<u64>,
    time: String,
    message: String,
}

fn tagged(client: &mut Client) -> Tagged {
    let line = client.line();
    let (id, rest) = line.strip_prefix('@').expect(&line).split_once(' ').expect(&line);
    let (time, message) = rest.split_once(' ').expect(&line);
    let time_is_whole = time.len() == "2026-11-29T20:01:02.123Z".len() && time.ends_with('Z');
    assert!(time_is_whole, "{line}");
    let id = (id != "-").then(|| id.parse().expect(&line));
    Tagged { id, time: time.to_owned(), message: message.to_owned() }
}

/// Expects this message without a number.
#[track_caller]
fn expect_unnumbered(client: &mut Client, message: &str) {
    let Tagged { id, message: received, .. } = tagged(client);
    assert_eq!((id, received.as_str()), (None, message));
}

/// Expects this message, and returns its number.
#[track_caller]
fn expect_numbered(client: &mut Client, message: &str) -> u64 {
    let Tagged { id, message: received, .. } = tagged(client);
    assert_eq!(received, message);
    id.unwrap()
}

/// The token of the log in the answer to `tags`.
fn turn_on(client: &mut Client, name: &str) -> String {
    client.send("/tags on");
    let line = client.line();
    let log = line.strip_prefix(&format!("server | {name} | tags | on, log ")).expect(&line);
    assert!(log.len() == 6 && log.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    log.to_owned()
}

#[test]
fn what_clients_say_has_numbers_in_one_order_and_all_else_has_none() {
    let server = TestServer::start();
    let (mut alan, mut bob, mut dora) =
        (server.join("alan"), server.join("bob"), server.join_by_telnet("dora"));
    let log = turn_on(&mut alan, "alan");
    assert_eq!(turn_on(&mut dora, "dora"), log);
    bob.ask("/all one", "bob | all clients | broadcast | one");
    bob.send("/others two");
    bob.send("/msg alan three");
    bob.send("/msg dora four");
    bob.send("/files alan");
    bob.ask("/all five", "bob | all clients | broadcast | five");
    let one = expect_numbered(&mut alan, "bob | all clients | broadcast | one");
    let expected = [
        (one + 1, "bob | all clients | broadcast_not_me | two"),
        (one + 2, "bob | alan | private_message | three"),
    ];
    for (id, message) in expected {
        assert_eq!(expect_numbered(&mut alan, message), id);
    }
    expect_unnumbered(&mut alan, "bob | alan | list_files | no data");
    assert_eq!(expect_numbered(&mut alan, "bob | all clients | broadcast | five"), one + 4);
    assert_eq!(expect_numbered(&mut dora, "bob | all clients | broadcast | one"), one);
    assert_eq!(expect_numbered(&mut dora, "bob | all clients | broadcast_not_me | two"), one + 1);
    assert_eq!(expect_numbered(&mut dora, "bob | dora | private_message | four"), one + 3);
    assert_eq!(expect_numbered(&mut dora, "bob | all clients | broadcast | five"), one + 4);
    // Answers, refusals, and what the server says.
    alan.send("/echo hi");
    expect_unnumbered(&mut alan, "alan | alan | echo | hi");
    alan.send("/list");
    expect_unnumbered(&mut alan, "server | alan | list_clients | clients connected: alan , bob , dora");
    alan.send("/msg nobody x");
    expect_unnumbered(&mut alan, "server | alan | private_message | Destination client (nobody) not found!");
    alan.send("/tags on");
    expect_unnumbered(&mut alan, &format!("server | alan | tags | on, log {log}"));
    alan.ask("/tags off", "server | alan | tags | off");
    alan.ask("/all six", "alan | all clients | broadcast | six");
    alan.ask("/tags off", "server | alan | tags | off");
    assert_eq!(expect_numbered(&mut dora, "alan | all clients | broadcast | six"), one + 5);
    bob.ask("/close", "alan | all clients | broadcast | six");
    bob.expect("server | all clients | broadcast | server closed");
    expect_unnumbered(&mut dora, "server | all clients | broadcast | server closed");
    alan.expect("server | all clients | broadcast | server closed");
}

#[test]
fn times_are_those_of_the_clock_and_do_not_go_back() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    turn_on(&mut alan, "alan");
    let now = || humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let begun = now();
    let mut last = begun.clone();
    for number in 0..100 {
        alan.send(&format!("/all {number}"));
        let Tagged { time, .. } = tagged(&mut alan);
        assert!(time >= last, "{time} after {last}");
        last = time;
    }
    assert!(last <= now(), "{last}");
    assert!(SystemTime::now() > UNIX_EPOCH);
}

#[test]
fn a_tag_does_not_count_towards_the_limit_of_a_message() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    turn_on(&mut alan, "alan");
    let longest = format!("alan | all clients | broadcast | {}", "x".repeat(1024 - 33));
    alan.send(&longest);
    expect_numbered(&mut alan, &longest);
}

#[test]
fn tags_are_on_or_off_and_need_line_endings() {
    let server = TestServer::start();
    let (mut alan, mut uma) = (server.join("alan"), server.join_unframed("uma"));
    let refusal = "server | alan | error_message | tags are on or off. Type: /tags on";
    for line in ["/tags", "/tags maybe", "alan | server | tags | no data", "alan | server | tags | ON"] {
        alan.ask(line, refusal);
    }
    uma.ask(
        "uma | server | tags | on",
        "server | uma | error_message | tags need line endings, and your client sends none",
    );
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn each_server_has_a_log_of_its_own() {
    let logs = [(); 2].map(|()| {
        let server = TestServer::start();
        let mut alan = server.join("alan");
        let log = turn_on(&mut alan, "alan");
        alan.send("/all first");
        assert_eq!(expect_numbered(&mut alan, "alan | all clients | broadcast | first"), 1);
        log
    });
    assert_ne!(logs[0], logs[1]);
}
