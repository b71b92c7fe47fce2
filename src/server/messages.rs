//! Every message between actors: the map of the house.
//!
//! ```text
//! Listener --Adopt--> Courier --starts--> Session --Enter, Work, Leave--> Registry
//!                       ^ ^                   | ^                           ^ |
//!                       | '-Reframe, Raw, Say-' '--Jammed, Hangup, Sent--.    | |
//!                       |                                          Courier --Pressure, OutboxesFull, Weighed
//!                       '--------------Deliver, Probe, Impatient, Weigh, LiftBounds, CloseServer'
//!
//! Registry --OpenStream, AdmitListener, ShutStream--> Relay --StreamBegan, StreamEnded--> Registry
//! HTTP --Tune--> Relay
//! ```

use std::{io, sync::Arc, time::Duration};

use actix::{Message, Recipient};
use bytes::{Bytes, BytesMut};
use rustls::ServerConfig;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};
use tokio_rustls::server::TlsStream;

use super::{
    batch::{Item, Shared},
    close::CloseReason,
    doorkeeper::Stay,
    http::Visitor,
    media::figures::{Figures, StreamEnd},
    outbox::Level,
    seat::{Seat, SessionId},
    speaks::Speaks,
    who::Peer,
};
use crate::{
    media::{Key, StreamId},
    protocol::{Kind, Line, Looks, Name, Request},
};

pub use super::tune::{NotTuned, Tune, Tuned};

/// Listener to Courier: a connection to serve. One over plain TCP has been asked for its name.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Adopt {
    /// The connection, not yet known to any reactor.
    pub socket: std::net::TcpStream,
    /// Its other end.
    pub peer: Peer,
    /// What it is called from here on.
    pub id: SessionId,
    /// Its places; given back when the last part of the session is gone.
    pub stay: Stay,
    /// What it is to speak.
    pub speaks: Speaks,
    /// It is to speak TLS.
    pub secure: Option<Secure>,
}

/// An HTTP connection's task to its Courier: its handshake is done.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Upgraded {
    /// The connection.
    pub visitor: Visitor,
    /// Its places as a session.
    pub stay: Stay,
    /// What was read beyond the handshake.
    pub read: BytesMut,
}

/// The same: it listens to a stream, and may take its time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Listening {
    /// Whose.
    pub id: SessionId,
}

/// The same: it is over, or has been handed over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Visited {
    /// Whose.
    pub id: SessionId,
}

/// What a TLS handshake is answered with.
#[derive(Debug)]
pub struct Secure(pub Arc<ServerConfig>);

/// A handshake's task to its Courier: how it went.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shaken {
    /// Whose.
    pub id: SessionId,
    /// With whom.
    pub peer: Peer,
    /// What is spoken from here on.
    pub speaks: Speaks,
    /// The stream, or why there is none.
    pub outcome: Result<Secured, (CloseReason, Option<io::Error>)>,
}

/// A connection whose TLS handshake is done.
#[derive(Debug)]
pub struct Secured {
    /// The connection.
    pub stream: Box<TlsStream<TcpStream>>,
    /// Its places.
    pub stay: Stay,
}

/// Session to Registry: the name request was answered with a valid name.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Enter {
    /// Who answers.
    pub seat: Seat,
    /// From where.
    pub peer: Arc<Peer>,
    /// The name wanted.
    pub name: Name,
    /// It showed that the name is an account of its own.
    pub proven: bool,
    /// What it looks like. Made by the session, because a hostile name can take half a millisecond, and everybody waits for
    /// the Registry.
    pub looks: Looks,
}

/// Session to Registry: what one read held.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Work {
    /// Who asks.
    pub seat: Seat,
    /// What, in the order sent.
    pub requests: Vec<Request>,
    /// Its share of `limits.inflight_bytes`, given back when all of it is carried out.
    pub credit: Option<OwnedSemaphorePermit>,
}

/// Session to Registry: it ends for a reason of its own.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// Who.
    pub seat: Seat,
    /// Why.
    pub reason: CloseReason,
    /// What to tell it first.
    pub farewell: Option<Line>,
}

/// Registry to Courier: what to write, to whom.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// What every member gets.
    pub shared: Arc<Shared>,
    /// Where single sessions differ, ordered by slot.
    pub items: Vec<Item>,
}

/// Registry to Courier: someone else wants this session's name; make the kernel find out whether its other end is alive.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Probe {
    /// Whose connection.
    pub seat: Seat,
}

/// Session to Courier: what kind of client it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reframe {
    /// Who.
    pub seat: Seat,
    /// From now on.
    pub kind: Kind,
}

