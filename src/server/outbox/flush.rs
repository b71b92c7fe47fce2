//! [`Flush`]: over a stream that takes bytes before its socket does, whether that is done.

use std::{
    io,
    task::{Context, Poll, ready},
};

use super::super::connection::SendHalf;

/// Whether a writer still holds something back (see [`SendHalf::holds_back`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// It never does.
    Needless,
    /// It does not.
    Done,
    /// It may.
    Due,
}

impl Flush {
    pub(super) fn of(writer: &dyn SendHalf) -> Self {
        if writer.holds_back() { Self::Done } else { Self::Needless }
    }

    /// Something was written.
    pub(super) fn wrote(&mut self) {
        if *self == Self::Done {
            *self = Self::Due;
        }
    }

    /// Brings some of it out.
    pub(super) fn poll(&mut self, writer: &mut dyn SendHalf, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if ready!(writer.poll_flush_some(cx))? {
            *self = Self::Done;
        }
        Poll::Ready(Ok(()))
    }
}
