//! [`Bucket`]: a token bucket; [`Meter`]: the limit on what one session sends, made of two buckets.

use std::{rc::Rc, time::Duration};

use tokio::time::Instant;

use crate::config::Flood;

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

/// A token bucket. Its state is the time at which it will be full again, so it refills without a timer.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
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
}

/// Limits on what a session sends, shared by the sessions that have equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Limit on messages.
    pub messages: Option<Rate>,
    /// Limit on bytes; the line endings of messages do not count.
    pub bytes: Option<Rate>,
    /// Number of refusals within `window` that ends the session.
    pub refusals: usize,
    /// Length of the window, which begins with a refusal.
    pub window: Duration,
}

impl Allowance {
    /// The configured limits. The burst of bytes is at least `message_bytes`, so that the longest message fits.
    #[must_use]
    pub fn of(flood: &Flood, message_bytes: usize) -> Self {
        let second = Duration::from_secs(1);
        Self {
            messages: Rate::new(flood.message_rate, second, flood.message_burst),
            bytes: Rate::new(flood.byte_rate, second, flood.byte_burst.max(message_bytes)),
            refusals: flood.refusals,
            window: flood.refusal_window,
        }
    }
}

/// A message exceeded a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The limit exceeded.
    pub of: FloodUnit,
    /// Rate and burst of that limit.
    pub rate: Rate,
    /// Time after which the message would be admitted.
    pub wait: Duration,
}

/// Unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloodUnit {
    /// Messages of any length.
    Messages,
    /// Bytes of messages.
    Bytes,
}

/// Messages and bytes that one session has sent, measured against its [`Allowance`].
#[derive(Debug)]
pub struct Meter {
    allowance: Rc<Allowance>,
    messages: Bucket,
    bytes: Bucket,
    /// Refusals since `window_began`.
    refused: usize,
    window_began: Instant,
}

impl Meter {
    /// A meter for a session that has sent nothing. `None` if nothing limits it.
    #[must_use]
    pub fn new(allowance: Rc<Allowance>, now: Instant) -> Option<Self> {
        if allowance.messages.is_none() && allowance.bytes.is_none() {
            return None;
        }
        let full = Bucket::full(now);
        Some(Self { allowance, messages: full, bytes: full, refused: 0, window_began: now })
    }

    /// Admits and counts one message. A refused message costs no tokens.
    ///
    /// # Errors
    /// If the message exceeds a limit. This counts as a refusal.
    pub fn admit(&mut self, bytes: usize, now: Instant) -> Result<(), Excess> {
        let Allowance { messages, bytes: of_bytes, .. } = *self.allowance;
        let waits = [
            messages.map(|rate| (FloodUnit::Messages, rate, self.messages.wait(rate, 1, now))),
            of_bytes.map(|rate| (FloodUnit::Bytes, rate, self.bytes.wait(rate, bytes, now))),
        ];
        let longest = waits.into_iter().flatten().max_by_key(|(_, _, wait)| *wait);
        if let Some((of, rate, wait)) = longest.filter(|(_, _, wait)| !wait.is_zero()) {
            self.count_refusal(now);
            return Err(Excess { of, rate, wait });
        }
        if let Some(rate) = messages {
            self.messages.take(rate, 1, now);
        }
        if let Some(rate) = of_bytes {
            self.bytes.take(rate, bytes, now);
        }
        Ok(())
    }

    /// Counts the bytes of one read that belong to no message. If they exceed the limit, that counts as one refusal.
    /// The client gets no reply, because it asked for nothing by these bytes.
    pub fn take_junk(&mut self, bytes: usize, now: Instant) {
        let Some(rate) = self.allowance.bytes else { return };
        if self.bytes.wait(rate, bytes, now).is_zero() {
            self.bytes.take(rate, bytes, now);
        } else {
            self.count_refusal(now);
        }
    }

    fn count_refusal(&mut self, now: Instant) {
        if self.refused == 0 || now.duration_since(self.window_began) >= self.allowance.window {
            self.window_began = now;
            self.refused = 0;
        }
        self.refused += 1;
    }

    /// Whether `flood.refusals` within `flood.refusal_window` are reached, so that the session has to end.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.refused >= self.allowance.refusals
    }

    /// The limits of this session.
    #[must_use]
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(tokens: usize, burst: usize) -> Rate {
        Rate::new(tokens, SECOND, burst).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let rate = rate(4, 10);
        let mut bucket = Bucket::full(Instant::now());
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
            let mut bucket = Bucket::full(Instant::now());
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
        let mut bucket = Bucket::full(Instant::now());
        assert_eq!(bucket.wait(rate, 50, Instant::now()), Duration::ZERO);
        bucket.take(rate, 50, Instant::now());
        assert_eq!(bucket.wait(rate, 50, Instant::now()), SECOND * 5);
    }

    fn meter(messages: Option<Rate>, bytes: Option<Rate>) -> Option<Meter> {
        let allowance = Allowance { messages, bytes, refusals: 3, window: SECOND * 10 };
        Meter::new(Rc::new(allowance), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn messages_and_bytes_are_counted_apart_and_what_is_refused_costs_nothing() {
        let (messages, bytes) = (rate(1, 3), rate(100, 250));
        let mut meter = meter(Some(messages), Some(bytes)).unwrap();
        let now = Instant::now();
        assert_eq!(meter.admit(200, now), Ok(()));
        let excess = Excess { of: FloodUnit::Bytes, rate: bytes, wait: SECOND / 2 };
        assert_eq!(meter.admit(100, now), Err(excess));
        assert_eq!(meter.admit(25, now), Ok(()));
        assert_eq!(meter.admit(25, now), Ok(()));
        let excess = Excess { of: FloodUnit::Messages, rate: messages, wait: SECOND };
        assert_eq!(meter.admit(1, now), Err(excess));
        advance(SECOND).await;
        assert_eq!(meter.admit(1, Instant::now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_within_the_window_exhaust_and_older_ones_do_not() {
        let mut meter = meter(Some(rate(1, 1)), None).unwrap();
        for _ in 0..20 {
            // Two messages at once, then 11 s of rest: each window has one refusal.
            assert_eq!(meter.admit(1, Instant::now()), Ok(()));
            assert!(meter.admit(1, Instant::now()).is_err());
            assert!(!meter.is_exhausted());
            advance(SECOND * 11).await;
        }
        assert_eq!(meter.admit(1, Instant::now()), Ok(()));
        for _ in 0..3 {
            assert!(!meter.is_exhausted());
            assert!(meter.admit(1, Instant::now()).is_err());
        }
        assert!(meter.is_exhausted());
    }

    #[tokio::test(start_paused = true)]
    async fn what_makes_no_message_counts_as_bytes_and_is_too_much_at_some_time() {
        let mut meter = meter(None, Some(rate(100, 250))).unwrap();
        let now = Instant::now();
        meter.take_junk(200, now);
        assert_eq!(meter.admit(50, now), Ok(()));
        assert!(meter.admit(1, now).is_err());
        meter.take_junk(1, now);
        assert!(!meter.is_exhausted());
        meter.take_junk(1_000_000, now);
        assert!(meter.is_exhausted());
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_there_is_no_meter() {
        assert!(meter(None, None).is_none());
        assert_eq!(Rate::new(0, SECOND, 10), None);
    }
}
