//! What the server asks of a connection's two halves, and TCP as one of them.
//!
//! Sessions know nothing of sockets: whatever reads and writes bytes (TLS, a WebSocket, a pipe in a test) can carry one.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// Silence after which the kernel asks an idle connection's other end whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many may stay unanswered.
const KEEPALIVE_RETRIES: u32 = 4;

/// A connection's receiving half.
pub trait ReceiveHalf: AsyncRead + Unpin + 'static {}

impl<T: AsyncRead + Unpin + 'static> ReceiveHalf for T {}

/// A connection's sending half.
pub trait SendHalf: AsyncWrite + Unpin + 'static {
    /// Makes the connection break soon if its other end no longer answers.
    ///
    /// # Errors
    /// If the system refuses.
    fn probe(&self) -> io::Result<()>;

    /// Ends what [`Self::probe`] began.
    ///
    /// # Errors
    /// If the system refuses.
    fn settle(&self) -> io::Result<()>;
}

impl SendHalf for OwnedWriteHalf {
    fn probe(&self) -> io::Result<()> {
        let second = Duration::from_secs(1);
        let socket = SockRef::from(self.as_ref());
        socket.set_tcp_keepalive(
            &TcpKeepalive::new().with_time(second).with_interval(second).with_retries(1),
        )?;
        // Keepalive is silent while something sent is not acknowledged; this limit speaks for that case.
        socket.set_tcp_user_timeout(Some(second))
    }

    fn settle(&self) -> io::Result<()> {
        let socket = SockRef::from(self.as_ref());
        socket.set_tcp_keepalive(&keepalive())?;
        socket.set_tcp_user_timeout(None)
    }
}

/// How idle connections are watched. Set on the listening socket, accepted ones inherit it.
pub fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES)
}

/// Takes a TCP connection into this thread's reactor.
///
/// # Errors
/// If the reactor cannot take it.
pub fn from_tcp(socket: std::net::TcpStream) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    Ok(tokio::net::TcpStream::from_std(socket)?.into_split())
}
