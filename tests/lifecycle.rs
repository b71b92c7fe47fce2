//! Tests of how the program starts and ends.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use arauto::server::Ended;
use serde_json::Value;

use crate::{
    cli::{arauto, without_settings},
    harness::{Client, NAME_REQUEST, TestServer, confirmation, process::Process},
};

const CLOSED: &str = "server | all clients | broadcast | server closed";

#[test]
fn a_signal_does_what_close_server_does() {
    for signal in ["TERM", "INT"] {
        let mut process = Process::serve(&[]);
        let mut alan = process.join("alan");
        let mut nameless = Client::to(process.address());
        nameless.expect(NAME_REQUEST);
        process.signal(signal);
        for client in [&mut alan, &mut nameless] {
            client.expect(CLOSED);
            client.expect_closed();
        }
        drop((alan, nameless));
        assert_eq!(process.logged("closing")["by"], format!("SIG{signal}"));
        assert_eq!(process.logged("left")["reason"], "server closed");
        assert_eq!(process.logged("ended")["joined"], 1);
        assert_eq!(process.ended().code(), Some(0));
    }
}

#[test]
fn close_server_ends_the_program_with_status_0() {
    let mut process = Process::serve(&[]);
    let mut alan = process.join("alan");
    let mut bob = process.join("bob");
    alan.send("alan | server | close_server | close server");
    alan.expect(CLOSED);
    bob.expect(CLOSED);
    bob.expect_closed();
    drop((alan, bob));
    assert_eq!(process.ended().code(), Some(0));
}

/// Starts a program with this drain timeout, and a client that has read nothing since its name was confirmed. More data
/// is queued for the client than any socket holds.
fn serve_someone_jammed(drain_timeout: &str) -> (Process, Client) {
    let process = Process::serve(&[
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", drain_timeout),
        ("ARAUTO_LIMITS_OUTBOX_BYTES", "1000000000"),
    ]);
    let jammed = process.join("jammed");
    let mut sender = process.join("sender");
    let line = format!("sender | jammed | private_message | {}\n", "x".repeat(900));
    for _ in 0..16 * 1024 {
        sender.send_bytes(line.as_bytes());
    }
    sender.expect_nothing_before_an_echo("sender");
    (process, jammed)
}

#[test]
fn who_does_not_read_is_cut_at_the_drain_timeout() {
    let (mut process, jammed) = serve_someone_jammed("300ms");
    process.signal("TERM");
    assert_eq!(process.logged("drain timeout: disconnecting the remaining sessions")["sessions"], 1);
    assert_eq!(process.ended().code(), Some(0));
    drop(jammed);
}

#[test]
fn a_second_signal_ends_at_once() {
    let (mut process, jammed) = serve_someone_jammed("10m");
    process.signal("TERM");
    process.logged("closing");
    process.signal("INT");
    assert_eq!(process.logged("exiting at once")["by"], "SIGINT");
    assert_eq!(process.ended().code(), Some(130));
    drop(jammed);
}

/// `timeout`(1) sends it to the program and then to its group.
#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let (mut process, jammed) = serve_someone_jammed("300ms");
    process.signal("TERM");
    process.signal("TERM");
    assert_eq!(process.logged("drain timeout: disconnecting the remaining sessions")["sessions"], 1);
    assert_eq!(process.ended().code(), Some(0));
    drop(jammed);
}

#[test]
fn while_it_ends_nobody_new_is_served() {
    let (mut process, jammed) = serve_someone_jammed("10m");
    process.signal("TERM");
    process.logged("closing");
    // Either the listener is closed already, or the connection was still accepted and gets the closing message.
    if let Ok(mut late) = TcpStream::connect(process.address()) {
        let mut told = String::new();
        if late.read_to_string(&mut told).is_ok() && !told.is_empty() {
            assert_eq!(told, format!("{NAME_REQUEST}\n{CLOSED}\n"));
        }
    }
    process.signal("INT");
    process.ended();
    drop(jammed);
}

#[test]
fn an_address_in_use_is_a_clear_error_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = arauto(["serve", "--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "arauto: cannot listen on {address}: Address already in use (os error 98); another program listens there: end it, or choose another address (--listen, or the configuration)\n"
        )
    );
}

