//! A stream with three replicas. Debian 12's nats-server is too old for it, so this runs only when asked:
//!
//! ```text
//! PATH=/path/to/nats-server-2.11:$PATH cargo test -p arauto-nats-log --test nats -- --ignored
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use arauto_nats_log::{Command, Options, Report};
use arauto_needs::needs;

use crate::{
    node::{Node, frame, options},
    raw::Raw,
    server::{Server, free_port},
};

/// Longest time that three servers take to choose a leader, beside other tests.
const ELECTION_TIMEOUT: Duration = Duration::from_mins(1);

/// From an append without an acknowledgement to the next, as of a node.
const RESEND_INTERVAL: Duration = Duration::from_millis(500);

/// Three servers in one NATS cluster.
fn start_three() -> Vec<Server> {
    let routes: Vec<_> = (0..3).map(|_| free_port()).collect();
    let urls: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    let settings = |(index, route): (usize, &u16)| {
        format!(
            "server_name: s{index}\ncluster {{ name: c, listen: \"127.0.0.1:{route}\", routes: {urls:?} }}"
        )
    };
    routes.iter().enumerate().map(settings).map(|settings| Server::start(&settings)).collect()
}

/// Appends a frame as a node does, again without an acknowledgement, until it is read back. Returns its position.
fn append_until_read_back(node: &mut Node, number: u64) -> u64 {
    let deadline = Instant::now() + ELECTION_TIMEOUT;
    while Instant::now() < deadline {
        // Lost, while no server is connected.
        node.append(number, 64);
        let position = node.try_wait(RESEND_INTERVAL, |report| match report {
            Report::Message(message) => {
                let (position, _, bytes) = message.into_parts();
                (bytes == frame(number, 64)).then_some(position)
            }
            Report::Gap { .. } | Report::StreamGone | Report::Refused(_) => panic!("{report:?}"),
            _ => None,
        });
        if let Some(position) = position {
            return position;
        }
    }
    panic!("frame {number} is not read back");
}

#[needs("nats-server")]
#[test]
#[ignore = "needs nats-server 2.11 or later"]
fn a_log_with_three_replicas_goes_on_when_the_leader_is_killed() {
    let mut servers = start_three();
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let replicated = Options { servers: urls, replicas: 3, ..options(&servers[0]) };
    let mut node = Node::start(replicated.clone());
    node.end_within(ELECTION_TIMEOUT);
    let mut positions: Vec<_> = (1..=20).map(|number| append_until_read_back(&mut node, number)).collect();

    let info = Raw::connect(&servers[0]).ask("STREAM.INFO.ARAUTO_c", "");
    assert_eq!(info["config"]["num_replicas"], 3, "{info}");
    let leader = info["cluster"]["leader"].as_str().and_then(|name| name[1..].parse::<usize>().ok());
    let leader = leader.expect("a leader");
    servers[leader].kill();
    positions.extend((21..=40).map(|number| append_until_read_back(&mut node, number)));
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");

    // Another log has all of them, and the one that was killed comes back with what it had.
    servers[leader].restart();
    let last = *positions.last().expect("a position");
    let mut reader = Node::start(replicated);
    assert!(reader.end_within(ELECTION_TIMEOUT).0 >= last);
    let mut read = BTreeMap::new();
    while (read.len() as u64) < last {
        let missing = (1..=last).find(|position| !read.contains_key(position)).expect("one is missing");
        reader.send(Command::Fetch(missing..=last));
        let message = reader.try_wait(RESEND_INTERVAL, |report| match report {
            Report::Message(message) => Some(message.into_parts()),
            Report::Gap { .. } | Report::StreamGone | Report::Refused(_) => panic!("{report:?}"),
            _ => None,
        });
        read.extend(message.map(|(position, _, bytes)| (position, bytes)));
    }
    for (number, position) in (1..).zip(positions) {
        assert_eq!(read[&position], frame(number, 64), "at {position}");
    }
}
