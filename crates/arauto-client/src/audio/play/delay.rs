//! [`Delay`]: how long datagrams wait before they are played, so that reordered ones still arrive in time.

use std::time::Duration;

use arauto_rtsp::sequence::Jitter;

/// Minimum delay.
pub const MIN_DELAY: Duration = Duration::from_millis(40);
/// Maximum delay.
pub const MAX_DELAY: Duration = Duration::from_secs(1);
/// Initial delay, until the arrival pattern is known.
pub const INITIAL_DELAY: Duration = Duration::from_millis(100);
/// The delay is this multiple of the smoothed jitter. Jitter is a mean; few datagrams are later than four times it.
const JITTER_FACTOR: f64 = 4.0;
/// Time in which half of the margin learnt from a late datagram is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(30);

/// Adapts the delay to the arrival times of datagrams.
#[derive(Debug)]
pub struct Delay {
    /// Interarrival jitter as RFC 3550 defines it for reports.
    jitter: Jitter,
    /// Arrival time of the last datagram minus its timestamp, in seconds.
    transit: Option<f64>,
    /// Change of `transit` from datagram to datagram, in seconds, smoothed like the jitter. Changes above [`MAX_DELAY`]
    /// (a pause, or a connection that stalled) are left out.
    change: f64,
    clock_rate: u32,
    /// Delay that late datagrams would have needed, as of `learnt`.
    margin: Duration,
    /// When `margin` was last set.
    learnt: Duration,
}

impl Delay {
    /// Creates a delay for timestamps of `clock_rate` ticks per second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            jitter: Jitter::new(clock_rate),
            transit: None,
            change: 0.0,
            clock_rate,
            margin: INITIAL_DELAY,
            learnt: Duration::ZERO,
        }
    }

    /// Records a datagram that arrived in time.
    pub(super) fn take(&mut self, timestamp: u32, ticks: i64, now: Duration) {
        self.jitter.take(timestamp, now);
        #[expect(clippy::cast_precision_loss, reason = "weeks in ticks are below 2^52")]
        let transit = now.as_secs_f64() - ticks as f64 / f64::from(self.clock_rate);
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs();
            if change <= MAX_DELAY.as_secs_f64() {
                self.change += (change - self.change) / 16.0;
            }
        }
    }

    /// Records a datagram that missed its turn by `by` although the current delay was applied.
    pub fn was_late(&mut self, now: Duration, by: Duration) {
        let needed = self.target(now) + by;
        self.margin = needed.min(MAX_DELAY).max(self.margin(now));
        self.learnt = now;
    }

    /// The delay to apply at `now`, from [`MIN_DELAY`] to [`MAX_DELAY`].
    #[must_use]
    pub fn target(&self, now: Duration) -> Duration {
        Duration::from_secs_f64(self.change * JITTER_FACTOR).max(self.margin(now)).clamp(MIN_DELAY, MAX_DELAY)
    }

    /// The interarrival jitter that receiver reports carry.
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
        assert_eq!(delay.target(ms(0)), INITIAL_DELAY);
        assert_eq!(delay.target(ms(60_000)), MIN_DELAY);
        for at in 0..2_000_u32 {
            delay.take(960 * at, 960 * i64::from(at), ms(20 * u64::from(at) + 30 * u64::from(at % 2)));
        }
        // Four times the change of 30 ms from each datagram to the next.
        let now = ms(60_000);
        assert!((ms(118)..=ms(122)).contains(&delay.target(now)), "{:?}", delay.target(now));
        delay.was_late(now, ms(100));
        assert!((ms(218)..=ms(222)).contains(&delay.target(now)), "{:?}", delay.target(now));
        // The margin halves within `HALF_LIFE`.
        assert!(delay.target(now + HALF_LIFE) < ms(122));
        delay.was_late(now, Duration::from_secs(100));
        assert_eq!(delay.target(now), MAX_DELAY);
    }
}
