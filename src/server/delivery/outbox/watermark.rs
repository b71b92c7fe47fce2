//! [`Watermark`]: the fill level of an outbox, whether it was reported, and whether the receiver makes progress
//! meanwhile.

use std::{io, rc::Rc, time::Duration};

use tokio::time::Instant;

use crate::server::{common::fill_level::FillLevel, net::sock_diag::NotTaken};

/// Hard limit of an outbox, as a multiple of its limit. Senders that wait overshoot the limit by one or two batches;
/// clients that repeatedly send and leave at once overshoot it by more.
const HARD_LIMIT_FACTOR: usize = 2;

/// Divisor: a full outbox is relieved once this fraction of its limit is free.
const SLACK: usize = 16;

/// Limits that all outboxes of a server share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Queued bytes above which an outbox is full, not counting those of an exempt reply (`limits.outbox_bytes`).
    pub limit: usize,
    /// Time without progress after which a full outbox is stuck (`limits.slow_reader_grace`).
    pub grace: Duration,
    /// Minimum time between two messages to an unframed client (`compat.unframed_gap_ms`).
    pub gap: Duration,
}

/// Why a receiver is to be disconnected.
#[derive(Debug)]
pub enum OutboxError {
    /// More is queued than the hard limit, a multiple of [`Bounds::limit`].
    Full,
    /// A write failed.
    Broken(io::Error),
}

/// The fill level of one outbox, and since when its receiver made no progress.
pub struct Watermark {
    bounds: Rc<Bounds>,
    /// Bytes of one delivery that arrived while the queue was empty. They do not count towards the limit: no client is
    /// disconnected for the length of a single answer.
    exempt: usize,
    level: FillLevel,
    /// The level that was reported last.
    told: FillLevel,
    /// Present while the outbox is full, or high and waited for: when that began, or when the peer last took bytes.
    since: Option<Instant>,
    /// The bytes that the peer had not taken at that time.
    not_taken: Option<NotTaken>,
}

impl Watermark {
    /// The mark of an empty outbox.
    pub fn new(bounds: Rc<Bounds>) -> Self {
        let level = FillLevel::Low;
        Self { bounds, exempt: 0, level, told: level, since: None, not_taken: None }
    }

    #[cfg(test)]
    pub fn is_full(&self) -> bool {
        self.level == FillLevel::Full
    }

    /// Minimum time between two messages to an unframed client.
    pub fn gap(&self) -> Duration {
        self.bounds.gap
    }

    /// Returns to the lowest level without a report, because the queue was dropped.
    pub fn reset(&mut self) {
        *self = Self { exempt: self.exempt, ..Self::new(Rc::clone(&self.bounds)) };
    }

    /// Removes the limit: the outbox is never full from here on.
    pub fn unbound(&mut self) {
        self.bounds = Rc::new(Bounds { limit: usize::MAX / HARD_LIMIT_FACTOR, ..*self.bounds });
        self.reset();
    }

    /// Exempts `queued` bytes, which are all that is queued now, from the limit.
    pub fn exempt(&mut self, queued: usize) {
        self.exempt = queued;
    }

    /// Records that bytes were queued and `queued` bytes are queued now. Returns whether the outbox has become full by
    /// that.
    ///
    /// # Errors
    /// If more is queued than the hard limit.
    pub fn rise(&mut self, queued: usize) -> Result<bool, OutboxError> {
        self.exempt = self.exempt.min(queued);
        let (counted, limit) = (queued - self.exempt, self.bounds.limit);
        if counted > HARD_LIMIT_FACTOR * limit {
            return Err(OutboxError::Full);
        }
        if counted > limit && self.level != FillLevel::Full {
            self.level = FillLevel::Full;
            self.begin_grace(None);
            return Ok(true);
        }
        if counted > limit / 2 && self.level == FillLevel::Low {
            self.level = FillLevel::High;
        }
        Ok(false)
    }

    /// Records that the socket took bytes at `now` and that `queued` bytes are left.
    pub fn fall(&mut self, queued: usize, now: Instant) {
        if queued == 0 {
            self.exempt = 0;
        }
        let (counted, limit) = (queued.saturating_sub(self.exempt), self.bounds.limit);
        if self.level == FillLevel::Full && counted <= limit - limit / SLACK {
            self.level = FillLevel::High;
            self.since = None;
        }
        if self.level == FillLevel::High && counted <= limit / 4 {
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
            self.begin_grace(None);
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
    /// Calls `not_taken`, which asks the kernel, only if the answer is needed.
    pub fn begin_wait(&mut self, not_taken: impl FnOnce() -> Option<NotTaken>) {
        if self.since.is_some() && self.not_taken.is_none() {
            self.not_taken = not_taken();
        }
    }

    /// Whether the peer took bytes while the socket asked for no more, given what it has not taken `now`. If so,
    /// restarts the grace period.
    pub fn has_moved(&mut self, now: Option<NotTaken>) -> bool {
        let has_moved = now.zip(self.not_taken).is_some_and(|(now, before)| now.is_less_than(before));
        if has_moved {
            self.begin_grace(now);
        }
        has_moved
    }

    /// When the outbox will be stuck, unless the peer takes bytes before. The time until `not_before` does not count:
    /// the server itself imposes the gap before a message to an unframed client.
    pub fn stuck_at(&self, not_before: Option<Instant>) -> Option<Instant> {
        Some(self.since?.max(not_before.or(self.since)?) + self.bounds.grace)
    }

    fn begin_grace(&mut self, not_taken: Option<NotTaken>) {
        self.since = Some(Instant::now());
        self.not_taken = not_taken;
    }
}
