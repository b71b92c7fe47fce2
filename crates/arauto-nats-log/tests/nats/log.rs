//! Appending, reading back, and fetching.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use arauto_cluster::frame::MAX_FRAME_BYTES;
use arauto_nats_log::{Command, MAX_WAITING_BYTES, Options, Report, Warning};
use arauto_needs::needs;

use crate::{
    node::{Node, frame, options, options_of},
    raw::Raw,
    server::Server,
};

#[needs("nats-server")]
#[test]
fn two_logs_read_each_others_frames_in_one_order() {
    let server = Server::start("");
    let mut first = Node::join(options(&server));
    let mut second = Node::join(options_of("n2", server.url()));
    assert_eq!(second.end().0, 0);

    let lengths = [20, 64, 1_024, 65_536, MAX_FRAME_BYTES];
    for (number, length) in (1..).zip(lengths) {
        first.append(number, length);
        second.append(number, length);
        let acknowledged = [first.acknowledgement(), second.acknowledgement()];
        let mut positions = acknowledged.map(|(of, position)| {
            assert_eq!(of, number);
            position
        });
        positions.sort_unstable();
        assert_eq!(positions, [2 * number - 1, 2 * number]);
    }

    // The acknowledgements above have skipped messages of the tail: all are read again by number.
    let read = |node: &mut Node| {
        node.send(Command::Fetch(1..=10));
        let mut messages = BTreeMap::new();
        while messages.len() < 10 {
            let (position, node, bytes) = node.message();
            messages.insert(position, (node, bytes));
        }
        messages
    };
    let messages = read(&mut first);
    assert!(messages == read(&mut second), "the logs differ");
    assert!(messages.keys().copied().eq(1..=10));
    for (index, (node, bytes)) in messages.values().enumerate() {
        let expected = frame(index as u64 / 2 + 1, lengths[index / 2]);
        assert!(*bytes == expected, "frame {index} of {node}");
    }
    assert_eq!(messages.values().filter(|(node, _)| node == "n1").count(), 5);
}

#[needs("nats-server")]
#[test]
fn frames_come_back_from_the_tail_in_order_without_being_fetched() {
    let server = Server::start("");
    let mut writer = Node::join(options(&server));
    let mut reader = Node::join(options_of("n2", server.url()));
    for number in 1..=200 {
        writer.append(number, 64);
    }
    for position in 1..=200 {
        let expected = (position, "n1".to_owned(), frame(position, 64));
        assert_eq!(writer.message(), expected);
        assert_eq!(reader.message(), expected);
    }
}

#[needs("nats-server")]
#[test]
fn what_was_stored_before_a_log_began_is_fetched() {
    let server = Server::start("");
    let mut writer = Node::join(options(&server));
    for number in 1..=150 {
        writer.append(number, 64);
    }
    writer.wait("all", |report| matches!(report, Report::Acknowledged { number: 150, .. }).then_some(()));

    let mut reader = Node::start(options_of("n2", server.url()));
    let (position, age) = reader.end();
    assert_eq!(position, 150);
    assert!(age < Duration::from_secs(20), "{age:?}");
    // More than are fetched at a time, and more than there are.
    reader.send(Command::Fetch(1..=160));
    let mut read: Vec<_> = (1..=150).map(|_| reader.message()).collect();
    read.sort_unstable_by_key(|message| message.0);
    let expected: Vec<_> = (1..=150).map(|number| (number, "n1".to_owned(), frame(number, 64))).collect();
    assert_eq!(read, expected);
    // A message that is not stored yet is no gap, and comes from the tail.
    writer.append(151, 64);
    reader.wait("position 151", |report| match report {
        Report::Message(message) => (message.position() == 151).then_some(()),
        Report::Gap { .. } => panic!("{report:?}"),
        _ => None,
    });
}

#[needs("nats-server")]
#[test]
fn messages_that_are_gone_are_a_gap() {
    let server = Server::start("");
    let mut options = options(&server);
    options.log_bytes = 256 * 1_024;
    let mut node = Node::join(options);
    for number in 1..=40 {
        node.append(number, 32 * 1_024);
        node.acknowledgement();
    }
    node.send(Command::Fetch(1..=3));
    let (position, first) = node.wait("a gap", |report| match report {
        Report::Gap { position, first } => Some((position, first)),
        _ => None,
    });
    assert!((1..=3).contains(&position) && (30..=40).contains(&first), "{position} {first}");
    // Messages that are still there are fetched as before.
    node.send(Command::Fetch(first..=first));
    assert_eq!(node.message(), (first, "n1".to_owned(), frame(first, 32 * 1_024)));
}

