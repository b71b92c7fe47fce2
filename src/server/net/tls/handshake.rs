//! The TLS handshake: from an accepted socket to a TLS stream, or to a reason to end, by a deadline.

use std::{io, sync::Arc};

use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::server::common::close::CloseReason;

/// First byte of each TLS record of a handshake (RFC 8446, section 5.1). No line that a person types begins with it.
const HANDSHAKE_RECORD: u8 = 22;

/// Reason why there is no TLS stream.
#[derive(Debug)]
pub struct Failure {
    /// Reason for the log and the counters.
    pub reason: CloseReason,
    /// The error, if one is known.
    pub error: Option<io::Error>,
    /// The socket, if the client can still be sent something.
    pub socket: Option<TcpStream>,
}

impl Failure {
    fn new(reason: CloseReason, error: Option<io::Error>, socket: Option<TcpStream>) -> Self {
        Self { reason, error, socket }
    }

    /// Whether the client would take plain text for what it is: it has sent some, or nothing at all.
    pub fn takes_plain_text(&self) -> bool {
        self.socket.is_some() && self.reason != CloseReason::HandshakeFailed
    }
}

/// Performs the handshake with a client.
///
/// # Errors
/// If the client does not speak TLS, does not agree on parameters, closes the connection, or is not done by `deadline`.
pub async fn handshake(
    socket: std::net::TcpStream,
    config: Arc<ServerConfig>,
    deadline: Instant,
) -> Result<TlsStream<TcpStream>, Failure> {
    use CloseReason::{HandshakeFailed, HandshakeTimeout, PlainText};
    let socket =
        TcpStream::from_std(socket).map_err(|error| Failure::new(HandshakeFailed, Some(error), None))?;
    let mut first = [0];
    match timeout_at(deadline, socket.peek(&mut first)).await {
        Ok(Ok(1)) if first == [HANDSHAKE_RECORD] => {}
        Ok(Ok(1)) => return Err(Failure::new(PlainText, None, Some(socket))),
        Ok(Ok(_)) => {
            let error = io::ErrorKind::UnexpectedEof.into();
            return Err(Failure::new(HandshakeFailed, Some(error), Some(socket)));
        }
        Ok(Err(error)) => return Err(Failure::new(HandshakeFailed, Some(error), None)),
        Err(_) => return Err(Failure::new(HandshakeTimeout, None, Some(socket))),
    }
    match timeout_at(deadline, TlsAcceptor::from(config).accept(socket).into_fallible()).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err((error, socket))) => Err(Failure::new(HandshakeFailed, Some(error), Some(socket))),
        Err(_) => Err(Failure::new(HandshakeTimeout, None, None)),
    }
}
