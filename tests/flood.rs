//! Tests of flood control: each limit byte for byte, while other clients go on.

use std::{io::Write, time::Duration};

use crate::harness::{Client, NAME_REQUEST, TestServer, process::Process, wait_until};

fn refused(name: &str, allowed: &str) -> String {
    format!(
        "server | {name} | error_message | Your message was not sent: you may send {allowed}. Try again in 1 s"
    )
}

/// Starts a server whose flood control also applies to clients on this machine, and disconnects none of them.
fn server(change: impl FnOnce(&mut arauto::config::Flood)) -> TestServer {
    TestServer::with(|config| {
        config.flood.loopback = true;
        config.flood.refusals = 1_000_000;
        change(&mut config.flood);
    })
}

#[test]
fn messages_over_the_rate_are_refused_and_the_session_goes_on() {
    let server = server(|flood| (flood.message_rate, flood.message_burst) = (1, 3));
    let mut bob = server.join("bob");
    let mut dora = server.join_by_telnet("dora");
    let mut alan = server.join("alan");
    // A line with an error in it counts too.
    alan.send_bytes(b"/others one\n/nonsense\n\n/others two\n/others three\n/others four\n");
    let allowed = "1 messages a second, 3 at once";
    alan.expect("server | alan | error_message | /nonsense is not known. /help shows all operations");
    alan.expect(&refused("alan", allowed));
    alan.expect(&refused("alan", allowed));
    for client in [&mut bob, &mut dora] {
        client.expect("alan | all clients | broadcast_not_me | one");
        client.expect("alan | all clients | broadcast_not_me | two");
        client.expect_nothing_before_an_echo(if client.ending == "\n" { "bob" } else { "dora" });
    }
    // After a while a message is accepted again.
    wait_until("room for a message", || {
        alan.send("/echo again");
        alan.line() == "alan | alan | echo | again"
    });
}

#[test]
fn bytes_over_the_rate_are_refused_and_the_session_goes_on() {
    let server = server(|flood| (flood.byte_rate, flood.byte_burst) = (1000, 2000));
    let mut alan = server.join("alan");
    let line = format!("/echo {}", "x".repeat(994));
    alan.send_bytes(format!("{line}\n{line}\n/echo hi\n{line}\n").as_bytes());
    let echo = format!("alan | alan | echo | {}", "x".repeat(994));
    alan.expect(&echo);
    alan.expect(&echo);
    let allowed = "1000 bytes a second, 2000 at once";
    alan.expect(&refused("alan", allowed));
    alan.expect(&refused("alan", allowed));
    wait_until("room for a message", || {
        alan.send("/echo again");
        alan.line() == "alan | alan | echo | again"
    });
}

#[test]
fn a_burst_always_has_room_for_one_message() {
    let server = server(|flood| (flood.byte_rate, flood.byte_burst) = (1, 1));
    let mut alan = server.join("alan");
    let data = "x".repeat(1024 - "alan | alan | echo | ".len());
    let line = format!("alan | alan | echo | {data}");
    alan.send_bytes(format!("{line}\n/echo hi\n").as_bytes());
    alan.expect(&line);
    alan.expect(
        "server | alan | error_message | Your message was not sent: you may send 1 bytes a second, 1024 at once. Try again \
         in 8 s",
    );
}

