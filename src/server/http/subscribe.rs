//! [`Subscribe`]: the request by which HTTP asks the relay for a stream without depending on the relay.

use actix::Message;
use arauto_rtsp::{Key, StreamId};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::server::common::peer::Peer;

/// HTTP on a worker to Relay: a client wants to listen to a stream.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// The stream.
    pub stream: StreamId,
    /// The key that admits the client.
    pub key: Key,
    /// The client's end of the connection.
    pub from: Peer,
    /// Receives the stream, or the reason why the client may not listen.
    pub answer: oneshot::Sender<Result<Subscription, SubscribeError>>,
}

/// A stream for a client that listens by HTTP.
#[derive(Debug)]
pub struct Subscription {
    /// MIME type of the bytes.
    pub content_type: &'static str,
    /// The bytes of the stream, beginning with those that a player needs first. The channel is bounded: sound for which
    /// it has no room is left out. The channel ends with the stream, or if the client does not catch up within 10 min.
    /// Dropping the receiver ends the listening.
    pub bytes: mpsc::Receiver<Bytes>,
}

/// Reason why a client may not listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// There is no such stream, or the key is none of its keys.
    Unknown,
    /// The stream has not begun.
    NotYet,
    /// `media.listeners` clients listen already.
    Full,
    /// `media.listeners_per_key` clients listen with this key already.
    KeyFull,
    /// An operator has banned the address.
    Banned,
    /// `media.listeners_per_address` clients listen from this address already.
    AddressFull,
}
