//! [`Tune`]: what HTTP asks of the relay, without knowing it.

use actix::Message;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::who::Peer;
use crate::media::{Key, StreamId};

/// HTTP on a worker to Relay: somebody wants to listen.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Tune {
    /// To which.
    pub stream: StreamId,
    /// What lets him in.
    pub key: Key,
    /// Where the connection comes from.
    pub from: Peer,
    /// Whether he may.
    pub answer: oneshot::Sender<Result<Tuned, NotTuned>>,
}

/// What somebody gets who listens by HTTP.
#[derive(Debug)]
pub struct Tuned {
    /// In what form.
    pub content_type: &'static str,
    /// The bytes, from the first on that is needed. It ends with the stream, or when it is not emptied in time: it is
    /// bounded, and nobody waits for who does not read. Dropped, its owner listens no more.
    pub bytes: mpsc::Receiver<Bytes>,
}

/// Why somebody may not listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTuned {
    /// There is no such stream, or the key is not one of its.
    Unknown,
    /// It has not begun.
    NotYet,
    /// `media.listeners` listen already.
    Full,
    /// `media.listeners_per_key` listen with this key already.
    KeyFull,
    /// An operator keeps the address out.
    Banned,
    /// `media.listeners_per_address` listen from this address already.
    AddressFull,
}
