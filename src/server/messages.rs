//! The messages that actors send upwards, and [`CloseServer`].
//!
//! A folder owns the messages that its actor receives. It cannot own those of senders below it in ARCHITECTURE.md's
//! table, which must not import it: a session sends to the courier that started it, and sessions, couriers and the relay
//! send to the registry. `CloseServer` goes to actors of three folders.
//!
//! ```text
//! Listener --Adopt--> Courier --starts--> Session --Enter, Work, Leave--> Registry
//!                       ^ ^                   | ^                           ^ |
//!                       | | Reframe,          | | Evicted, Hangup, Sent     | |
//!                       | '-SendRaw, SendLine-' '----------------------.    | |
//!                       |                                        Courier --Backpressure, OutboxesFull, Weighed
//!                       '--------------Deliver, Probe, ExpectDrain, Weigh, Unbound, CloseServer'
//!
//! Registry --OpenStream, AdmitListener, ShutStream--> Relay --StreamBegan, StreamEnded--> Registry
//! HTTP --Subscribe--> Relay
//! ```

use std::{sync::Arc, time::Duration};

use actix::{Message, Recipient};
use arauto_protocol::{Kind, Line, Looks, Name, Request};
use arauto_rtsp::StreamId;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::server::common::{
    close::CloseReason, fill_level::FillLevel, peer::Peer, session_ref::SessionRef, stream_stats::StreamEnd,
};

/// From a `Session` to the `Registry`: the client answered the name request with a valid name.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Enter {
    /// The session.
    pub session_ref: SessionRef,
    /// The peer of the connection.
    pub peer: Arc<Peer>,
    /// The requested name.
    pub name: Name,
    /// The client proved that it owns the account of this name.
    pub proven: bool,
    /// The looks of the name. The session computes them, because a hostile name takes up to half a millisecond and
    /// every client waits for the `Registry`.
    pub looks: Looks,
}

/// From a `Session` to the `Registry`: the requests of one read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Work {
    /// The session.
    pub session_ref: SessionRef,
    /// The requests, in the order sent.
    pub requests: Vec<Request>,
    /// Credit out of `limits.inflight_bytes` that the requests take; released when all of them have been carried out.
    pub credit: Option<OwnedSemaphorePermit>,
}

/// From a `Session` to the `Registry`: the session ends for a reason of its own.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// The session.
    pub session_ref: SessionRef,
    /// Why the session ends.
    pub reason: CloseReason,
    /// A line to send to the client first.
    pub farewell: Option<Line>,
}

/// From a `Session` to its `Courier`: the client's kind is now known.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reframe {
    /// The session.
    pub session_ref: SessionRef,
    /// How to frame its output from here on.
    pub kind: Kind,
}

/// From a `Session` to its `Courier`: send a line to a client that has no name yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SendLine {
    /// The session.
    pub session_ref: SessionRef,
    /// The line to send.
    pub line: Line,
}

/// From a `Session` to its `Courier`: send bytes that belong to no message, such as telnet's refusals.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SendRaw {
    /// The session.
    pub session_ref: SessionRef,
    /// The bytes to send.
    pub bytes: Bytes,
}

/// From a `Courier` to the `Registry`: the fill level of an outbox changed, and with it which senders have to wait.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Backpressure {
    /// The session that the outbox belongs to.
    pub session_ref: SessionRef,
    /// The new fill level.
    pub level: FillLevel,
}

/// From a `Courier` to the `Registry`: all outboxes together take more memory than `limits.outboxes_bytes`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct OutboxesFull;

/// From a `Courier` to the `Registry`: the memory of its sessions' outboxes that are not empty.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Weighed(pub Vec<Heavy>);

/// A session whose outbox takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heavy {
    /// The session that the outbox belongs to.
    pub session_ref: SessionRef,
    /// The memory of the outbox, in bytes.
    pub bytes: usize,
    /// How long the socket has taken nothing off the queue.
    pub idle: Duration,
}

/// Shut the server down. Goes to the `Registry`, from there to every `Courier`, and as `Hangup` to every `Session`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseServer {
    /// The client or signal that asked for it, for the log.
    pub by: String,
}

/// From the `Relay` to the `Registry`: the publisher has begun, so admitted clients can listen.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamBegan {
    /// The stream.
    pub stream: StreamId,
}

/// From the `Relay` to the `Registry`: a stream that had begun is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamEnded {
    /// The stream.
    pub stream: StreamId,
    /// Why the stream ended.
    pub why: StreamEnd,
}

/// The messages that a session or a courier can send to the `Registry`, without knowing its type.
#[derive(Clone)]
pub struct ToRegistry {
    /// The client answered the name request.
    pub enter: Recipient<Enter>,
    /// The requests of one read.
    pub work: Recipient<Work>,
    /// All outboxes together take too much memory; sent by couriers only.
    pub outboxes_full: Recipient<OutboxesFull>,
    /// The session ends.
    pub leave: Recipient<Leave>,
}

/// The messages that a session can send to its courier, without knowing its type.
#[derive(Clone)]
pub struct ToCourier {
    /// The client's kind is known.
    pub reframe: Recipient<Reframe>,
    /// Bytes that belong to no message.
    pub raw: Recipient<SendRaw>,
    /// A line to a client that has no name yet.
    pub say: Recipient<SendLine>,
}
