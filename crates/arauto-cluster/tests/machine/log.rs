//! [`Log`]: a log in memory, and [`Replica`]: a node that reads it. [`Names`] is a table of unique names.

use std::collections::BTreeMap;

use arauto_cluster::{
    Agreed, Body, Checkpoint, Digest, Entry, Event, Founding, Frame, Instance, Message, NodeName, State,
    Table, Verdict, frame::Content, table::Context,
};
use serde::{Deserialize, Serialize};

/// An entry of [`Names`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A session of the writer wants a name.
    Enter(u64, String),
    /// A session of the writer leaves.
    Leave(u64),
}

/// Unique names, each with the session that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub by_name: BTreeMap<String, (Instance, u64)>,
    pub token: u64,
    /// Whether nothing more can be carried out, as where a receiver is full. Not a part of the tables.
    #[serde(skip)]
    pub is_full: bool,
    /// Whether names that begin with `!` are refused, as by a program that judges otherwise. Not a part of the tables.
    #[serde(skip)]
    pub is_strict: bool,
}

impl Table for Names {
    type Entry = Change;

    fn has_room(&self) -> bool {
        !self.is_full
    }

    fn carry_out(&mut self, context: Context, entry: Change) -> u64 {
        match entry {
            Change::Enter(_, name) if self.is_strict && name.starts_with('!') => 0,
            Change::Enter(session, name) => {
                let bearer = (context.writer, session);
                u64::from(*self.by_name.entry(name).or_insert(bearer) == bearer)
            }
            Change::Leave(session) => {
                let before = self.by_name.len();
                self.by_name.retain(|_, bearer| *bearer != (context.writer, session));
                (before - self.by_name.len()) as u64
            }
        }
    }

    fn end_of(&mut self, instance: Instance, _: Context) {
        self.by_name.retain(|_, (bearer, _)| *bearer != instance);
    }

    fn found(&mut self, token: u64) {
        *self = Self { token, is_strict: self.is_strict, ..Self::default() };
    }

    fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, Vec::new()).unwrap()
    }

    fn decode(&mut self, bytes: &[u8]) -> bool {
        postcard::from_bytes(bytes).map(|names| *self = Self { is_strict: self.is_strict, ..names }).is_ok()
    }

    fn fingerprint(&self) -> u64 {
        // A sum, so that the order does not matter.
        self.by_name.iter().fold(0, |sum, entry| {
            let hash = Digest::of(format!("{entry:?}").as_bytes());
            sum.wrapping_add(u64::from_le_bytes(hash.0[..8].try_into().unwrap()))
        })
    }
}

/// A log of messages, each with the node under whose name it was appended.
#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<(NodeName, Vec<u8>)>);

/// A node that reads the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    pub state: State,
    pub names: Names,
}

impl Replica {
    /// Reads the messages after its position. Returns the verdict on the last one and all events.
    pub fn read(&mut self, log: &Log) -> (Option<Verdict>, Vec<Event>) {
        let (mut last, mut events) = (None, Vec::new());
        while let Some((node, bytes)) = log.0.get(usize::try_from(self.state.position()).unwrap()) {
            let message = Message { position: self.state.position() + 1, node, bytes };
            last = Some(self.state.read(message, &mut self.names, &mut events));
        }
        (last, events)
    }

    pub fn checkpoint(&self) -> Checkpoint {
        self.state.checkpoint(&self.names)
    }

    /// The replica that a joiner makes of this one's state.
    pub fn transferred(&self) -> Self {
        Self { state: State::decode(&self.state.encode()).unwrap(), names: self.names.clone() }
    }
}

pub fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// A node that appends.
#[derive(Clone, Debug)]
pub struct Writer {
    pub node: NodeName,
    pub instance: Instance,
    pub number: u64,
    pub time: u64,
}

impl Writer {
    pub fn new(name: &str, instance: u64) -> Self {
        Self { node: node(name), instance: Instance(instance), number: 0, time: 1_000 }
    }

    /// The next frame, with these entries.
    pub fn frame(&mut self, checkpoint: Checkpoint, entries: Vec<Entry<Change>>) -> Vec<u8> {
        self.number += 1;
        let body = Body { written: self.time, is_joining: false, checkpoint, entries };
        let frame = Frame { instance: self.instance, number: self.number, content: Content::Body(body) };
        frame.encode().unwrap()
    }

    /// Founds a cluster after `last`.
    pub fn founding(&mut self, last: u64, agreed: &Agreed) -> Vec<u8> {
        self.number += 1;
        let founding =
            Founding { written: self.time, last, token: last.wrapping_add(70), agreed: agreed.clone() };
        let frame: Frame<Change> =
            Frame { instance: self.instance, number: self.number, content: Content::Found(founding) };
        frame.encode().unwrap()
    }
}

impl Log {
    pub fn last(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn append(&mut self, writer: &Writer, bytes: Vec<u8>) {
        self.0.push((writer.node.clone(), bytes));
    }

    /// Appends a frame that compares nothing.
    pub fn write(&mut self, writer: &mut Writer, entries: Vec<Entry<Change>>) {
        let frame = writer.frame(Checkpoint::default(), entries);
        self.append(writer, frame);
    }
}

pub fn enter(session: u64, name: &str) -> Entry<Change> {
    Entry::Table(Change::Enter(session, name.to_owned()))
}

pub fn leave(session: u64) -> Entry<Change> {
    Entry::Table(Change::Leave(session))
}

/// A cluster of these nodes, all ready; their instances are 1, 2, and so on.
pub fn cluster(names: &[&str]) -> (Log, Replica, Vec<Writer>) {
    let (mut log, mut replica) = (Log::default(), Replica::default());
    let mut writers: Vec<Writer> =
        names.iter().zip(1..).map(|(name, instance)| Writer::new(name, instance)).collect();
    let founding = writers[0].founding(0, &Agreed::default());
    log.append(&writers[0], founding);
    for writer in &mut writers[1..] {
        log.write(writer, vec![Entry::Hello(Agreed::default())]);
        log.write(writer, vec![Entry::Ready]);
    }
    replica.read(&log);
    (log, replica, writers)
}
