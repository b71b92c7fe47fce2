//! [`Meter`]: the limit on what one session sends, made of two token buckets.

use std::{rc::Rc, time::Duration};

use tokio::time::Instant;

use crate::{
    config::Flood,
    server::common::token_bucket::{Rate, TokenBucket},
};

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
    messages: TokenBucket,
    bytes: TokenBucket,
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
        let full = TokenBucket::full(now);
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
        if self.bytes.try_take(rate, bytes, now).is_err() {
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
