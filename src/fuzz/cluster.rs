//! The log of a cluster: whatever stands in it, all nodes that read it agree, and so does one that joins midway.

use std::collections::BTreeMap;

use arauto_cluster::{
    Agreed, Founding, Frame, Instance, Message, NodeName, State, Table, Verdict, frame::Content,
    table::Context,
};

use super::{Run, Target};

pub(super) const TARGET: Target = Target {
    name: "cluster",
    start: || -> Run { Box::new(judge) },
    choices: 1,
    is_text: false,
    words: &[
        BETWEEN,
        b"A\x01\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
        b"A\x01\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
        b"A\x01\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0",
        b"A\x01\0\0\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
        b"A\x01\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
        b"A\x01\x01\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0",
        // The time, not joining, a checkpoint of position 0.
        b"\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        // One entry: Hello, Ready, Bye, Reap, CloseAll, and one of the table.
        b"\x01\0\0",
        b"\x01\x01",
        b"\x01\x02",
        b"\x01\x03\x01\x02",
        b"\x01\x03\x02\x02",
        b"\x01\x04",
        b"\x01\x05\x01\x03ana",
        // A founding after the message at 2.
        b"\x07\x02\x09\0",
    ],
};

/// Stands between two messages.
const BETWEEN: &[u8] = b"\n--\n";

/// Unique names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names(BTreeMap<String, (Instance, u64)>);

impl Table for Names {
    type Entry = (u64, String);

    fn carry_out(&mut self, context: Context, (session, name): (u64, String)) -> u64 {
        let bearer = (context.writer, session);
        u64::from(*self.0.entry(name).or_insert(bearer) == bearer)
    }

    fn end_of(&mut self, instance: Instance, _: Context) {
        self.0.retain(|_, (bearer, _)| *bearer != instance);
    }

    fn found(&mut self, _: u64) {
        self.0.clear();
    }

    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    fn decode(&mut self, _: &[u8]) -> bool {
        true
    }

    fn fingerprint(&self) -> u64 {
        self.0.values().fold(self.0.len() as u64, |sum, (instance, session)| {
            sum.wrapping_add(instance.0.wrapping_mul(31).wrapping_add(*session))
        })
    }
}

fn judge(bytes: &[u8]) {
    let (join_at, bytes) =
        bytes.split_first().map_or((0, bytes), |(first, rest)| (u64::from(*first % 16), rest));
    let nodes: [NodeName; 2] = ["n1", "n2"].map(|name| name.parse().expect("a node's name"));
    let founding = Founding { written: 5, last: 0, token: 1, agreed: Agreed::default() };
    let first: Frame<(u64, String)> =
        Frame { instance: Instance(1), number: 1, content: Content::Found(founding) };
    let first = first.encode().expect("a short frame");
    let mut messages: Vec<(&NodeName, &[u8])> = vec![(&nodes[0], &first)];
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let (message, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(BETWEEN.len()..).unwrap_or_default();
        // Most messages stand under the name of their writer's node.
        let is_second = message.get(4) == Some(&2);
        messages.push((&nodes[usize::from(is_second)], message));
    }
    let (mut state, mut names, mut events) = (State::new(0), Names::default(), Vec::new());
    let mut joined: Option<(State, Names)> = None;
    for ((node, bytes), position) in messages.into_iter().zip(1..) {
        if position == join_at {
            joined = Some((State::decode(&state.encode()).expect("what was encoded"), names.clone()));
        }
        let (before, message) = (names.clone(), Message { position, node, bytes });
        let verdict = state.read(message, &mut names, &mut events);
        if verdict != Verdict::Counts {
            assert_eq!(names, before, "what is void changes nothing");
        }
        assert!(
            names.0.values().all(|(instance, _)| state.instances().get(*instance).is_some()),
            "who is gone has no name"
        );
        if let Some((other, other_names)) = &mut joined {
            assert_eq!(other.read(message, other_names, &mut Vec::new()), verdict);
            assert_eq!((other.checkpoint(other_names), &*other_names), (state.checkpoint(&names), &names));
        }
    }
    assert!(events.len() <= 4 * bytes.len() + 1, "events are bounded by what was read");
}
