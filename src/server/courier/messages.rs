//! The messages that a [`Courier`](super::Courier) receives from acceptors and from the registry. Those of its
//! sessions are in `server/messages.rs`.

use std::sync::Arc;

use actix::{Message, Recipient};
use rustls::ServerConfig;

use crate::server::{
    admission::address_limiter::SessionPermit,
    common::{
        listener_protocol::ListenerProtocol,
        peer::Peer,
        session_ref::{SessionId, SessionRef},
    },
    delivery::batch::{Edit, SharedBatch},
    messages::Weighed,
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

/// The TLS configuration that a handshake is answered with.
#[derive(Debug)]
pub struct Secure(pub Arc<ServerConfig>);

/// From the `Registry` to a `Courier`: another client requests this session's name, so the kernel is to find out
/// whether its peer is alive.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Probe {
    /// The session to probe.
    pub session_ref: SessionRef,
}

/// From the `Registry` to a `Courier`: this session's requests wait until its own outbox drains. If the client takes
/// nothing for the grace period meanwhile, the outbox counts as stuck, so the wait is bounded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ExpectDrain {
    /// The session that the outbox belongs to.
    pub session_ref: SessionRef,
}

/// From the `Registry` to a `Courier`: the server is shutting down, so every outbox accepts all output from here on,
/// however full it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unbound;

/// From the `Registry` to a `Courier`: drop the larger queues of closing sessions, and report how much memory the
/// outboxes of the others take.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Weigh {
    /// Where to send the answer.
    pub answer: Recipient<Weighed>,
}

/// From the `Registry` to a `Courier`: deliver one batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The lines for every member.
    pub shared: Arc<SharedBatch>,
    /// Where single sessions deviate from `shared`, ordered by slot.
    pub edits: Vec<Edit>,
}
