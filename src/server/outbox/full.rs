//! [`Full`]: how full an outbox is, who knows of it, and whether the receiver takes anything meanwhile.

use std::time::Duration;

use tokio::time::Instant;

use super::Due;
use crate::server::{connection::SendHalf, sock_diag::NotTaken};

/// A full outbox is relieved when this part of its limit is free.
const SLACK: usize = 16;

/// How full an outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It takes whatever comes.
    #[default]
    Calm,
    /// Over half of the limit: what its own session asks for waits, so that nobody fills it by himself and then has all
    /// others wait. Until a quarter is left.
    Busy,
    /// Over the limit: whoever sends to it waits. Until it is a little under the limit again, so that they are slowed and
    /// not stopped.
    Full,
}

/// Of one outbox.
#[derive(Default)]
pub struct Full {
    level: Level,
    /// If someone waits for it: since when, or when the other end was last seen to take something.
    since: Option<Instant>,
    /// What the other end had not taken by then.
    not_taken: Option<NotTaken>,
    /// The level when that was last asked for.
    told: Level,
}

impl Full {
    #[cfg(test)]
    pub fn is_full(&self) -> bool {
        self.level == Level::Full
    }

    /// Something was put in: so many bytes are due now. Tells whether it has become full by that.
    pub fn rise(&mut self, due: usize, limit: usize) -> bool {
        if due > limit && self.level != Level::Full {
            self.level = Level::Full;
            self.since = Some(Instant::now());
            self.not_taken = None;
            return true;
        }
        if due > limit / 2 && self.level == Level::Calm {
            self.level = Level::Busy;
        }
        false
    }

    /// The socket took something `now`, and this many bytes are due still.
    pub fn fall(&mut self, due: usize, limit: usize, now: Instant) {
        if self.level == Level::Full && due <= limit - limit / SLACK {
            self.level = Level::Busy;
            self.since = None;
        }
        if self.level == Level::Busy && due <= limit / 4 {
            self.level = Level::Calm;
            self.since = None;
        }
        if self.since.is_some() {
            self.since = Some(now);
            self.not_taken = None;
        }
    }

    /// Someone waits for it to be calm, though it is not full. Tells whether that is new.
    pub fn lose_patience(&mut self) -> bool {
        let is_new = self.level == Level::Busy && self.since.is_none();
        if is_new {
            self.since = Some(Instant::now());
            self.not_taken = None;
        }
        is_new
    }

    /// The level, if it has changed since it was last asked for.
    pub fn take_change(&mut self) -> Option<Level> {
        (std::mem::replace(&mut self.told, self.level) != self.level).then_some(self.level)
    }

    /// The level, if it has fallen since it was last asked for.
    pub fn take_fall(&mut self) -> Option<Level> {
        if self.level < self.told { self.take_change() } else { None }
    }

    /// A task begins to wait for the socket: what the other end takes from here on counts.
    pub fn begin_wait(&mut self, writer: Option<&dyn SendHalf>) {
        if self.since.is_some() && self.not_taken.is_none() {
            self.not_taken = writer.and_then(SendHalf::not_taken);
        }
    }

    /// Whether the other end has taken something that the socket has not asked more for yet. If so, it is not stuck from
    /// here on for another grace.
    pub fn has_moved(&mut self, writer: Option<&dyn SendHalf>) -> bool {
        let now = writer.and_then(SendHalf::not_taken);
        let has_moved = now.zip(self.not_taken).is_some_and(|(now, before)| now.is_less_than(before));
        if has_moved {
            self.since = Some(Instant::now());
            self.not_taken = now;
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
