//! The messages between actors.
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

use std::{io, sync::Arc, time::Duration};

use actix::{Message, Recipient};
use arauto_protocol::{Kind, Line, Looks, Name, Request};
use arauto_rtsp::{Key, StreamId};
use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};
use tokio_rustls::server::TlsStream;

pub use crate::server::http::subscribe::{Subscribe, SubscribeError, Subscription};
use crate::server::{
    admission::address_limiter::SessionPermit,
    common::{
        close::CloseReason,
        fill_level::FillLevel,
        listener_protocol::ListenerProtocol,
        peer::Peer,
        session_ref::{SessionId, SessionRef},
        stream_stats::{StreamEnd, StreamStats},
    },
    http::HttpConnection,
};

/// From a listener to a `Courier`: serve an accepted connection. Over plain TCP the listener has already sent the
/// name request.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Adopt {
    /// The connection, not yet registered with a reactor.
    pub socket: std::net::TcpStream,
    /// The peer of the connection.
    pub peer: Peer,
    /// The number that identifies the connection from here on, in the log too.
    pub id: SessionId,
    /// The permits that the connection holds; released when the last part of the session is dropped.
    pub permit: SessionPermit,
    /// The protocol that the connection speaks.
    pub protocol: ListenerProtocol,
    /// The TLS configuration, if the connection has to begin with a TLS handshake.
    pub secure: Option<Secure>,
}

/// From the task of an HTTP connection to its `Courier`: the WebSocket handshake is done.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Upgraded {
    /// The connection, with its ID and peer.
    pub connection: HttpConnection,
    /// The permits that the connection now holds as a session.
    pub permit: SessionPermit,
    /// Bytes that were read after the handshake.
    pub read: BytesMut,
}

/// From the task of an HTTP connection to its `Courier`: the connection now listens to a stream, so it may
/// last longer than the requests for the page.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct HttpListening {
    /// The connection.
    pub id: SessionId,
}

/// From the task of an HTTP connection to its `Courier`: the connection has ended or was handed over as a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct HttpEnded {
    /// The connection.
    pub id: SessionId,
}

/// The TLS configuration that a handshake is answered with.
#[derive(Debug)]
pub struct Secure(pub Arc<ServerConfig>);

/// From a handshake's task to its `Courier`: the handshake is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct HandshakeEnded {
    /// The connection.
    pub id: SessionId,
    /// The peer of the connection.
    pub peer: Peer,
    /// The protocol that the connection speaks over TLS.
    pub protocol: ListenerProtocol,
    /// The stream, or why the handshake failed.
    pub outcome: Result<Secured, (CloseReason, Option<io::Error>)>,
}

/// A connection whose TLS handshake is done.
#[derive(Debug)]
pub struct Secured {
    /// The connection.
    pub stream: Box<TlsStream<TcpStream>>,
    /// The permits that the connection holds.
    pub permit: SessionPermit,
}

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

/// From the `Registry` to a `Courier`: another client requests this session's name, so the kernel is to find out
/// whether its peer is alive.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Probe {
    /// The session to probe.
    pub session_ref: SessionRef,
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

/// From a `Courier` to a `Session`: its connection cannot be written to. The session then leaves through the
/// registry, as for any other reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Evicted {
    /// Either [`CloseReason::OutboxFull`] or [`CloseReason::Broken`].
    pub reason: CloseReason,
    /// The error, if a write failed.
    pub error: Option<std::io::Error>,
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

/// From a `Courier` to the `Registry`: the fill level of an outbox changed, and with it which senders have to wait.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Backpressure {
    /// The session that the outbox belongs to.
    pub session_ref: SessionRef,
    /// The new fill level.
    pub level: FillLevel,
}

/// From the `Registry` to a `Courier`: this session's requests wait until its own outbox drains. If the client takes
/// nothing for the grace period meanwhile, the outbox counts as stuck, so the wait is bounded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ExpectDrain {
    /// The session that the outbox belongs to.
    pub session_ref: SessionRef,
}

/// From a `Courier` to the `Registry`: all outboxes together take more memory than `limits.outboxes_bytes`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct OutboxesFull;

/// From the `Registry` to a `Courier`: drop the larger queues of closing sessions, and report how much memory the
/// outboxes of the others take.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Weigh {
    /// Where to send the answer.
    pub answer: Recipient<Weighed>,
}

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

/// From the `Registry` to a `Courier`: the server is shutting down, so every outbox accepts all output from here on,
/// however full it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unbound;

/// Shut the server down. Goes to the `Registry`, from there to every `Courier`, and as [`Hangup`] to every `Session`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseServer {
    /// The client or signal that asked for it, for the log.
    pub by: String,
}

/// From the `Registry` to the `Relay`: a client is asked to publish a stream, and may do so with this key.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct OpenStream {
    /// The number of the stream.
    pub stream: StreamId,
    /// Admits the publisher, once.
    pub key: Key,
    /// Statistics that the relay writes and `list_streams` shows.
    pub stats: Arc<StreamStats>,
    /// The name of the file to play, as `list_files` writes it.
    pub file: Arc<str>,
}

/// From the `Registry` to the `Relay`: one more client may listen to a stream. Sent before the message that gives the
/// client the key.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AdmitListener {
    /// The stream.
    pub stream: StreamId,
    /// Admits the listener, any number of times until the stream ends.
    pub key: Key,
}

/// From the `Registry` to the `Relay`: a stream is over, or no client waits for it any more. The relay does not
/// answer with [`StreamEnded`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ShutStream {
    /// The stream.
    pub stream: StreamId,
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

/// The messages that the `Registry` can send to the `Relay`, without knowing its type.
#[derive(Clone)]
pub struct ToRelay {
    /// A client is asked to publish.
    pub open: Recipient<OpenStream>,
    /// A client may listen.
    pub admit: Recipient<AdmitListener>,
    /// A stream is over.
    pub shut: Recipient<ShutStream>,
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
