//! What the server asks of a connection's two halves, and TCP as one of them.
//!
//! Sessions know nothing of sockets: whatever reads and writes bytes (TLS, a WebSocket, a pipe in a test) can carry one.

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
    close::LINGER,
    retransmission,
    sock_diag::{self, NotTaken},
};

/// Silence after which the kernel asks an idle connection's other end whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many may stay unanswered.
const KEEPALIVE_RETRIES: u32 = 4;

/// How much the kernel takes beyond what the other end has room for. What more there is waits in an outbox, where it is
/// bounded.
pub const UNSENT_BYTES: u32 = 16 * 1024;

/// A connection's receiving half.
pub trait ReceiveHalf: AsyncRead + Unpin + 'static {
    /// What broke the connection, as far as that is known without reading. Told once.
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

/// A connection's sending half.
pub trait SendHalf: AsyncWrite + Unpin + 'static {
    /// Sends what goes at once, without asking the reactor whether any would. A stream that cannot do that says
    /// [`io::ErrorKind::WouldBlock`], whatever its state, and has to be asked by [`AsyncWrite::poll_write`].
    ///
    /// # Errors
    /// As `send(2)`.
    fn try_send(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Whether what is written may be held back until it is flushed. Never changes.
    fn holds_back(&self) -> bool {
        false
    }

    /// Brings out some of what is held back. Tells whether all of it is out.
    ///
    /// # Errors
    /// If writing fails.
    fn poll_flush_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(self).poll_flush(cx).map_ok(|()| true)
    }

    /// What was sent and not taken by the other end, if that can be known.
    fn not_taken(&self) -> Option<NotTaken> {
        None
    }

    /// Makes the kernel ask the other end whether it is there, if nothing is on the way that it has to acknowledge. One
    /// that does not answer may break by this alone.
    ///
    /// # Errors
    /// If the system refuses.
    fn begin_probe(&self) -> io::Result<()>;

    /// Ends what [`Self::begin_probe`] began. Gives a question, which may take some milliseconds: whether what was asked,
    /// or something that was on the way, went unanswered.
    fn end_probe(&self) -> Unanswered;
}

/// A question that is to be asked where waiting harms nobody.
pub type Unanswered = Box<dyn FnOnce() -> bool + Send>;

impl SendHalf for OwnedWriteHalf {
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        // No flag against SIGPIPE: Rust programs ignore it from the start.
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
    // Twice, because a packet may be lost. One that was silent for a second is asked now and in a second, and breaks a
    // second later; one that was heard of since is asked when it has been silent for a second, and again a second later:
    // whether that goes unanswered too is for `end_probe` to find out.
    //
    // TCP_USER_TIMEOUT (RFC 5482) would do the same for data on the way. But it would also end a living connection whose
    // other end just does not read: Linux counts it from the first question whether there is room again, however
    // faithfully each is answered.
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

/// How idle connections are watched. Set on the listening socket, accepted ones inherit it.
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

/// Tells someone who has no session something, shuts our side, and waits up to [`LINGER`] for the other end to shut its
/// own: closing at once could destroy the words before they are read.
pub async fn see_out(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) {
    let farewell = async {
        stream.write_all(words).await?;
        stream.flush().await?;
        stream.shutdown().await?;
        copy(&mut stream, &mut sink()).await
    };
    // Whoever does not wait for it has had the chance.
    let _ = timeout(LINGER, farewell).await;
}