/// Session to Courier: a line for someone who has no name yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Say {
    /// To whom.
    pub seat: Seat,
    /// What.
    pub line: Line,
}

/// Session to Courier: bytes outside of all messages (telnet's refusals).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Raw {
    /// To whom.
    pub seat: Seat,
    /// What.
    pub bytes: Bytes,
}

/// Courier to Session: it cannot be written to. The session then leaves by the registry, as for any other reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Jammed {
    /// [`CloseReason::OutboxFull`] or [`CloseReason::Broken`].
    pub reason: CloseReason,
    /// The error, where writing failed.
    pub error: Option<std::io::Error>,
}

/// Courier to Session: it is over, and its place given up. Whatever the reason, every session ends by this.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Hangup {
    /// Why.
    pub reason: CloseReason,
    /// It had been given its name.
    pub joined: bool,
}

/// Courier to Session: all that was queued is sent or given up, and the sending side is shut.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Sent {
    /// Bytes that were given up.
    pub lost: usize,
}

/// Courier to Registry: how full a session's outbox has become, and so whom it holds back.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Pressure {
    /// Whose.
    pub seat: Seat,
    /// How full it is now.
    pub level: Level,
}

/// Registry to Courier: what this session asks for waits until its own outbox is emptier. If it takes nothing meanwhile,
/// it is not to wait for ever.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Impatient {
    /// Whose.
    pub seat: Seat,
}

/// Courier to Registry: all outboxes together take more memory than they may.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct OutboxesFull;

/// Registry to Courier: drop what is queued for sessions that are closing, and say which outboxes of the others are heaviest.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Weigh {
    /// Where the answer goes.
    pub answer: Recipient<Weighed>,
}

/// Courier to Registry: its heaviest outboxes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Weighed(pub Vec<Heavy>);

/// A session whose outbox takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heavy {
    /// Whose.
    pub seat: Seat,
    /// The bytes of memory.
    pub bytes: usize,
    /// How long it has taken nothing off its queue.
    pub idle: Duration,
}

/// Registry to Courier: the server ends, and what comes until then is taken by every outbox, however full it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LiftBounds;

/// End everything. Goes to the Registry, from it to every Courier, and as [`Hangup`] to every Session.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseServer {
    /// Who wanted it, for the log.
    pub by: String,
}

/// Registry to Relay: somebody is asked to publish a stream, and may do so with this key.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct OpenStream {
    /// What it is called.
    pub stream: StreamId,
    /// What lets its publisher in, once.
    pub key: Key,
    /// What is to be shown of it.
    pub figures: Arc<Figures>,
    /// What is played, as `list_files` writes it.
    pub file: Arc<str>,
}

/// Registry to Relay: one more may listen to a stream. It goes before the message that tells him so.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AdmitListener {
    /// To which.
    pub stream: StreamId,
    /// What lets him in, as often as he likes, until the stream ends.
    pub key: Key,
}

/// Registry to Relay: a stream is over, or nobody waits for it any more. Not answered by [`StreamEnded`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ShutStream {
    /// Which.
    pub stream: StreamId,
}

/// Relay to Registry: the publisher has begun, and whoever is admitted can listen.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamBegan {
    /// Which.
    pub stream: StreamId,
}

/// Relay to Registry: a stream that had begun is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamEnded {
    /// Which.
    pub stream: StreamId,
    /// Why.
    pub why: StreamEnd,
}

/// What the Registry can send to the Relay, without knowing it.
#[derive(Clone)]
pub struct ToRelay {
    /// Somebody is asked to publish.
    pub open: Recipient<OpenStream>,
    /// Somebody may listen.
    pub admit: Recipient<AdmitListener>,
    /// It is over.
    pub shut: Recipient<ShutStream>,
}

/// What a session can send to the Registry, without knowing it.
#[derive(Clone)]
pub struct ToRegistry {
    /// The answer to the name request.
    pub enter: Recipient<Enter>,
    /// What one read held.
    pub work: Recipient<Work>,
    /// All outboxes together take too much memory.
    pub outboxes_full: Recipient<OutboxesFull>,
    /// The end.
    pub leave: Recipient<Leave>,
}

/// What a session can send to its courier, without knowing it.
#[derive(Clone)]
pub struct ToCourier {
    /// What kind of client it is.
    pub reframe: Recipient<Reframe>,
    /// Bytes outside of all messages.
    pub raw: Recipient<Raw>,
    /// A line for someone who has no name yet.
    pub say: Recipient<Say>,
}
