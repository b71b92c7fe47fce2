//! The traits that the server needs of a connection's two halves, and their implementation for TCP.
//!
//! Sessions know nothing of sockets: any pair of byte streams (TLS, a WebSocket, a pipe in a test) can carry one.

use std::{
    io,
    os::fd::AsRawFd,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{
    retransmission,
    sock_diag::{self, NotTaken},
};
use crate::server::common::close::LINGER_TIMEOUT;

/// Silence after which the kernel sends keepalive probes on an idle connection.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// Time between two keepalive probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Unanswered keepalive probes after which the kernel breaks the connection.
const KEEPALIVE_RETRIES: u32 = 4;

/// Bytes that the kernel accepts beyond what the other end has room for. The rest waits in an outbox, where it is
/// bounded.
pub const UNSENT_BYTES: u32 = 16 * 1024;

/// The receiving half of a connection.
pub trait ReceiveHalf: AsyncRead + Unpin + 'static {
    /// Returns the error that broke the connection, if it is known without reading, and clears it.
    ///
    /// # Errors
    /// If the system does not tell.
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }
}

impl ReceiveHalf for OwnedReadHalf {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.as_ref().take_error()
    }
}

/// The sending half of a connection.
pub trait SendHalf: AsyncWrite + Unpin + 'static {
    /// Sends what the kernel accepts at once, without asking the reactor whether the stream is writable. A stream that
    /// cannot do that always returns [`io::ErrorKind::WouldBlock`]; its users have to call [`AsyncWrite::poll_write`].
    ///
    /// # Errors
    /// As `send(2)`.
    fn try_send(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Whether written bytes may be held back until a flush. The answer never changes.
    fn holds_back(&self) -> bool {
        false
    }

    /// Flushes some of the held-back bytes. Returns whether all of them are sent.
    ///
    /// # Errors
    /// If writing fails.
    fn poll_flush_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(self).poll_flush(cx).map_ok(|()| true)
    }

    /// Bytes that were sent and not taken by the other end; `None` if that cannot be known.
    fn not_taken(&self) -> Option<NotTaken> {
        None
    }

    /// Makes the kernel probe the other end, unless data that it has to acknowledge is on the way. If the other end
    /// does not answer, this alone may break the connection.
    ///
    /// # Errors
    /// If the system refuses.
    fn begin_probe(&self) -> io::Result<()>;

    /// Ends the probing that [`Self::begin_probe`] began. Returns a check, which may block for some milliseconds,
    /// whether the probes or the data on the way went unanswered.
    fn end_probe(&self) -> Unanswered;
}

/// A blocking check, to be run on a thread where blocking is allowed.
pub type Unanswered = Box<dyn FnOnce() -> bool + Send>;

impl SendHalf for OwnedWriteHalf {
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        // No flag against SIGPIPE: Rust programs ignore that signal from the start.
        SockRef::from(self.as_ref()).send(bytes)
    }

    fn not_taken(&self) -> Option<NotTaken> {
        not_taken(self.as_ref())
    }

    fn begin_probe(&self) -> io::Result<()> {
        begin_probe(self.as_ref())
    }

    fn end_probe(&self) -> Unanswered {
        end_probe(self.as_ref())
    }
}

/// [`SendHalf::not_taken`] of a TCP connection.
pub fn not_taken(socket: &TcpStream) -> Option<NotTaken> {
    sock_diag::not_taken(socket.local_addr().ok()?, socket.peer_addr().ok()?).ok()
}

/// [`SendHalf::begin_probe`] of a TCP connection.
pub fn begin_probe(socket: &TcpStream) -> io::Result<()> {
    // Two probes, because a packet may be lost. A connection that was silent for 1 s is probed now and 1 s from now,
    // and breaks 1 s later. A connection that was heard of since is probed after 1 s of silence and again 1 s later;
    // `end_probe` finds out whether both went unanswered.
    //
    // TCP_USER_TIMEOUT (RFC 5482) would do the same for data on the way. But it would also end a living connection
    // whose other end just does not read: Linux counts it from the first window probe, even if every window probe is
    // answered.
    let second = Duration::from_secs(1);
    let probe = TcpKeepalive::new().with_time(second).with_interval(second).with_retries(2);
    SockRef::from(socket).set_tcp_keepalive(&probe)
}

/// [`SendHalf::end_probe`] of a TCP connection.
pub fn end_probe(socket: &TcpStream) -> Unanswered {
    // A connection that refuses this is about to end by itself.
    let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive());
    match retransmission::inode(socket.as_raw_fd()) {
        Ok(inode) => Box::new(move || retransmission::is_unanswered(inode)),
        Err(_) => Box::new(|| false),
    }
}

/// Keepalive settings of idle connections. Accepted connections inherit them from the listening socket.
pub fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES)
}

/// The two halves of a TCP connection.
pub fn split(socket: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    socket.into_split()
}

/// Sends `words` on a connection without a session, shuts the sending side, and waits up to [`LINGER_TIMEOUT`] for the
/// other end to shut its own. Closing at once could destroy the words before they are read.
pub async fn see_out(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) {
    let farewell = async {
        stream.write_all(words).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        copy(&mut stream, &mut sink()).await
    };
    // Errors and the timeout are ignored: the other end had its chance to read the words.
    let _ = timeout(LINGER_TIMEOUT, farewell).await;
}
