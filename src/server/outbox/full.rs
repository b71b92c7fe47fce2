//! [`Full`]: whether more is queued than the limit, who knows of it, and whether the receiver takes anything meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use super::Due;
use crate::server::connection::SendHalf;

/// Of one outbox.
#[derive(Default)]
pub struct Full {
    /// If it is: since when, or when the other end was last seen to take something.
    since: Option<Instant>,
    /// What the kernel held at that time that the other end had not acknowledged.
    unacknowledged: Option<u32>,
    /// Whether it was when that was last asked.
    told: bool,
}

impl Full {
    /// Whether it is.
    #[must_use]
    pub fn is_so(&self) -> bool {
        self.since.is_some()
    }

    /// From here on it is. Tells whether that is new.
    pub fn begin(&mut self) -> bool {
        let is_new = self.since.is_none();
        if is_new {
            self.since = Some(Instant::now());
            self.unacknowledged = None;
        }
        is_new
    }

    /// The socket took something, and perhaps enough to be relieved.
    pub fn went_on(&mut self, is_relieved: bool) {
        self.since = (!is_relieved).then(Instant::now);
        self.unacknowledged = None;
    }

    /// Whether it is, if that has changed since it was last asked.
    pub fn take_change(&mut self) -> Option<bool> {
        let now = self.is_so();
        (std::mem::replace(&mut self.told, now) != now).then_some(now)
    }

    /// A task begins to wait for the socket: what the other end takes from here on counts.
    pub fn begin_wait(&mut self, writer: Option<&dyn SendHalf>) {
        if self.is_so() && self.unacknowledged.is_none() {
            self.unacknowledged = writer.and_then(SendHalf::unacknowledged);
        }
    }

    /// Whether the other end has taken something that the socket has not asked more for yet. If so, it is not stuck from
    /// here on for another grace.
    pub fn has_moved(&mut self, writer: Option<&dyn SendHalf>) -> bool {
        let now = writer.and_then(SendHalf::unacknowledged);
        let has_moved = now.is_some() && now < self.unacknowledged;
        if has_moved {
            self.since = Some(Instant::now());
            self.unacknowledged = now;
        }
        has_moved
    }

    /// When it will be stuck, unless the other end takes something before.
    pub fn stuck_at(&self, due: Due, grace: Duration) -> Option<Instant> {
        let waits_since = match due {
            // The pause before a message to an unframed client is ours.
            Due::At(due) => self.since?.max(due),
            _ => self.since?,
        };
        Some(waits_since + grace)
    }
}
