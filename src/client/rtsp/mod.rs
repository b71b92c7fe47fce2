//! RTSP 1.0 (RFC 2326) as a client speaks it, for who publishes a stream and who listens to one.
//!
//! - `session`: [`Session`], one stream on one connection: set up, sent and received, kept alive, ended.
//! - `connection`: requests and their answers. `codec`: messages out of bytes, none too long.
//! - `keepalive`: when the server is asked whether the session is still there.
//! - `transport`: the header of that name. `datagrams`: the two UDP sockets.
//!
//! An address comes from a server, but which machine is called does not: it is always the one that the user joined, as he
//! named it, and nothing is sent to another. Nor does the server choose among all ports of that machine: the user's settings
//! say which are for audio (`audio.ports`), because a tunnel can make that machine the user's own.

mod codec;
mod connection;
mod datagrams;
mod keepalive;
mod session;
mod transport;

use std::io;

pub use session::{Event, Session};

use super::dial::NoConnection;
use crate::{escape::Escaped, media::description::NoDescription};

/// How datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As such.
    Udp,
    /// In RTSP's own connection, between its messages.
    Interleaved,
}

/// Why there is no stream, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The address is none of RTSP's.
    #[error("that is no rtsp:// or rtsps:// address")]
    Address,
    /// The server was joined by TLS, and the address is not of TLS.
    #[error(
        "the server was joined by TLS and offers the sound unencrypted: its key would cross the network for all to read. Its \
         operator has to set media.tls_listen. audio.allow_plain = true in client.toml allows it"
    )]
    Exposed,
    /// The address has a port that is not for audio.
    #[error("the server names port {port} for audio, and audio.ports in client.toml allows {allowed}")]
    Port {
        /// Which port.
        port: u16,
        /// Those that are.
        allowed: String,
    },
    /// There is no connection.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// The server refused what it was asked for.
    #[error("the server refused {method}: {status} {}", Escaped(.reason))]
    Refused {
        /// What it was asked for.
        method: &'static str,
        /// RTSP's number for why.
        status: u16,
        /// The same in words, as the server wrote them.
        reason: String,
    },
    /// The server did not answer.
    #[error("the server did not answer {method} within {} s", connection::ANSWER_WITHIN.as_secs())]
    Silence {
        /// What it was asked for.
        method: &'static str,
    },
    /// The server does not speak RTSP as it is agreed on.
    #[error("the server does not speak RTSP as it should: {0}")]
    Malformed(&'static str),
    /// What it describes cannot be played.
    #[error("what the server describes cannot be played: {0}")]
    Description(#[from] NoDescription),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server ended the connection.
    #[error("the server ended the connection")]
    Closed,
}

impl Failure {
    /// Whether the server refused with this of RTSP's numbers.
    #[must_use]
    pub fn is_refusal(&self, number: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == number)
    }
}

#[cfg(test)]
pub(super) mod tests;
