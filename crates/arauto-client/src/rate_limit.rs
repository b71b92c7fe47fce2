//! [`RateLimit`]: a rate limit with a burst, for messages that other users can trigger.

use std::time::Duration;

use tokio::time::Instant;

/// Schedule of messages: a burst, then one per interval.
#[derive(Debug)]
pub struct RateLimit {
    at_once: Duration,
    interval: Duration,
    /// When the next message would be due without any burst.
    due: Instant,
}

impl RateLimit {
    /// Allows `at_once` messages in a burst, and then one per `interval`.
    #[must_use]
    pub fn new(now: Instant, at_once: u32, interval: Duration) -> Self {
        Self { at_once: interval * at_once, interval, due: now }
    }

    /// Returns when the next message may be sent, `now` or later.
    #[must_use]
    pub fn next_after(&self, now: Instant) -> Instant {
        (self.due.max(now) + self.interval).checked_sub(self.at_once).unwrap_or(now).max(now)
    }

    /// Returns the same time as [`Self::next_after`], and counts a message as sent then.
    pub fn next(&mut self, now: Instant) -> Instant {
        let at = self.next_after(now);
        self.due = self.due.max(now) + self.interval;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_then_one_by_one() {
        let interval = Duration::from_millis(40);
        let start = Instant::now() + Duration::from_hours(1);
        let mut rate_limit = RateLimit::new(start, 10, interval);
        for _ in 0..10 {
            assert_eq!(rate_limit.next_after(start), start);
            assert_eq!(rate_limit.next(start), start);
        }
        assert_eq!(rate_limit.next_after(start), start + interval);
        assert_eq!(rate_limit.next(start), start + interval);
        assert_eq!(rate_limit.next(start), start + 2 * interval);
        // After silence, the full burst is available again, and no more.
        let later = start + Duration::from_secs(1000);
        for _ in 0..10 {
            assert_eq!(rate_limit.next(later), later);
        }
        assert_eq!(rate_limit.next(later), later + interval);
    }
}
