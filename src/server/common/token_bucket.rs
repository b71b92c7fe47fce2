//! [`TokenBucket`]: limits a rate and allows bursts. Reads no clock.

use std::time::Duration;

use tokio::time::Instant;

/// Refill rate and burst size of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in `per`; never zero.
    pub tokens: usize,
    /// Time in which `tokens` come back.
    pub per: Duration,
    /// Capacity of the bucket, in tokens.
    pub burst: usize,
}

impl Rate {
    /// `None`, for no limit, if `tokens` is zero. A burst of zero counts as one.
    #[must_use]
    pub fn new(tokens: usize, per: Duration, burst: usize) -> Option<Self> {
        (tokens > 0).then_some(Self { tokens, per, burst: burst.max(1) })
    }

    /// Time in which `tokens` come back.
    fn time_of(self, tokens: usize) -> Duration {
        let nanos = self.per.as_nanos() * tokens as u128 / self.tokens as u128;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A token bucket. Its state is the time at which it will be full again, so it refills without a timer. The rate is passed
/// to each call, because many buckets share one.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Whether the bucket is full.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Time until `tokens` are available; zero if they are. More tokens than the burst count as the burst.
    #[must_use]
    pub fn wait(&self, rate: Rate, tokens: usize, now: Instant) -> Duration {
        let missing = self.full_at.saturating_duration_since(now) + rate.time_of(tokens.min(rate.burst));
        missing.saturating_sub(rate.time_of(rate.burst))
    }

    /// Takes `tokens`, which have to be available according to [`Self::wait`].
    pub fn take(&mut self, rate: Rate, tokens: usize, now: Instant) {
        self.full_at = self.full_at.max(now) + rate.time_of(tokens.min(rate.burst));
    }

    /// Takes `tokens` if they are available.
    ///
    /// # Errors
    /// If they are not: the time until they are.
    pub fn try_take(&mut self, rate: Rate, tokens: usize, now: Instant) -> Result<(), Duration> {
        let wait = self.wait(rate, tokens, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.take(rate, tokens, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(tokens: usize, burst: usize) -> Rate {
        Rate::new(tokens, SECOND, burst).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let rate = rate(4, 10);
        let mut bucket = TokenBucket::full(Instant::now());
        for _ in 0..10 {
            assert_eq!(bucket.wait(rate, 1, Instant::now()), Duration::ZERO);
            bucket.take(rate, 1, Instant::now());
        }
        assert_eq!(bucket.wait(rate, 1, Instant::now()), SECOND / 4);
        assert_eq!(bucket.wait(rate, 3, Instant::now()), SECOND * 3 / 4);
        advance(SECOND / 4).await;
        assert_eq!(bucket.wait(rate, 1, Instant::now()), Duration::ZERO);
        bucket.take(rate, 1, Instant::now());
        assert_eq!(bucket.wait(rate, 1, Instant::now()), SECOND / 4);
        // After any time without use, no more than the burst is available.
        advance(SECOND * 3600).await;
        assert!(bucket.is_full(Instant::now()));
        bucket.take(rate, 10, Instant::now());
        assert!(!bucket.is_full(Instant::now()));
        assert_eq!(bucket.wait(rate, 1, Instant::now()), SECOND / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_long_time_nobody_gets_more_than_the_rate() {
        // Refill times that are no whole number of nanoseconds.
        for tokens in [3, 7, 131_072, 999_983] {
            let rate = rate(tokens, 2 * tokens);
            let mut bucket = TokenBucket::full(Instant::now());
            let mut taken = 0;
            for _ in 0..100 {
                while taken < 1_000_000_000 && bucket.wait(rate, 1 + tokens / 10, Instant::now()).is_zero() {
                    bucket.take(rate, 1 + tokens / 10, Instant::now());
                    taken += 1 + tokens / 10;
                }
                advance(SECOND).await;
            }
            let (least, most) = (98 * tokens, 101 * tokens + 1);
            assert!((least..=most).contains(&taken), "{taken} of {tokens} a second");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_the_burst_counts_as_the_burst() {
        let rate = rate(1, 5);
        let mut bucket = TokenBucket::full(Instant::now());
        assert_eq!(bucket.wait(rate, 50, Instant::now()), Duration::ZERO);
        bucket.take(rate, 50, Instant::now());
        assert_eq!(bucket.wait(rate, 50, Instant::now()), SECOND * 5);
    }

    proptest! {
        #[test]
        fn no_time_has_more_than_its_burst_and_rate_and_a_wait_is_exact(
            tokens in 1..1_000_usize,
            burst in 1..1_000_usize,
            requests in prop::collection::vec((0..2_000_u64, 1..1_000_usize), 1..100),
        ) {
            let (rate, start) = (rate(tokens, burst), Instant::now());
            let (mut bucket, mut now, mut taken) = (TokenBucket::full(start), start, 0);
            for (pause, wanted) in requests {
                now += Duration::from_millis(pause);
                let wanted = wanted.min(burst);
                if let Err(wait) = bucket.try_take(rate, wanted, now) {
                    prop_assert_eq!(bucket.wait(rate, wanted, now), wait, "a refusal costs nothing");
                    let early = now + wait - Duration::from_nanos(1);
                    prop_assert!(bucket.try_take(rate, wanted, early).is_err());
                    now += wait;
                    prop_assert_eq!(bucket.try_take(rate, wanted, now), Ok(()));
                }
                taken += wanted;
                let most = burst as u128 + (now - start).as_nanos() * tokens as u128 / 1_000_000_000;
                // Each request may gain less than a nanosecond.
                prop_assert!(taken as u128 <= most + 1, "{taken} of {most}");
            }
        }
    }
}