#[test]
fn several_addresses_of_both_families_are_one_server() {
    let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
    let mut listen = vec!["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
    if TcpListener::bind(v6).is_ok() {
        listen.push(v6);
    }
    let server = TestServer::with(|config| config.server.listen = listen);
    let mut clients: Vec<Client> = server.addresses().iter().map(|address| Client::to(*address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.expect(NAME_REQUEST);
        client.ask(&format!("c{number}"), &crate::harness::confirmation(&format!("c{number}")));
    }
    clients[1].send("/all hi");
    for client in &mut clients {
        client.expect("c1 | all clients | broadcast | hi");
    }
}

#[test]
fn the_end_waits_for_what_is_queued() {
    let server = TestServer::with(|config| config.limits.outbox_bytes = 64 * 1024 * 1024);
    let mut slow = server.join("slow");
    let mut sender = server.join("sender");
    let line = format!("sender | slow | private_message | {}", "x".repeat(900));
    for _ in 0..16 * 1024 {
        sender.send(&line);
    }
    sender.expect_nothing_before_an_echo("sender");
    server.stop();
    for _ in 0..16 * 1024 {
        slow.expect(&line);
    }
    slow.expect(CLOSED);
    slow.expect_closed();
    drop((slow, sender));
    assert_eq!(server.ended().unwrap(), Ended::Closed);
}

#[test]
fn one_worker_serves_as_well() {
    let server = TestServer::with(|config| config.server.workers = 1);
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    alan.send("/others hi");
    bob.expect("alan | all clients | broadcast_not_me | hi");
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\" serve", env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    let process = Process::run(command, &[("ARAUTO_SERVER_WORKERS", "1")]);
    let mut first = process.join("first");
    let mut crowd: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(process.address()).unwrap()).collect();
    assert_eq!(
        process.logged("cannot accept connections; retrying")["error"],
        "Too many open files (os error 24)"
    );
    first.expect_nothing_before_an_echo("first");
    // File descriptors are free again: the waiting connections are served in order.
    let mut last = crowd.pop().unwrap();
    drop(crowd);
    last.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    let mut greeting = vec![0; NAME_REQUEST.len() + 1];
    last.read_exact(&mut greeting).unwrap();
    last.write_all(b"last\n").unwrap();
    first.send("/others hi");
    first.expect_nothing_before_an_echo("first");
}

#[test]
fn a_broken_connection_is_logged_as_the_report_does() {
    let process = Process::serve(&[]);
    let alan = process.join("alan");
    let joined = process.logged("joined");
    // Closing with a linger of zero resets the connection.
    socket2::SockRef::from(alan.stream()).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(alan);
    let broken = process
        .logged("server | server | error_message | Connection reset by peer (os error 104) | client (alan) disconnected");
    assert_eq!(
        (&broken["id"], &broken["peer"], &broken["name"]),
        (&joined["id"], &joined["peer"], &"alan".into())
    );
    assert_eq!(broken["reason"], "connection broken");
}

#[test]
fn who_comes_and_goes_at_once_is_logged_in_that_order() {
    let process = Process::serve(&[]);
    for _ in 0..20 {
        let mut alan = Client::to(process.address());
        alan.send_bytes(b"alan\n/list\n");
        alan.finish_sending();
        alan.expect(NAME_REQUEST);
        alan.expect(&crate::harness::confirmation("alan"));
        alan.expect("server | alan | list_clients | clients connected: alan");
        alan.expect_closed();
        let joined = process.logged("joined");
        assert_eq!(process.logged("left")["id"], joined["id"]);
    }
}

#[test]
fn an_empty_server_says_who_ended_it() {
    let mut process = Process::serve(&[]);
    process.signal("TERM");
    assert_eq!(process.logged("closing")["by"], "SIGTERM");
    assert_eq!(process.logged("ended")["sessions"], "none");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn each_line_of_a_session_says_whose_it_is() {
    let process = Process::serve(&[("ARAUTO_LOG_LEVEL", "debug")]);
    let mut alan = process.join("alan");
    let peer = alan.stream().local_addr().unwrap().to_string();
    alan.ask("/echo 👩\u{200d}💻", "alan | alan | echo | 👩\u{200d}💻");
    // No client can forge fields of a log line.
    alan.send("/others x\", name: bob");
    alan.expect_nothing_before_an_echo("alan");
    alan.ask("/exit", "server | alan | exit | client disconnected");
    for message in [
        "Server sends: \"server | client | name | no data\"",
        "Server receive: \"alan\"",
        "joined",
        "Server sends: \"server | alan | connection_confirmation | You are now connected to the server\"",
        "Server receive: \"/echo 👩\\u{200d}💻\"",
        "Server sends: \"alan | alan | echo | 👩\\u{200d}💻\"",
        "Server receive: \"/others x\\\", name: bob\"",
        "Server sends: \"alan | all clients | broadcast_not_me | x\\\", name: bob\"",
        "Server receive: \"/exit\"",
        "left",
    ] {
        let record = process.logged(message);
        assert_eq!((&record["id"], &record["peer"]), (&1.into(), &peer.as_str().into()), "{record}");
        let named = !message.ends_with("no data\"") && message != "Server receive: \"alan\"";
        assert_eq!(record["name"].as_str(), named.then_some("alan"), "{record}");
    }
}

#[test]
fn all_that_is_counted_is_logged_on_sigusr1_and_at_the_end() {
    let mut process = Process::serve(&[]);
    let mut alan = process.join("alan");
    let mut bob = process.join("bob");
    alan.send("/all hi");
    alan.expect("alan | all clients | broadcast | hi");
    bob.expect("alan | all clients | broadcast | hi");
    bob.send("/others hi");
    alan.expect("bob | all clients | broadcast_not_me | hi");
    alan.send("/msg bob hi");
    bob.expect("alan | bob | private_message | hi");
    alan.ask("/msg carl hi", "server | alan | private_message | Destination client (carl) not found!");
    bob.send("/exit");
    bob.expect("server | bob | exit | client disconnected");
    bob.expect_closed();
    process.logged("left");
    process.signal("USR1");
    let counters = process.logged("counters");
    assert_eq!((&counters["joined"], &counters["sessions"]), (&Value::from(2), &Value::from("exit 1")));
    // Two names, and all lines since; without line endings.
    let typed = ["alan", "bob", "/all hi", "/others hi", "/msg bob hi", "/msg carl hi", "/exit"];
    assert_eq!(counters["received_messages"], typed.len());
    assert_eq!(counters["received_bytes"], typed.concat().len());
    assert_eq!(counters["refused"], "not found 1");
    // Two confirmations, a broadcast to both, one message each to bob and alan, the refusal, and the answer to exit.
    let told = [
        confirmation("alan"),
        confirmation("bob"),
        "alan | all clients | broadcast | hi".repeat(2),
        "bob | all clients | broadcast_not_me | hi".to_owned(),
        "alan | bob | private_message | hi".to_owned(),
        "server | alan | private_message | Destination client (carl) not found!".to_owned(),
        "server | bob | exit | client disconnected".to_owned(),
    ];
    assert_eq!(counters["delivered_messages"], 8);
    assert_eq!(counters["delivered_bytes"], told.concat().len() + 8);
    for mark in ["fullest_outbox_bytes", "outboxes_full", "senders_held_back"] {
        assert_eq!(counters[mark], 0, "{mark}");
    }
    assert!(counters["largest_batch_bytes"].as_u64() >= Some(confirmation("alan").len() as u64));
    process.signal("TERM");
    assert_eq!(process.logged("ended")["received_messages"], typed.len());
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn at_the_end_all_that_waits_for_a_full_receiver_is_told_to_everybody() {
    let mut process = Process::serve(&[
        ("ARAUTO_LIMITS_OUTBOX_BYTES", "16384"),
        // No receiver is disconnected meanwhile.
        ("ARAUTO_LIMITS_SLOW_READER_GRACE", "5m"),
        ("ARAUTO_LIMITS_SLOW_READER_WAIT", "10s"),
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", "1m"),
    ]);
    let mut paused = process.join("paused");
    let mut bystander = process.join("bystander");
    let mut senders: Vec<Client> = (0..20).map(|number| process.join(&format!("s{number}"))).collect();
    // More than the kernels hold: the rest is held back in the server.
    let text = "x".repeat(900);
    while !process.has_logged_full_outbox() {
        senders[0].send(&format!("/msg paused {text}"));
    }
    for (number, sender) in (0..).zip(&mut senders).skip(1) {
        // Requests that are not read when shutdown begins are not carried out. These two lines come in one read: once
        // the first is answered, the second waits in the server.
        sender.send(&format!("/echo read\n/others 0 {text}"));
        sender.expect(&format!("s{number} | s{number} | echo | read"));
        for count in 1..20 {
            sender.send(&format!("/others {count} {text}"));
        }
    }
    process.signal("TERM");
    process.logged("closing");
    let mut heard = 0;
    while let Some(line) = bystander.line_or_end() {
        if line == CLOSED {
            break;
        }
        assert!(line.contains("| broadcast_not_me |"), "{line}");
        heard += 1;
    }
    assert!(heard >= 19, "{heard}");
    bystander.expect_closed();
    // The paused client receives as many broadcasts as the bystander, and the closing message.
    let mut paused_heard = 0;
    while let Some(line) = paused.line_or_end() {
        paused_heard += usize::from(line.contains("| broadcast_not_me |"));
        if line == CLOSED {
            break;
        }
    }
    assert_eq!(paused_heard, heard);
    paused.expect_closed();
    drop((senders, paused, bystander));
    assert_eq!(process.ended().code(), Some(0));
}