#[needs("nats-server")]
#[test]
fn the_leader_tells_what_it_has_and_what_it_has_not() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    for number in 1..=3 {
        node.append(number, 64);
        node.acknowledgement();
    }
    node.send(Command::Verify(2..=4));
    for position in 2..=3 {
        let stored = node.wait("a stored message", |report| match report {
            Report::Verified(message) => Some(message.into_parts()),
            _ => None,
        });
        assert_eq!(stored, (position, "n1".parse().expect("a name"), frame(position, 64)));
    }
    node.wait("word of a message that is not there", |report| {
        matches!(report, Report::Absent { position: 4, first: 1 }).then_some(())
    });
}

#[needs("nats-server")]
#[test]
fn an_old_log_is_only_called_old_once_it_has_stood_still() {
    let server = Server::start("");
    let mut writer = Node::join(options(&server));
    writer.append(1, 64);
    let (_, position) = writer.acknowledgement();
    let since = Instant::now();
    let mut reader = Node::start(options_of("n2", server.url()));
    let (at, age) = reader
        .end_with(Duration::from_secs(20), Duration::from_millis(200), |age| age >= Duration::from_secs(5));
    assert!(age < since.elapsed() + Duration::from_secs(1), "{age:?}");
    assert_eq!(at, position);
    // A server that tells its time is believed at once.
    let least = if Raw::connect(&server).tells_time() { 5_000 } else { 7_500 };
    assert!(since.elapsed() >= Duration::from_millis(least), "{age:?} after {:?}", since.elapsed());
}

#[needs("nats-server")]
#[test]
fn what_the_program_does_not_take_is_dropped_and_can_be_fetched() {
    let server = Server::start("");
    let mut writer = Node::join(options(&server));
    let mut reader = Node::join(options_of("n2", server.url()));
    let count = (MAX_WAITING_BYTES / MAX_FRAME_BYTES) as u64 + 8;
    for number in 1..=count {
        writer.append(number, MAX_FRAME_BYTES);
        writer.message();
    }
    // The reader has taken none of them, and these are kept here.
    let mut kept = Vec::new();
    reader.wait("lagging", |report| match report {
        Report::Message(message) => {
            kept.push(message);
            None
        }
        Report::Warning(Warning::Lagging) => Some(()),
        _ => None,
    });
    let bytes = kept.len() * MAX_FRAME_BYTES;
    assert!(bytes <= MAX_WAITING_BYTES && bytes > MAX_WAITING_BYTES - 2 * MAX_FRAME_BYTES, "{bytes}");
    let positions: Vec<_> = kept.iter().map(arauto_nats_log::Message::position).collect();
    assert_eq!(positions, (1..=kept.len() as u64).collect::<Vec<_>>());

    // The first that was dropped can come in no other way. Those after it may still come from the tail.
    let dropped = positions.len() as u64 + 1;
    drop(kept);
    reader.send(Command::Fetch(dropped..=dropped));
    reader.wait("the message that was dropped", |report| match report {
        Report::Message(message) => (message.position() == dropped).then_some(()),
        _ => None,
    });
}

#[needs("nats-server")]
#[test]
fn a_message_that_no_node_has_written_fills_its_position() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    Raw::connect(&server).publish("arauto.c.log.No.Node", b"hello");
    assert_eq!(node.message(), (1, "-".to_owned(), Vec::new()));
    node.send(Command::Fetch(1..=1));
    assert_eq!(node.message(), (1, "-".to_owned(), Vec::new()));
}

#[needs("nats-server")]
#[test]
fn the_thread_ends_when_the_log_is_dropped() {
    let server = Server::start("");
    Node::join(options(&server)).ended();
    // Also while no server is there.
    let url = server.url();
    drop(server);
    let mut waits = Node::start(Options { trust_nats: true, ..options_of("n1", url) });
    waits.warning(|warning| matches!(warning, Warning::Unreachable(_)));
    waits.ended();
}
