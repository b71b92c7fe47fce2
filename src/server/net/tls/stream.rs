//! The two halves of a TLS connection. Both live on one thread, and neither borrows the connection across a wait.
//!
//! Written bytes go into TLS's own buffer (at most 64 KiB), and from there to the socket as far as it takes them. So
//! the sending half may hold back bytes that only a flush brings out: see [`SendHalf::holds_back`].

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::super::{
    connection::{self, ReceiveHalf, SendHalf, Unanswered},
    sock_diag::NotTaken,
};

/// Receiving half of a TLS connection.
pub struct TlsReceiver(Rc<RefCell<TlsStream<TcpStream>>>);

/// Sending half of a TLS connection. Dropping it shuts the sending side of the connection, as with TCP.
pub struct TlsSender(Rc<RefCell<TlsStream<TcpStream>>>);

/// Splits a connection whose handshake is done.
pub fn halves(stream: TlsStream<TcpStream>) -> (TlsReceiver, TlsSender) {
    let stream = Rc::new(RefCell::new(stream));
    (TlsReceiver(Rc::clone(&stream)), TlsSender(stream))
}

impl AsyncRead for TlsReceiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer).map_err(|error| match error.kind() {
            // A third party on the way could have cut off the rest. The library's own text is for programmers.
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended without TLS saying so")
            }
            _ => error,
        })
    }
}

impl ReceiveHalf for TlsReceiver {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.borrow().get_ref().0.take_error()
    }
}

impl AsyncWrite for TlsSender {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}

impl SendHalf for TlsSender {
    fn holds_back(&self) -> bool {
        true
    }

    /// Flushes in parts: over a slow link, a flush of everything would show no progress before its end.
    fn poll_flush_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut stream = self.0.borrow_mut();
        let (socket, session) = stream.get_mut();
        if !session.wants_write() {
            return Poll::Ready(Ok(true));
        }
        match session.write_tls(&mut AtOnce { socket, cx }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            outcome => Poll::Ready(outcome.map(|_| !session.wants_write())),
        }
    }

    fn not_taken(&self) -> Option<NotTaken> {
        connection::not_taken(self.0.borrow().get_ref().0)
    }

    fn begin_probe(&self) -> io::Result<()> {
        connection::begin_probe(self.0.borrow().get_ref().0)
    }

    fn end_probe(&self) -> Unanswered {
        connection::end_probe(self.0.borrow().get_ref().0)
    }
}

/// A socket as a writer for the TLS library, which returns `WouldBlock` instead of waiting.
struct AtOnce<'a, 'b> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl io::Write for AtOnce<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.socket).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.socket).poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn or_would_block(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Drop for TlsSender {
    fn drop(&mut self) {
        // Fails if the sending side is shut or the connection is broken already.
        let _ = SockRef::from(self.0.borrow().get_ref().0).shutdown(Shutdown::Write);
    }
}
