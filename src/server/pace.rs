//! [`Pace`]: when a batch goes out.
//!
//! A write costs nearly the same whether it carries one message or a hundred. So under load the batches are made larger,
//! not more: one with broadcasts waits until the couriers are done with the one before, and gathers what comes
//! meanwhile. And if a fan-out takes milliseconds and its senders keep several messages on the way, the next batch also
//! waits a moment for those that are just arriving. After a single message nothing is waited for.
//!
//! A batch that outgrows its bound goes out at once, whatever is on its way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

/// The least time that can be waited: timers count milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// The share of a fan-out's time that the next one may wait for more messages, one in so many. After fan-outs of which
/// that is less than a tick, nothing is waited for.
const SHARE: u32 = 2;

/// The longest that more messages are waited for, however long the fan-out took.
const LONGEST: Duration = Duration::from_millis(10);

/// When batches go out.
#[derive(Debug)]
pub struct Pace {
    /// One permit: a batch's, until the last courier is done with it.
    way: Arc<Semaphore>,
    /// When the last batch went out.
    went: Option<Instant>,
    /// How long it was on its way, in microseconds.
    took: Arc<AtomicU64>,
    /// How many broadcasts the next one is likely to hold.
    expected: usize,
    gathering: Option<Gathering>,
}

/// More broadcasts are waited for.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    /// So long.
    until: Instant,
    /// How many there were at first.
    first: usize,
}

/// What to do with a batch.
#[derive(Debug)]
pub enum Next {
    /// Send it. If it holds broadcasts, this goes with it until it is carried.
    Go(Option<Ticket>),
    /// Look again when this is over.
    Wait(Wait),
}

/// What a batch waits for.
#[derive(Debug)]
pub enum Wait {
    /// Until the one before is carried.
    Turn(Arc<Semaphore>),
    /// A tick, for more broadcasts.
    More,
}

/// A batch with broadcasts on its way.
#[derive(Debug)]
pub struct Ticket {
    since: Instant,
    took: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            way: Arc::new(Semaphore::new(1)),
            went: None,
            took: Arc::default(),
            expected: 0,
            gathering: None,
        }
    }
}

impl Pace {
    /// What to do with a batch of so many broadcasts.
    pub fn next(&mut self, broadcasts: usize) -> Next {
        if broadcasts == 0 {
            return Next::Go(None);
        }
        let Ok(permit) = Arc::clone(&self.way).try_acquire_owned() else {
            return Next::Wait(Wait::Turn(Arc::clone(&self.way)));
        };
        let now = Instant::now();
        if let Some(gathering) = self.gather(broadcasts, now) {
            self.gathering = Some(gathering);
            return Next::Wait(Wait::More);
        }
        self.expected = match self.gathering.take() {
            // Some came, but not in time to be as many as expected: half of those missing may be in time next.
            Some(Gathering { first, .. }) if broadcasts > first => {
                (self.expected + broadcasts).div_ceil(2).max(broadcasts)
            }
            _ => broadcasts,
        };
        self.went = Some(now);
        Next::Go(Some(Ticket { since: now, took: Arc::clone(&self.took), _permit: permit }))
    }

    /// A batch went out without being asked for here: what was waited for has come.
    pub fn overflowed(&mut self) {
        self.gathering = None;
    }

    /// More are waited for right after a long fan-out if there are fewer than expected. That none come for a while says
    /// little: who reads from many connections answers when it is through with all of them.
    fn gather(&self, broadcasts: usize, now: Instant) -> Option<Gathering> {
        if broadcasts >= self.expected {
            return None;
        }
        if let Some(gathering) = self.gathering {
            return (now < gathering.until).then_some(gathering);
        }
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed));
        let most = (took / SHARE).min(LONGEST);
        let until = self.went? + took + most;
        (most >= TICK && now < until).then_some(Gathering { until, first: broadcasts })
    }
}

