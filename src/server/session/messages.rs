//! The messages that a [`Session`](super::actor::Session) receives; all come from its courier.

use std::io;

use actix::Message;

use crate::server::common::close::CloseReason;

/// From a `Courier` to a `Session`: its connection cannot be written to. The session then leaves through the
/// registry, as for any other reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Evicted {
    /// Either [`CloseReason::OutboxFull`] or [`CloseReason::Broken`].
    pub reason: CloseReason,
    /// The error, if a write failed.
    pub error: Option<io::Error>,
}

/// From a `Courier` to a `Session`: the session is over and its place is free. Every session ends by this message,
/// whatever the reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Hangup {
    /// Why the session ended.
    pub reason: CloseReason,
    /// The session had joined under a name.
    pub joined: bool,
}

/// From a `Courier` to a `Session`: its queued output is sent or discarded, and the sending side of the connection is
/// shut.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Sent {
    /// Bytes that were queued and discarded.
    pub lost: usize,
}
