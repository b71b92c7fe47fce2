//! [`Bucket`]: a token bucket; [`Meter`]: what one session may send, by two of them.

use std::{rc::Rc, time::Duration};

use tokio::time::Instant;

use crate::config::Flood;

/// So many tokens in so much time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Never zero.
    pub tokens: usize,
    /// The time in which as many come back.
    pub per: Duration,
    /// The most there are.
    pub burst: usize,
}

impl Rate {
    /// `None`, for no limit, where `tokens` is zero.
    #[must_use]
    pub fn new(tokens: usize, per: Duration, burst: usize) -> Option<Self> {
        (tokens > 0).then_some(Self { tokens, per, burst: burst.max(1) })
    }

    /// How long so many tokens take to come back.
    fn time_of(self, tokens: usize) -> Duration {
        let nanos = self.per.as_nanos() * tokens as u128 / self.tokens as u128;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A token bucket. It is known by the time when it will be full again, so it fills without anybody's doing.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// One that is full.
    #[must_use]
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Whether nothing is left of what was taken.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// How long until so many tokens are there; zero if they are. More than the burst count as the burst.
    #[must_use]
    pub fn wait(&self, rate: Rate, tokens: usize, now: Instant) -> Duration {
        let missing = self.full_at.saturating_duration_since(now) + rate.time_of(tokens.min(rate.burst));
        missing.saturating_sub(rate.time_of(rate.burst))
    }

    /// Takes so many tokens, which [`Self::wait`] said are there.
    pub fn take(&mut self, rate: Rate, tokens: usize, now: Instant) {
        self.full_at = self.full_at.max(now) + rate.time_of(tokens.min(rate.burst));
    }
}

/// What a session may send. Those that have as much share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Of messages.
    pub messages: Option<Rate>,
    /// Of bytes, line endings of messages not counted.
    pub bytes: Option<Rate>,
    /// Messages that may be refused within `window` before the session is ended.
    pub refusals: usize,
    /// Begins with a refusal.
    pub window: Duration,
}

impl Allowance {
    /// As configured, where the longest message has so many bytes: it has to fit into the burst.
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

/// A message was one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// What of.
    pub of: Unit,
    /// How much is allowed.
    pub rate: Rate,
    /// After how long it would not be.
    pub wait: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Messages, whatever their length.
    Messages,
    /// Their bytes.
    Bytes,
}

/// What one session has sent of what it may.
#[derive(Debug)]
pub struct Meter {
    allowance: Rc<Allowance>,
    messages: Bucket,
    bytes: Bucket,
    /// Messages refused since `window_began`.
    refused: usize,
    window_began: Instant,
}

impl Meter {
    /// Of a session that has sent nothing. `None` where it may send without limit.
    #[must_use]
    pub fn new(allowance: Rc<Allowance>, now: Instant) -> Option<Self> {
        if allowance.messages.is_none() && allowance.bytes.is_none() {
            return None;
        }
        let full = Bucket::full(now);
        Some(Self { allowance, messages: full, bytes: full, refused: 0, window_began: now })
    }

    /// Takes account of one message. One that is refused costs nothing.
    ///
    /// # Errors
    /// If it is one too many.
    pub fn admit(&mut self, bytes: usize, now: Instant) -> Result<(), Excess> {
        let Allowance { messages, bytes: of_bytes, .. } = *self.allowance;
        let waits = [
            messages.map(|rate| (Unit::Messages, rate, self.messages.wait(rate, 1, now))),
            of_bytes.map(|rate| (Unit::Bytes, rate, self.bytes.wait(rate, bytes, now))),
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

    /// Takes account of bytes that came together and make no message. Nobody asked for anything by them, so nobody is told
    /// that they were too many; they count as one refusal.
    pub fn take_waste(&mut self, bytes: usize, now: Instant) {
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

    /// So much was refused within `flood.refusal_window` that the session is to end.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.refused >= self.allowance.refusals
    }

    /// What it is held to.
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
        // However long nothing is taken, no more than the burst is there.
        advance(SECOND * 3600).await;
        assert!(bucket.is_full(Instant::now()));
        bucket.take(rate, 10, Instant::now());
        assert!(!bucket.is_full(Instant::now()));
        assert_eq!(bucket.wait(rate, 1, Instant::now()), SECOND / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_long_time_nobody_gets_more_than_the_rate() {
        // Periods that are no whole number of nanoseconds.
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
        let excess = Excess { of: Unit::Bytes, rate: bytes, wait: SECOND / 2 };
        assert_eq!(meter.admit(100, now), Err(excess));
        assert_eq!(meter.admit(25, now), Ok(()));
        assert_eq!(meter.admit(25, now), Ok(()));
        let excess = Excess { of: Unit::Messages, rate: messages, wait: SECOND };
        assert_eq!(meter.admit(1, now), Err(excess));
        advance(SECOND).await;
        assert_eq!(meter.admit(1, Instant::now()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_within_the_window_exhaust_and_older_ones_do_not() {
        let mut meter = meter(Some(rate(1, 1)), None).unwrap();
        for _ in 0..20 {
            // Two at once, then eleven seconds of rest: a window with one refusal in each.
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
        meter.take_waste(200, now);
        assert_eq!(meter.admit(50, now), Ok(()));
        assert!(meter.admit(1, now).is_err());
        meter.take_waste(1, now);
        assert!(!meter.is_exhausted());
        meter.take_waste(1_000_000, now);
        assert!(meter.is_exhausted());
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_there_is_no_meter() {
        assert!(meter(None, None).is_none());
        assert_eq!(Rate::new(0, SECOND, 10), None);
    }
}