impl Wait {
    /// Waits.
    pub async fn over(self) {
        match self {
            // Who waits only looks again: the permit is given back at once.
            Self::Turn(way) => drop(way.acquire_owned().await),
            // Rounded up to the next tick.
            Self::More => sleep(TICK / 2).await,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let took = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.took.store(took, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    const LONG: Duration = Duration::from_millis(10);

    /// Sends a batch that is on its way for so long.
    async fn carry(pace: &mut Pace, broadcasts: usize, length: Duration) {
        let ticket = go(pace, broadcasts);
        advance(length).await;
        drop(ticket);
    }

    fn go(pace: &mut Pace, broadcasts: usize) -> Option<Ticket> {
        match pace.next(broadcasts) {
            Next::Go(ticket) => ticket,
            Next::Wait(wait) => panic!("waits: {wait:?}"),
        }
    }

    fn waits_for_more(pace: &mut Pace, broadcasts: usize) -> bool {
        matches!(pace.next(broadcasts), Next::Wait(Wait::More))
    }

    #[tokio::test(start_paused = true)]
    async fn one_batch_of_broadcasts_is_on_its_way_at_a_time() {
        let mut pace = Pace::default();
        let first = go(&mut pace, 1);
        let Next::Wait(wait) = pace.next(1) else { panic!("goes beside the first") };
        let mut over = watch(wait);
        assert!(!over());
        assert!(go(&mut pace, 0).is_none(), "nothing for all: nothing to wait for");
        drop(first);
        assert!(over());
        assert!(go(&mut pace, 1).is_some());
    }

    /// Polls a wait and tells whether it is over.
    fn watch(wait: Wait) -> impl FnMut() -> bool {
        let mut over = Box::pin(wait.over());
        move || over.as_mut().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_fan_out_those_just_arriving_are_waited_for() {
        let mut pace = Pace::default();
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 9));
        advance(TICK).await;
        assert!(waits_for_more(&mut pace, 14));
        advance(TICK).await;
        assert!(go(&mut pace, 16).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn if_none_come_in_time_less_is_expected() {
        let mut pace = Pace::default();
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 4));
        advance(LONG / 2).await;
        carry(&mut pace, 4, LONG).await;
        carry(&mut pace, 4, LONG).await;
        assert!(waits_for_more(&mut pace, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn if_some_come_in_time_more_are_expected_again() {
        let mut pace = Pace::default();
        carry(&mut pace, 16, LONG).await;
        for broadcasts in [5, 5, 5, 9, 9] {
            assert!(waits_for_more(&mut pace, broadcasts));
            advance(TICK).await;
        }
        carry(&mut pace, 10, LONG).await;
        assert!(waits_for_more(&mut pace, 12));
        advance(TICK).await;
        carry(&mut pace, 13, LONG).await;
    }

    #[tokio::test(start_paused = true)]
    async fn not_after_a_short_fan_out_nor_some_time_later() {
        let mut pace = Pace::default();
        carry(&mut pace, 16, TICK).await;
        carry(&mut pace, 9, LONG).await;
        advance(LONG).await;
        assert!(go(&mut pace, 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn not_longer_than_the_longest_however_long_the_fan_out() {
        let mut pace = Pace::default();
        carry(&mut pace, 100, 10 * LONGEST).await;
        assert!(waits_for_more(&mut pace, 1));
        advance(LONGEST).await;
        assert!(go(&mut pace, 2).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_overflow_as_much_is_expected_as_before() {
        let mut pace = Pace::default();
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 15));
        pace.overflowed();
        assert!(waits_for_more(&mut pace, 1));
        advance(LONG / 2).await;
        // None have come since: had it been counted from before the overflow, fewer would be there than at first.
        carry(&mut pace, 1, LONG).await;
        carry(&mut pace, 1, LONG).await;
    }

    #[tokio::test(start_paused = true)]
    async fn never_for_who_sends_one_at_a_time() {
        let mut pace = Pace::default();
        for _ in 0..5 {
            carry(&mut pace, 1, LONG).await;
        }
    }
}
