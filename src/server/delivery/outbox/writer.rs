//! [`Writer`]: the sending half of a connection, and when it may be written to.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use arauto_protocol::Kind;
use futures_util::FutureExt;
use tokio::{io::AsyncWrite, task::coop::unconstrained, time::Instant};

use super::buffer::Buffer;
use crate::server::net::connection::SendHalf;

/// Queued pieces in one vectored write.
const MAX_SLICES: usize = 64;

/// When something may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing is left to write.
    Never,
    /// As soon as the socket takes it.
    Now,
    /// At the end of the gap that separates messages to an unframed client.
    At(Instant),
}

/// The writing side of an outbox.
pub struct Writer {
    half: Box<dyn SendHalf>,
    /// Time of the last write to an unframed client. Boxed because few clients are unframed.
    last_write: Option<Box<Instant>>,
}

impl Writer {
    pub fn new(half: Box<dyn SendHalf>) -> Self {
        Self { half, last_write: None }
    }

    /// The sending half.
    pub fn half(&self) -> &dyn SendHalf {
        &*self.half
    }

    /// Forgets the time of the last write to an unframed client. Returns whether there was one.
    pub fn forget_last_write(&mut self) -> bool {
        self.last_write.take().is_some()
    }

    /// Sends what the socket takes at once, without asking the reactor. Returns the number of bytes, which may be 0.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.half.try_send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    /// When the first piece of `buffer` may be written; at once if a flush is due. `gap` is the minimum time between
    /// two messages to an unframed client.
    pub fn due(&self, buffer: &Buffer, gap: Duration) -> Due {
        if buffer.needs_flush() {
            return Due::Now;
        }
        if buffer.is_empty() {
            return Due::Never;
        }
        match self.last_write.as_deref().map(|last| *last + gap) {
            Some(due)
                if buffer.kind() == Kind::Unframed && !buffer.is_mid_piece() && due > Instant::now() =>
            {
                Due::At(due)
            }
            _ => Due::Now,
        }
    }

    /// Does one write from `buffer`, or the flush that is due after one. Returns the number of bytes written.
    pub fn poll_write(&mut self, buffer: &mut Buffer, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if buffer.needs_flush() {
            if ready!(self.half.poll_flush_some(cx))? {
                buffer.flushed();
            }
            return Poll::Ready(Ok(0));
        }
        let half = Pin::new(&mut self.half);
        let written = if let Some(piece) = buffer.single() {
            ready!(half.poll_write(cx, piece))?
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = buffer.fill(&mut slices);
            ready!(half.poll_write_vectored(cx, &slices[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        if buffer.kind() == Kind::Unframed {
            let now = Instant::now();
            **self.last_write.get_or_insert_with(|| Box::new(now)) = now;
        }
        Poll::Ready(Ok(written))
    }

    /// Shuts the sending side. The kernel does that without waiting; TLS first sends a closing alert, which may have to
    /// wait for the socket.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}

/// Polls sockets once, without waiting for them and outside of the scheduler's budget: a courier writes to thousands
/// of sockets in one go, and has to try every one.
pub fn at_once<T>(mut run: impl FnMut(&mut Context<'_>) -> T) -> T {
    match unconstrained(poll_fn(|cx| Poll::Ready(run(cx)))).now_or_never() {
        Some(outcome) => outcome,
        None => unreachable!("the future above is always ready"),
    }
}
