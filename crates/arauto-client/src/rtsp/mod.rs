//! RTSP 1.0 (RFC 2326) for clients that publish or play a stream.
//!
//! - `session`: [`StreamSession`], one stream on one connection: set up, transferred, kept alive and ended.
//! - `connection`: requests and their answers. `codec`: decodes messages of bounded size.
//! - `keepalive`: when to ask the server whether the session still exists.
//! - `transport`: the `Transport` header. `datagrams`: the pair of UDP sockets.
//!
//! The server supplies the address of a stream, but the client always connects to the host that the user joined, by
//! the name that the user gave, and sends nothing to another. The server cannot choose any port of that host either:
//! the user's setting `audio.ports` restricts them, because a tunnel can make that host the user's own machine.

mod codec;
mod connection;
mod datagrams;
mod keepalive;
mod session;
mod transport;

use std::io;

use arauto_rtsp::description::NoDescription;
use arauto_settings::escape::Escaped;
pub use session::{RtspEvent, StreamSession};

use super::dial::NoConnection;

/// Transport of RTP and RTCP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP datagrams.
    Udp,
    /// Interleaved with the messages of the RTSP connection.
    Interleaved,
}

/// Why a stream could not be set up, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum RtspError {
    /// The address is not an RTSP URL.
    #[error("this is not an rtsp:// or rtsps:// address")]
    Address,
    /// The server was joined by TLS, but offers the stream unencrypted.
    #[error(
        "the connection to the server uses TLS, but the server offers the audio unencrypted, which would expose its key on the \
         network. The server's operator has to set media.tls_listen. audio.allow_plain = true in client.toml allows this"
    )]
    Exposed,
    /// The port of the address is not allowed for audio.
    #[error("the server names port {port} for audio, but audio.ports in client.toml allows only {allowed}")]
    Port {
        /// The port.
        port: u16,
        /// The allowed ports.
        allowed: String,
    },
    /// The connection could not be made.
    #[error(transparent)]
    NoConnection(#[from] NoConnection),
    /// The server refused a request.
    #[error("the server refused {method}: {status} {}", Escaped(.reason))]
    Refused {
        /// Method of the request.
        method: &'static str,
        /// RTSP status code.
        status: u16,
        /// Reason phrase, as sent by the server.
        reason: String,
    },
    /// The server did not answer a request in time.
    #[error("the server did not answer {method} within {} s", connection::ANSWER_TIMEOUT.as_secs())]
    Silence {
        /// Method of the request.
        method: &'static str,
    },
    /// The server violates RTSP.
    #[error("the server violates RTSP: {0}")]
    Malformed(&'static str),
    /// The stream that the server describes cannot be played.
    #[error("the stream that the server describes cannot be played: {0}")]
    Description(#[from] NoDescription),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server ended the connection.
    #[error("the server ended the connection")]
    Closed,
}

impl RtspError {
    /// Whether the server refused with this RTSP status code.
    #[must_use]
    pub fn is_refusal(&self, number: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == number)
    }
}

#[cfg(test)]
pub(super) mod tests;
