//! [`Flush`]: tracks whether a stream that accepts bytes before its socket does, such as TLS, still holds some back.

use std::{
    io,
    task::{Context, Poll, ready},
};

use crate::server::net::connection::SendHalf;

/// Whether a writer still holds bytes back (see [`SendHalf::holds_back`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// The writer never holds bytes back.
    Needless,
    /// The writer holds nothing back now.
    Done,
    /// The writer may hold bytes back.
    Due,
}

impl Flush {
    pub(super) fn of(writer: &dyn SendHalf) -> Self {
        if writer.holds_back() { Self::Done } else { Self::Needless }
    }

    /// Records that bytes were written.
    pub(super) fn wrote(&mut self) {
        if *self == Self::Done {
            *self = Self::Due;
        }
    }

    /// Flushes some of the bytes that are held back.
    pub(super) fn poll(&mut self, writer: &mut dyn SendHalf, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if ready!(writer.poll_flush_some(cx))? {
            *self = Self::Done;
        }
        Poll::Ready(Ok(()))
    }
}
