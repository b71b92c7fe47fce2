//! [`Pace`]: so many at once, then no more than one in so much time: for what others can make one send.

use std::time::Duration;

use tokio::time::Instant;

/// When messages may be sent: some at once, then one each interval.
#[derive(Debug)]
pub struct Pace {
    at_once: Duration,
    interval: Duration,
    /// When the next would be sent if none were ever sent at once.
    due: Instant,
}

impl Pace {
    /// So many at once, and then so far apart.
    #[must_use]
    pub fn new(now: Instant, at_once: u32, interval: Duration) -> Self {
        Self { at_once: interval * at_once, interval, due: now }
    }

    /// From when on one more may be sent.
    #[must_use]
    pub fn next_after(&self, now: Instant) -> Instant {
        (self.due.max(now) + self.interval).checked_sub(self.at_once).unwrap_or(now).max(now)
    }

    /// The same, and it is sent then.
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
        let mut pace = Pace::new(start, 10, interval);
        for _ in 0..10 {
            assert_eq!(pace.next_after(start), start);
            assert_eq!(pace.next(start), start);
        }
        assert_eq!(pace.next_after(start), start + interval);
        assert_eq!(pace.next(start), start + interval);
        assert_eq!(pace.next(start), start + 2 * interval);
        // After silence, as many at once as at the start, and no more.
        let later = start + Duration::from_secs(1000);
        for _ in 0..10 {
            assert_eq!(pace.next(later), later);
        }
        assert_eq!(pace.next(later), later + interval);
    }
}
