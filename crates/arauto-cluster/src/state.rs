//! [`State`]: which frames count, and what each entry does.
//!
//! The state depends on the log alone: it reads no clock, no settings but those in the log, and no random numbers. Nodes
//! that have read the same log have equal states.
//!
//! **Which frames count.** A frame is void unless its writer takes part, it stands under the name of its writer's node,
//! and its number is the next one of its writer. Only a Hello may come from an instance that is not known yet, and only
//! if there never was one of its number. So a frame that was appended twice counts once, what a node appended before it
//! was given up does not count after it, and each writer's frames count in order. A founding is judged by its position
//! alone, because a node without the state has to judge it alike.

use serde::{Deserialize, Serialize};

use super::{
    digest::{Checkpoint, Checkpoints, Digest},
    encoding::{Malformed, decoded, encoded},
    frame::{Agreed, Body, Entry, FORMAT, Founding, Head, Instance},
    instances::{Instances, Participant},
    node_name::NodeName,
    table::{Context, Table},
};

mod event;

pub use event::{Event, Verdict, Why};

/// A message of the log.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its position in the log, from 1.
    pub position: u64,
    /// The node under whose name it was appended.
    pub node: &'a NodeName,
    /// The frame.
    pub bytes: &'a [u8],
}

/// All that follows from the log, but for the program's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    position: u64,
    digest: Digest,
    time: u64,
    token: u64,
    agreed: Agreed,
    instances: Instances,
    is_founded: bool,
    is_closed: bool,
    /// Not a part of the state: a node that has just joined has none.
    #[serde(skip)]
    checkpoints: Checkpoints,
}

/// A frame that counts by its head.
enum Judged<'a> {
    Founding(Founding),
    /// The bytes of its body.
    Body(&'a [u8]),
}

impl State {
    /// The state of a log up to this position, before a cluster was founded.
    #[must_use]
    pub fn new(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// The position of the last message that was read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The time of the newest frame that counted, in milliseconds since 1970.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Names this log since the cluster was founded.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// The settings that all nodes must have alike.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// The instances that take part.
    #[must_use]
    pub fn instances(&self) -> &Instances {
        &self.instances
    }

    /// Whether a cluster was founded.
    #[must_use]
    pub fn is_founded(&self) -> bool {
        self.is_founded
    }

    /// Whether the cluster has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Encodes the state for a node that joins. The program's tables go with it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(self)
    }

