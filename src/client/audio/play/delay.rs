//! [`Delay`]: for how long datagrams wait before they are played, so that those which are overtaken still come in time.

use std::time::Duration;

use crate::media::sequence::Jitter;

/// The shortest time that is waited.
pub const LEAST: Duration = Duration::from_millis(40);
/// The longest.
pub const MOST: Duration = Duration::from_secs(1);
/// What is waited at first, until it is known how datagrams come.
pub const FIRST: Duration = Duration::from_millis(100);
/// How many times the smoothed jitter is waited. It is a mean; few datagrams are later than four of it.
const JITTERS: f64 = 4.0;
/// In which time what was learnt from a late datagram is half forgotten.
const HALF_LIFE: Duration = Duration::from_secs(30);

/// Learns from how datagrams come.
#[derive(Debug)]
pub struct Delay {
    /// As RFC 3550 wants it reported.
    jitter: Jitter,
    /// When the last came, less its timestamp, in seconds.
    transit: Option<f64>,
    /// How much that changes, smoothed like the jitter; but a pause or a connection that stood still is none.
    change: f64,
    clock_rate: u32,
    /// What late ones would have needed.
    margin: Duration,
    /// When that was.
    learnt: Duration,
}

impl Delay {
    /// For timestamps of so many ticks a second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            jitter: Jitter::new(clock_rate),
            transit: None,
            change: 0.0,
            clock_rate,
            margin: FIRST,
            learnt: Duration::ZERO,
        }
    }

    /// One came in its turn.
    pub(super) fn take(&mut self, timestamp: u32, ticks: i64, now: Duration) {
        self.jitter.take(timestamp, now);
        #[expect(clippy::cast_precision_loss, reason = "weeks in ticks are below 2^52")]
        let transit = now.as_secs_f64() - ticks as f64 / f64::from(self.clock_rate);
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs();
            if change <= MOST.as_secs_f64() {
                self.change += (change - self.change) / 16.0;
            }
        }
    }

    /// One came so much too late, although this was waited.
    pub fn was_late(&mut self, now: Duration, by: Duration) {
        let needed = self.target(now) + by;
        self.margin = needed.min(MOST).max(self.margin(now));
        self.learnt = now;
    }

    /// How long to wait.
    #[must_use]
    pub fn target(&self, now: Duration) -> Duration {
        Duration::from_secs_f64(self.change * JITTERS).max(self.margin(now)).clamp(LEAST, MOST)
    }

    /// Between datagrams, on the mean.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    fn margin(&self, now: Duration) -> Duration {
        let halves = now.saturating_sub(self.learnt).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.margin.mul_f64(0.5_f64.powf(halves))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_jitter_and_what_is_late() {
        let ms = Duration::from_millis;
        let mut delay = Delay::new(48_000);
        assert_eq!(delay.target(ms(0)), FIRST);
        assert_eq!(delay.target(ms(60_000)), LEAST);
        for at in 0..2_000_u32 {
            delay.take(960 * at, 960 * i64::from(at), ms(20 * u64::from(at) + 30 * u64::from(at % 2)));
        }
        // 30 ms from each to the next, four times.
        let now = ms(60_000);
        assert!((ms(118)..=ms(122)).contains(&delay.target(now)), "{:?}", delay.target(now));
        delay.was_late(now, ms(100));
        assert!((ms(218)..=ms(222)).contains(&delay.target(now)), "{:?}", delay.target(now));
        // It is forgotten again.
        assert!(delay.target(now + HALF_LIFE) < ms(122));
        delay.was_late(now, Duration::from_secs(100));
        assert_eq!(delay.target(now), MOST);
    }
}
