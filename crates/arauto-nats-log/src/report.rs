//! [`Report`]: what the log tells the program.

use std::{fmt, time::Duration};

use arauto_cluster::{
    Instance, NodeName, Table,
    node::{Node, Now, Stored},
    transfer::Chunk,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{ApiError, Refusal, Warning},
    room::Reserved,
};

/// Most bytes of messages and chunks that the program has not taken yet.
///
/// Beyond that, they are dropped: a dropped message shows as a hole before the next one, and is fetched; a joiner that
/// lacks a chunk asks for the state again. The bound holds wherever the program keeps reports, because each
/// [`Message`] and each [`StateChunk`] takes its room with it and gives it back when it is taken apart or dropped. A
/// closure that says whether it took a report could not do that: it would have to count what waits behind it.
pub const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// A report of the log to the program.
#[derive(Debug)]
pub enum Report {
    /// A server is connected, or none is any more. At first none is.
    Connected(bool),
    /// The answer to [`Command::AskForEnd`](crate::Command::AskForEnd). From now on frames are appended.
    End {
        /// The position of the newest message that was ever stored, or 0.
        position: u64,
        /// The age of that message by NATS' clock. A server before 2.10 does not tell its time: the age is then by this
        /// machine's clock, and an age of 5 s or more is only reported once the log has stood still for
        /// 2.5 s, so that a clock that is ahead does not make a log that lives look dead.
        age: Duration,
    },
    /// A message of the log, in whatever order.
    Message(Message),
    /// The log's leader has this message at a position that the program wanted to compare.
    Verified(Message),
    /// The log's leader has no message at a position that the program wanted to compare.
    Absent {
        /// The position.
        position: u64,
        /// The position of the oldest message.
        first: u64,
    },
    /// The stream has stored a frame.
    Acknowledged {
        /// The writer of the frame. Numbers begin again with each instance, so acknowledgements for an earlier instance of
        /// the node have to be ignored.
        instance: Instance,
        /// The number of the frame.
        number: u64,
        /// The position at which it stands.
        position: u64,
    },
    /// The stream has not stored a frame. It is not appended again unless the program says so.
    Rejected {
        /// The writer of the frame.
        instance: Instance,
        /// The number of the frame.
        number: u64,
        /// Why.
        error: ApiError,
    },
    /// A piece of a state that was sent to the instance of [`Command::ListenFor`](crate::Command::ListenFor).
    Chunk(StateChunk),
    /// A message that the program wants is gone: the leader says that the log begins after it.
    Gap {
        /// The position of the message.
        position: u64,
        /// The position of the oldest message.
        first: u64,
    },
    /// The stream is gone, after its end was reported, or another one has its name. Nothing is appended until the program
    /// asks for the end again.
    StreamGone,
    /// The program has to end. The log's thread ends, and this is its last report.
    Refused(Refusal),
    /// Something that operators may want to know.
    Warning(Warning),
}

impl Report {
    /// Passes the report on to a node. Reports that say nothing to the node change nothing.
    pub fn pass_on<E>(self, node: &mut Node<E>, now: Now, table: &mut impl Table<Entry = E>)
    where
        E: Serialize + DeserializeOwned,
    {
        match self {
            Self::Connected(is_connected) => node.connection(is_connected, now, table),
            Self::End { position, age } => node.end_of_log(position, age, now, table),
            Self::Message(message) => {
                let (position, writer, bytes) = message.into_parts();
                node.message(position, writer, bytes, now, table);
            }
            Self::Verified(message) => {
                let (position, writer, bytes) = message.into_parts();
                node.verified(position, Stored::Message(&writer, &bytes), now, table);
            }
            Self::Absent { position, first } => {
                node.verified(position, Stored::Absent { first }, now, table);
            }
            // The numbers of an earlier instance are others.
            Self::Acknowledged { instance, number, position } if instance == node.instance() => {
                node.acknowledged(number, position, now, table);
            }
            Self::Chunk(chunk) => node.chunk(chunk.into_parts().1, now, table),
            Self::Gap { .. } | Self::StreamGone => node.gap(now),
            Self::Acknowledged { .. } | Self::Rejected { .. } | Self::Refused(_) | Self::Warning(_) => {}
        }
    }
}

/// A message of the log. Its bytes are not shown by `Debug`: they have what users say in them.
pub struct Message {
    pub(crate) position: u64,
    pub(crate) node: NodeName,
    pub(crate) bytes: Vec<u8>,
    pub(crate) _reserved: Reserved,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, node, bytes, .. } = self;
        write!(f, "Message({position} of {node}, {} bytes)", bytes.len())
    }
}

impl Message {
    /// Its position, from 1.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes it apart: its position, the node under whose name it was appended, and its bytes. A message under a subject
    /// of no node, which no node writes, has the node `-` and no bytes, so it is void at all nodes alike.
    #[must_use]
    pub fn into_parts(self) -> (u64, NodeName, Vec<u8>) {
        (self.position, self.node, self.bytes)
    }
}

/// A piece of a state. Its bytes are not shown by `Debug`.
pub struct StateChunk {
    pub(crate) node: NodeName,
    pub(crate) chunk: Chunk,
    pub(crate) _reserved: Reserved,
}

impl fmt::Debug for StateChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, chunk, .. } = self;
        write!(f, "StateChunk({} of {} for {} of {node})", chunk.number, chunk.count, chunk.position)
    }
}

impl StateChunk {
    /// Takes it apart: the node that has sent it, by its permissions, and the piece.
    #[must_use]
    pub fn into_parts(self) -> (NodeName, Chunk) {
        (self.node, self.chunk)
    }
}
