//! A server that is killed, stopped, or not there yet; a stream that is gone.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use arauto_nats_log::{Command, Report, Warning};
use arauto_needs::needs;
use rustix::process::Signal;

use crate::{
    node::{Node, frame, options, options_of},
    raw::Raw,
    server::{Server, free_port},
};

#[needs("nats-server")]
#[test]
fn nothing_is_lost_when_the_server_is_killed() {
    let mut server = Server::start("");
    let mut node = Node::join(options(&server));
    for number in 1..=50 {
        node.append(number, 1_024);
        node.acknowledgement();
    }
    server.kill();
    node.connection(false);
    // Without a connection nothing is kept for later.
    node.append(51, 1_024);
    server.restart();
    node.connection(true);
    assert_eq!(Raw::connect(&server).last_position(), 50);
    node.append(52, 1_024);
    assert_eq!(node.acknowledgement(), (52, 51));
    node.send(Command::Fetch(1..=51));
    let mut read = BTreeSet::new();
    while read.len() < 51 {
        read.insert(node.message().0);
    }
    assert!(read.into_iter().eq(1..=51));
}

#[needs("nats-server")]
#[test]
fn a_stopped_server_is_seen_in_about_3_s_and_the_log_goes_on_after_it() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    node.append(1, 64);
    assert_eq!(node.acknowledgement(), (1, 1));
    server.signal(Signal::STOP);
    let stopped = Instant::now();
    // Three pings, 1 s apart; and this thread may have to wait for a processor.
    node.wait_for("the break", Duration::from_millis(3_500), |report| {
        matches!(report, Report::Connected(false)).then_some(())
    });
    assert!(stopped.elapsed() > Duration::from_secs(1), "the server was given up too early");
    server.signal(Signal::CONT);
    node.connection(true);
    node.append(2, 64);
    assert_eq!(node.acknowledgement(), (2, 2));
}

#[needs("nats-server")]
#[test]
fn a_server_that_comes_late_is_waited_for() {
    let port = free_port();
    let mut node = Node::start(options_of("n1", format!("nats://127.0.0.1:{port}")));
    node.send(Command::AskForEnd);
    node.connection(false);
    let warning = node.warning(|warning| matches!(warning, Warning::Unreachable(_))).to_string();
    assert!(warning.contains("refused"), "{warning}");
    let folder = tempfile::tempdir().expect("a folder");
    let _server = Server::start_in(folder, "", port);
    node.connection(true);
    let position = node.wait("the end that was asked for", |report| match report {
        Report::End { position, .. } => Some(position),
        _ => None,
    });
    assert_eq!(position, 0);
    node.append(1, 64);
    assert_eq!(node.message(), (1, "n1".to_owned(), frame(1, 64)));
}

#[needs("nats-server")]
#[test]
fn a_stream_that_is_gone_is_reported_and_made_again_only_when_asked() {
    let mut server = Server::start("");
    let mut node = Node::join(options(&server));
    node.append(1, 64);
    node.acknowledgement();
    let mut raw = Raw::connect(&server);
    let deleted = raw.ask("STREAM.DELETE.ARAUTO_c", "");
    assert_eq!(deleted["success"], true, "{deleted}");
    node.append(2, 64);
    node.wait("the stream is gone", |report| matches!(report, Report::StreamGone).then_some(()));
    assert_eq!(raw.ask("STREAM.INFO.ARAUTO_c", "")["error"]["err_code"], 10_059);
    assert_eq!(node.end().0, 0);
    node.append(3, 64);
    assert_eq!(node.acknowledgement(), (3, 1));

    // A stream that another node has created again.
    let config = raw.ask("STREAM.INFO.ARAUTO_c", "")["config"].to_string();
    let deleted = raw.ask("STREAM.DELETE.ARAUTO_c", "");
    assert_eq!(deleted["success"], true, "{deleted}");
    let created = raw.ask("STREAM.CREATE.ARAUTO_c", &config);
    assert!(created["config"].is_object(), "{created}");
    node.append(4, 64);
    assert_eq!(node.acknowledgement(), (4, 1));
    node.wait("another stream", |report| matches!(report, Report::StreamGone).then_some(()));
    assert_eq!(node.end().0, 1);

    // A stream that is deleted while no server is connected is found at the next connection.
    let deleted = raw.ask("STREAM.DELETE.ARAUTO_c", "");
    assert_eq!(deleted["success"], true, "{deleted}");
    server.kill();
    node.connection(false);
    server.restart();
    node.wait("the stream is gone", |report| matches!(report, Report::StreamGone).then_some(()));
}

#[needs("nats-server")]
#[test]
fn a_server_that_is_about_to_end_is_left_at_once() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    server.signal(Signal::USR2);
    node.warning(|warning| *warning == Warning::LameDuck);
    // It lets its clients go only after 10 s.
    node.wait_for("the break", Duration::from_secs(5), |report| {
        matches!(report, Report::Connected(false)).then_some(())
    });
}
