//! Messages that seem to stand where they do not.

use arauto_nats_log::{Report, Warning};
use arauto_needs::needs;

use crate::{
    node::{Node, frame, options},
    raw::Raw,
    server::Server,
};

/// All messages up to this position, in the order in which they come. A gap fails.
fn read_to(node: &mut Node, last: u64) -> Vec<(u64, String, Vec<u8>)> {
    let mut read = Vec::new();
    node.wait("the last message", |report| match report {
        Report::Message(message) => {
            let (position, node, bytes) = message.into_parts();
            read.push((position, node.to_string(), bytes));
            (position == last).then_some(())
        }
        Report::Gap { .. } => panic!("{report:?}"),
        _ => None,
    });
    read
}

fn is_forged(warning: &Warning) -> bool {
    matches!(warning, Warning::Forged(_))
}

#[needs("nats-server")]
#[test]
fn a_message_of_the_log_with_a_forged_header_is_read_where_it_stands() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    let mut raw = Raw::connect(&server);
    for (position, forged) in (1..).zip([
        "Nats-Sequence: 999",
        "Nats-Subject: arauto.c.log.n2",
        "Nats-Stream: ARAUTO_d",
        "Nats-Last-Sequence: 5",
        "Nats-Time-Stamp: 2020-01-01T00:00:00Z",
        "X: y",
    ]) {
        raw.publish_with_head("arauto.c.log.n1", &[forged], &frame(position, 64));
        assert_eq!(node.message(), (position, "n1".to_owned(), frame(position, 64)), "{forged}");
    }
    // A whole header that is forged, as for another node and another position.
    let forged = [
        "Nats-Stream: ARAUTO_c",
        "Nats-Subject: arauto.c.log.n2",
        "Nats-Sequence: 3",
        "Nats-Last-Sequence: 2",
    ];
    raw.publish_with_head("arauto.c.log.n1", &forged, &frame(7, 64));
    assert_eq!(node.message(), (7, "n1".to_owned(), frame(7, 64)));
}

#[needs("nats-server")]
#[test]
fn a_status_in_a_forged_header_hides_no_message() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    let mut raw = Raw::connect(&server);
    raw.publish_with_status("arauto.c.log.n1", "404 Message Not Found", &frame(1, 64));
    assert_eq!(node.message(), (1, "n1".to_owned(), frame(1, 64)));
    raw.publish_with_status("arauto.c.log.n1", "503", &frame(2, 64));
    assert_eq!(node.message(), (2, "n1".to_owned(), frame(2, 64)));
}

#[needs("nats-server")]
#[test]
fn a_forged_message_of_the_tail_is_dropped_and_the_true_one_is_fetched() {
    let server = Server::start("");
    let mut node = Node::join(options(&server));
    node.append(1, 64);
    assert_eq!(read_to(&mut node, 1), [(1, "n1".to_owned(), frame(1, 64))]);
    let mut raw = Raw::connect(&server);

    // Without the server's header, nothing says where it would stand.
    raw.publish("arauto.c.tail.n1", &frame(9, 64));
    node.warning(is_forged);
    node.append(2, 64);
    assert_eq!(read_to(&mut node, 2), [(2, "n1".to_owned(), frame(2, 64))]);

    // It claims the position of another message: that one is fetched.
    raw.publish_with_head("arauto.c.tail.n1", &["Nats-Sequence: 1"], &frame(9, 64));
    assert_eq!(node.message(), (1, "n1".to_owned(), frame(1, 64)));

    // It claims to be of another node than its subject says.
    let other = [
        "Nats-Stream: ARAUTO_c",
        "Nats-Subject: arauto.c.log.n2",
        "Nats-Sequence: 2",
        "Nats-Last-Sequence: 1",
    ];
    raw.publish_with_head("arauto.c.tail.n1", &other, &frame(9, 64));
    assert_eq!(node.message(), (2, "n1".to_owned(), frame(2, 64)));

    // It claims a position that does not exist yet: nothing comes of it.
    raw.publish_with_head("arauto.c.tail.n1", &["Nats-Sequence: 500"], &frame(9, 64));
    node.append(3, 64);
    assert_eq!(read_to(&mut node, 3), [(3, "n1".to_owned(), frame(3, 64))]);
}

#[needs("nats-server")]
#[test]
fn a_forged_message_does_not_make_a_gap() {
    let server = Server::start("");
    let mut options = options(&server);
    options.log_bytes = 128 * 1_024;
    let mut node = Node::join(options);
    for number in 1..=20 {
        node.append(number, 32 * 1_024);
    }
    read_to(&mut node, 20);
    let mut raw = Raw::connect(&server);
    raw.publish_with_head("arauto.c.tail.n1", &["Nats-Sequence: 1"], &frame(9, 64));
    node.warning(is_forged);
    // Read from the server after the answers to the questions about position 1.
    for number in 21..=25 {
        node.append(number, 64);
        read_to(&mut node, number);
    }
}