    /// Decodes what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decoded(bytes)
    }

    /// The progress so far.
    #[must_use]
    pub fn checkpoint(&self, table: &impl Table) -> Checkpoint {
        Checkpoint { position: self.position, digest: self.digest, fingerprint: table.fingerprint() }
    }

    /// The newest position up to which a writer is known to have read and judged the log as this node has. If its frames
    /// have shown none, the position before the first whose checkpoint is kept.
    #[must_use]
    pub fn agreed_with(&self, writer: Instance) -> u64 {
        self.checkpoints.agreed_with(writer)
    }

    /// Reads the next message. Adds to `events` what this node may have to act on.
    pub fn read<T: Table>(
        &mut self,
        message: Message<'_>,
        table: &mut T,
        events: &mut Vec<Event>,
    ) -> Verdict {
        if message.position != self.position + 1 {
            return Verdict::NotNext;
        }
        self.position = message.position;
        let verdict = match self.judge(message) {
            Ok((head, Judged::Founding(founding))) => {
                self.found(message, head, founding, table, events);
                Verdict::Counts
            }
            Ok((head, Judged::Body(rest))) => self.carry_out(message, head, rest, table, events),
            Err(why) => Verdict::Void(why),
        };
        self.checkpoints.push(self.checkpoint(table));
        verdict
    }

    /// Decides whether a frame counts, by its head.
    fn judge<'a>(&self, message: Message<'a>) -> Result<(Head, Judged<'a>), Why> {
        let (head, rest) = Head::read(message.bytes).map_err(|_| Why::NoFrame)?;
        if head.format != FORMAT {
            return Err(Why::Format(head.format));
        }
        if self.is_closed {
            return Err(Why::Closed);
        }
        if head.is_founding {
            let founding: Founding = decoded(rest).map_err(|Malformed| Why::NoFrame)?;
            return if founding.last == message.position - 1 {
                Ok((head, Judged::Founding(founding)))
            } else {
                Err(Why::NotHere)
            };
        }
        match self.instances.get(head.instance) {
            Some(writer) if writer.node != *message.node => Err(Why::WrongNode),
            Some(writer) if writer.number + 1 != head.number => Err(Why::WrongNumber),
            Some(_) => Ok((head, Judged::Body(rest))),
            // Whether it says Hello is seen when its entries are read.
            None if self.is_founded && head.number == 1 && self.instances.may_join(head.instance) => {
                Ok((head, Judged::Body(rest)))
            }
            None => Err(Why::Stranger),
        }
    }

    /// Carries out a frame whose head is right.
    fn carry_out<T: Table>(
        &mut self,
        message: Message<'_>,
        head: Head,
        rest: &[u8],
        table: &mut T,
        events: &mut Vec<Event>,
    ) -> Verdict {
        let writer = head.instance;
        let mut outcomes = Vec::new();
        let body: Result<Body<T::Entry>, _> = decoded(rest);
        if self.instances.get(writer).is_none() {
            let Ok(Body { entries, written, .. }) = &body else { return Verdict::Void(Why::Stranger) };
            let Some(Entry::Hello(agreed)) = entries.first() else { return Verdict::Void(Why::Stranger) };
            self.instances.join(
                writer,
                Participant {
                    node: message.node.clone(),
                    agreed: agreed.clone(),
                    joined: message.position,
                    hellos: 0,
                    is_ready: false,
                    number: 0,
                    newest: 0,
                    time: *written,
                    ready_at: 0,
                    position: 0,
                },
            );
        }
        if let Ok(body) = body {
            self.enter(message.position, head, body, table, events, &mut outcomes);
        } else {
            self.give_up(writer, writer, table);
            events.push(Event::Malformed(writer));
        }
        self.digest = self.digest.then(message.position, message.bytes, &outcomes);
        Verdict::Counts
    }

    /// Carries out the entries of a frame that counts.
    fn enter<T: Table>(
        &mut self,
        position: u64,
        head: Head,
        body: Body<T::Entry>,
        table: &mut T,
        events: &mut Vec<Event>,
        outcomes: &mut Vec<u64>,
    ) {
        let writer = head.instance;
        let Some(participant) = self.instances.get_mut(writer) else { return };
        participant.number = head.number;
        participant.time = participant.time.max(body.written);
        participant.position = participant.position.max(body.checkpoint.position.min(position));
        let is_ready = participant.is_ready;
        if is_ready && self.differs(position, writer, &body.checkpoint) {
            events.push(Event::Differs { instance: writer, position: body.checkpoint.position });
        }
        self.time = self.time.max(self.instances.time().unwrap_or(body.written));
        for entry in body.entries {
            if self.is_closed || self.instances.get(writer).is_none() {
                break;
            }
            outcomes.push(self.enter_one(position, writer, entry, table, events));
        }
        // Only now: whether an older instance of the same node lives is judged by its frames before this one.
        if let Some(participant) = self.instances.get_mut(writer) {
            participant.newest = position;
            if participant.is_ready && !self.is_closed {
                table.heard(Context { writer, position, time: self.time });
            }
        }
    }

    /// Carries out an entry. Returns its outcome: 0 if it was void.
    fn enter_one<T: Table>(
        &mut self,
        position: u64,
        writer: Instance,
        entry: Entry<T::Entry>,
        table: &mut T,
        events: &mut Vec<Event>,
    ) -> u64 {
        let Some(participant) = self.instances.get_mut(writer) else { return 0 };
        match entry {
            Entry::Hello(_) if participant.is_ready => 0,
            Entry::Hello(_) => {
                participant.hellos = participant.hellos.saturating_add(1);
                events.push(Event::Hello(writer));
                1
            }
            Entry::Ready => self.ready(writer, table, events),
            Entry::Bye => {
                self.give_up(writer, writer, table);
                events.push(Event::Bye(writer));
                1
            }
            // What follows is for members of the cluster.
            _ if !participant.is_ready => 0,
            Entry::Reap(instance, number) => {
                let is_silent = self.instances.get(instance).is_some_and(|it| it.number == number);
                if !is_silent || instance == writer {
                    return 0;
                }
                self.give_up(instance, writer, table);
                events.push(Event::Reaped { instance, by: writer });
                1
            }
            Entry::CloseAll => {
                self.is_closed = true;
                events.push(Event::Closed(writer));
                1
            }
            Entry::Table(entry) => table.carry_out(Context { writer, position, time: self.time }, entry),
        }
    }

    /// Makes an instance ready. Its node's name is its own unless an older instance of it has appended a frame that
    /// counted since the newer one said Hello: such a one lives. One that has crashed or hangs says nothing, and makes
    /// room at once.
    fn ready(&mut self, newer: Instance, table: &mut impl Table, events: &mut Vec<Event>) -> u64 {
        let Some(participant) = self.instances.get(newer) else { return 0 };
        if participant.is_ready {
            return 0;
        }
        if participant.agreed != self.agreed {
            events.push(Event::Disagrees(newer));
            return 0;
        }
        let (node, joined) = (participant.node.clone(), participant.joined);
        if let Some(older) = self.instances.ready_of(&node, newer) {
            if self.instances.get(older).is_some_and(|older| older.newest > joined) {
                events.push(Event::NameTaken(newer));
                return 0;
            }
            self.give_up(older, newer, table);
            events.push(Event::Replaced { instance: older, by: newer });
        }
        let time = self.time;
        if let Some(participant) = self.instances.get_mut(newer) {
            (participant.is_ready, participant.ready_at) = (true, time);
        }
        events.push(Event::Ready(newer));
        1
    }

    fn give_up(&mut self, instance: Instance, writer: Instance, table: &mut impl Table) {
        if self.instances.end(instance) {
            self.checkpoints.forget(instance);
            table.end_of(instance, Context { writer, position: self.position, time: self.time });
        }
    }

    /// Begins anew. The digest does not depend on what was before, because a node without the state founds and reads
    /// this too.
    fn found(
        &mut self,
        message: Message<'_>,
        head: Head,
        founding: Founding,
        table: &mut impl Table,
        events: &mut Vec<Event>,
    ) {
        *self = Self { position: message.position, ..Self::default() };
        self.is_founded = true;
        (self.time, self.token, self.agreed) = (founding.written, founding.token, founding.agreed);
        self.instances.join(
            head.instance,
            Participant {
                node: message.node.clone(),
                agreed: self.agreed.clone(),
                joined: message.position,
                hellos: 1,
                is_ready: true,
                number: head.number,
                newest: message.position,
                time: founding.written,
                ready_at: founding.written,
                position: message.position,
            },
        );
        table.found(founding.token);
        events.push(Event::Founded(head.instance));
    }

    /// Whether a writer had read something else than this node. Positions whose checkpoints are not kept are not
    /// compared.
    fn differs(&mut self, position: u64, writer: Instance, theirs: &Checkpoint) -> bool {
        theirs.position >= position || self.checkpoints.differs(writer, theirs)
    }
}