#[test]
fn one_who_goes_on_sending_too_much_is_told_and_disconnected() {
    let settings = [
        ("ARAUTO_FLOOD_LOOPBACK", "true"),
        ("ARAUTO_FLOOD_MESSAGE_RATE", "1"),
        ("ARAUTO_FLOOD_MESSAGE_BURST", "2"),
        ("ARAUTO_FLOOD_REFUSALS", "3"),
        ("ARAUTO_FLOOD_REFUSAL_WINDOW", "1h"),
    ];
    let process = Process::serve(&settings);
    let mut bob = process.join("bob");
    let mut alan = process.join("alan");
    alan.send_bytes("/others hi\n".repeat(1000).as_bytes());
    for _ in 0..3 {
        alan.expect(&refused("alan", "1 messages a second, 2 at once"));
    }
    alan.expect(
        "server | alan | error_message | You were disconnected: you sent too fast 3 times within 1h. What you sent after that \
         was not read",
    );
    alan.expect_closed();
    assert_eq!(process.logged("left")["reason"], "flood");
    for _ in 0..2 {
        bob.expect("alan | all clients | broadcast_not_me | hi");
    }
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn what_makes_no_message_is_too_much_at_some_time_as_well() {
    // A line without an end, empty lines, and a telnet command that needs no answer.
    for noise in [&b"x"[..], b"\n", b"\xff\xf1"] {
        let server = TestServer::with(|config| {
            config.flood.loopback = true;
            (config.flood.byte_rate, config.flood.byte_burst) = (1, 10_000);
            (config.flood.refusals, config.flood.refusal_window) = (3, Duration::from_hours(1));
        });
        let mut bob = server.join("bob");
        let mut alan = server.join("alan");
        let mut stream = alan.stream().try_clone().unwrap();
        let noise = noise.repeat(10_000);
        // Writes until the server has closed the connection.
        let sending = std::thread::spawn(move || while stream.write_all(&noise).is_ok() {});
        alan.expect_bytes(
            b"server | alan | error_message | You were disconnected: you sent too fast 3 times within 1h. What you sent after \
              that was not read",
        );
        sending.join().unwrap();
        bob.expect_nothing_before_an_echo("bob");
        bob.ask("/list", "server | bob | list_clients | clients connected: bob");
    }
}

#[test]
fn an_address_has_so_many_sessions() {
    let server = server(|flood| flood.sessions_per_address = 2);
    let alan = server.join("alan");
    let mut bob = server.join("bob");
    let mut third = server.connect_silently();
    third.expect(
        "server | client | connection_error | Your address has 2 connections, which is the most. Close one and connect again",
    );
    third.expect_closed();
    bob.expect_nothing_before_an_echo("bob");
    drop(alan);
    wait_until("room for a session", || server.connect_silently().line() == NAME_REQUEST);
}

#[test]
fn an_address_connects_so_often_a_minute() {
    let settings = [("ARAUTO_FLOOD_LOOPBACK", "true"), ("ARAUTO_FLOOD_JOINS_PER_MINUTE", "2")];
    let mut process = Process::serve(&settings);
    let mut alan = process.join("alan");
    drop(process.join("bob"));
    for _ in 0..3 {
        let mut third = Client::to(process.address());
        third.expect_bytes(
            b"server | client | connection_error | Your address may connect 2 times a minute, and did so more often. Try \
              again in ",
        );
        assert!(third.line().ends_with(" s"));
        third.expect_closed();
        assert_eq!(process.logged("refused")["reason"], "connects too often");
    }
    alan.expect_nothing_before_an_echo("alan");
    drop(alan);
    // Both sessions have to end before the server does, which would count them as its own doing.
    while process.logged("left")["name"] != "alan" {}
    process.signal("TERM");
    assert_eq!(process.logged("ended")["sessions"], "closed by client 2, connects too often 3");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn a_client_without_line_endings_is_held_to_the_same() {
    let server = server(|flood| (flood.byte_rate, flood.byte_burst) = (1, 1));
    let mut uma = server.join_unframed("uma");
    let echo = format!("uma | uma | echo | {}", "x".repeat(900));
    uma.ask(&echo, &echo);
    uma.send(&echo);
    let refused = uma.recv();
    let start = "server | uma | error_message | Your message was not sent: you may send 1 bytes a second, 1024 at once.";
    assert!(refused.starts_with(start), "{refused}");
}

#[test]
fn clients_on_this_machine_are_held_to_nothing_by_default() {
    let server = TestServer::with(|config| {
        (config.flood.message_rate, config.flood.message_burst) = (1, 1);
        (config.flood.sessions_per_address, config.flood.joins_per_minute) = (1, 1);
    });
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    for _ in 0..100 {
        alan.ask("/echo hi", "alan | alan | echo | hi");
    }
    bob.expect_nothing_before_an_echo("bob");
}
