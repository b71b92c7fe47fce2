//! [`Watermark`]: the fill level of an outbox, whether it was reported, and whether the receiver makes progress
//! meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use super::Due;
use crate::server::{
    common::fill_level::FillLevel,
    net::{connection::SendHalf, sock_diag::NotTaken},
};

/// Divisor: a full outbox is relieved once this fraction of its limit is free.
const SLACK: usize = 16;

/// The fill level of one outbox, and since when its receiver made no progress.
#[derive(Default)]
pub struct Watermark {
    level: FillLevel,
    /// Present while the outbox is full, or high and waited for: when that began, or when the peer last took bytes.
    since: Option<Instant>,
    /// The bytes that the peer had not taken at that time.
    not_taken: Option<NotTaken>,
    /// The level that was reported last.
    told: FillLevel,
}

impl Watermark {
    #[cfg(test)]
    pub fn is_full(&self) -> bool {
        self.level == FillLevel::Full
    }

    /// Records that bytes were queued and `due` bytes are queued now. Returns whether the outbox has become full by
    /// that.
    pub fn rise(&mut self, due: usize, limit: usize) -> bool {
        if due > limit && self.level != FillLevel::Full {
            self.level = FillLevel::Full;
            self.since = Some(Instant::now());
            self.not_taken = None;
            return true;
        }
        if due > limit / 2 && self.level == FillLevel::Low {
            self.level = FillLevel::High;
        }
        false
    }

    /// Records that the socket took bytes at `now` and that `due` bytes are left.
    pub fn fall(&mut self, due: usize, limit: usize, now: Instant) {
        if self.level == FillLevel::Full && due <= limit - limit / SLACK {
            self.level = FillLevel::High;
            self.since = None;
        }
        if self.level == FillLevel::High && due <= limit / 4 {
            self.level = FillLevel::Low;
            self.since = None;
        }
        if self.since.is_some() {
            self.since = Some(now);
            self.not_taken = None;
        }
    }

    /// Starts the grace period for a high outbox, because a sender waits for it to drain. Returns whether it started
    /// just now.
    pub fn expect_drain(&mut self) -> bool {
        let is_new = self.level == FillLevel::High && self.since.is_none();
        if is_new {
            self.since = Some(Instant::now());
            self.not_taken = None;
        }
        is_new
    }

    /// The level, if it changed since it was last reported.
    pub fn take_change(&mut self) -> Option<FillLevel> {
        (std::mem::replace(&mut self.told, self.level) != self.level).then_some(self.level)
    }

    /// The level, if it fell since it was last reported.
    pub fn take_fall(&mut self) -> Option<FillLevel> {
        if self.level < self.told { self.take_change() } else { None }
    }

    /// Notes what the peer has not taken when a task begins to wait for the socket; progress is measured from there.
    pub fn begin_wait(&mut self, writer: Option<&dyn SendHalf>) {
        if self.since.is_some() && self.not_taken.is_none() {
            self.not_taken = writer.and_then(SendHalf::not_taken);
        }
    }

    /// Whether the peer has taken bytes while the socket asked for no more. If so, restarts the grace period.
    pub fn has_moved(&mut self, writer: Option<&dyn SendHalf>) -> bool {
        let now = writer.and_then(SendHalf::not_taken);
        let has_moved = now.zip(self.not_taken).is_some_and(|(now, before)| now.is_less_than(before));
        if has_moved {
            self.since = Some(Instant::now());
            self.not_taken = now;
        }
        has_moved
    }

    /// When the outbox will be stuck, unless the peer takes bytes before.
    pub fn stuck_at(&self, due: Due, grace: Duration) -> Option<Instant> {
        let waits_since = match due {
            // The server itself imposes the gap before a message to an unframed client.
            Due::At(due) => self.since?.max(due),
            _ => self.since?,
        };
        Some(waits_since + grace)
    }
}
