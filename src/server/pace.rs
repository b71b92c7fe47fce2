//! [`Pace`]: when a batch goes out.
//!
//! A write costs nearly the same whether it carries one message or a hundred. So under load the batches are made larger,
//! not more: one with broadcasts waits until the couriers are done with the one before, and gathers what comes
//! meanwhile. And if a fan-out takes milliseconds and its senders keep several messages on the way, the next batch also
//! waits a moment for those that are just arriving. After a single message nothing is waited for.
//!
//! What is for single sessions goes beside that, up to a bound. So no more than two batches and those
//! bytes are ever between the Registry and an outbox, and what outboxes report of themselves is never older than that.

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

use super::tally::Tally;

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
    /// One permit: that of a batch with broadcasts, until the last courier is done with it.
    way: Arc<Semaphore>,
    /// For the others, a permit for each byte.
    beside: Arc<Semaphore>,
    beside_bytes: u32,
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

/// What a batch holds.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages for all.
    pub broadcasts: usize,
    /// Bytes, messages for single sessions included.
    pub bytes: usize,
    /// Nothing more is put in.
    pub is_full: bool,
}

/// What to do with a batch.
#[derive(Debug)]
pub enum Next {
    /// Send it. This goes with it until it is carried.
    Go(Ticket),
    /// Look again when this is over.
    Wait(Wait),
}

/// What a batch waits for.
#[derive(Debug)]
pub enum Wait {
    /// Until so many of these permits are there.
    Turn(Arc<Semaphore>, u32),
    /// A tick, for more broadcasts.
    More,
}

/// A batch on its way.
#[derive(Debug)]
pub struct Ticket {
    /// Of one with broadcasts: since when, and where to leave how long it took.
    timing: Option<(Instant, Arc<AtomicU64>)>,
    /// Since when its broadcasts were waiting, and where to count how long it took them to be carried.
    counting: Option<(Instant, Arc<Tally>)>,
    _permit: OwnedSemaphorePermit,
}

impl Pace {
    /// At the start. Of batches without broadcasts, so many bytes may be on their way.
    #[must_use]
    pub fn new(beside_bytes: usize) -> Self {
        let beside_bytes = u32::try_from(beside_bytes).unwrap_or(u32::MAX);
        Self {
            way: Arc::new(Semaphore::new(1)),
            beside: Arc::new(Semaphore::new(beside_bytes as usize)),
            beside_bytes,
            went: None,
            took: Arc::default(),
            expected: 0,
            gathering: None,
        }
    }

    /// What to do with this batch, which holds so many broadcasts and bytes.
    pub fn next(&mut self, Load { broadcasts, bytes, is_full }: Load) -> Next {
        if broadcasts == 0 {
            let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.beside_bytes);
            return match Arc::clone(&self.beside).try_acquire_many_owned(share) {
                Ok(permit) => Next::Go(Ticket { timing: None, counting: None, _permit: permit }),
                Err(_) => Next::Wait(Wait::Turn(Arc::clone(&self.beside), share)),
            };
        }
        let Ok(permit) = Arc::clone(&self.way).try_acquire_owned() else {
            return Next::Wait(Wait::Turn(Arc::clone(&self.way), 1));
        };
        let now = Instant::now();
        if !is_full && let Some(gathering) = self.gather(broadcasts, now) {
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
        Next::Go(Ticket { timing: Some((now, Arc::clone(&self.took))), counting: None, _permit: permit })
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
            Self::Turn(way, share) => drop(way.acquire_many_owned(share).await),
            // Rounded up to the next tick.
            Self::More => sleep(TICK / 2).await,
        }
    }
}

impl Ticket {
    /// The same, which is counted when it is carried. The first of its broadcasts was taken at `since`.
    #[must_use]
    pub fn counting(self, since: Instant, tally: &Arc<Tally>) -> Self {
        let mut ticket = self;
        ticket.counting = Some((since, Arc::clone(tally)));
        ticket
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some((went, took)) = &self.timing else { return };
        let now = Instant::now();
        let micros = u64::try_from(now.duration_since(*went).as_micros()).unwrap_or(u64::MAX);
        took.store(micros, Ordering::Relaxed);
        if let Some((since, tally)) = &self.counting {
            tally.count_fan_out(now.duration_since(*since));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    const BESIDE_BYTES: usize = 1000;
    const LONG: Duration = Duration::from_millis(10);

    /// Sends a batch that is on its way for so long.
    async fn carry(pace: &mut Pace, broadcasts: usize, length: Duration) {
        let ticket = go(pace, broadcasts);
        advance(length).await;
        drop(ticket);
    }

    fn load(broadcasts: usize) -> Load {
        Load { broadcasts, bytes: 64 * broadcasts.max(1), is_full: false }
    }

    fn go(pace: &mut Pace, broadcasts: usize) -> Ticket {
        match pace.next(load(broadcasts)) {
            Next::Go(ticket) => ticket,
            Next::Wait(wait) => panic!("waits: {wait:?}"),
        }
    }

    fn waits_for_more(pace: &mut Pace, broadcasts: usize) -> bool {
        matches!(pace.next(load(broadcasts)), Next::Wait(Wait::More))
    }

    #[tokio::test(start_paused = true)]
    async fn one_batch_of_broadcasts_is_on_its_way_at_a_time() {
        let mut pace = Pace::new(BESIDE_BYTES);
        let first = go(&mut pace, 1);
        let Next::Wait(wait) = pace.next(load(1)) else { panic!("goes beside the first") };
        let mut over = watch(wait);
        assert!(!over());
        let _beside = go(&mut pace, 0);
        drop(first);
        assert!(over());
        go(&mut pace, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_for_all_is_timed_from_when_it_was_taken_until_it_is_carried() {
        let (mut pace, tally) = (Pace::new(BESIDE_BYTES), Arc::<Tally>::default());
        let first = go(&mut pace, 1);
        let taken = Instant::now();
        // It waits for the one before.
        advance(LONG).await;
        drop(first);
        let second = go(&mut pace, 1).counting(taken, &tally);
        advance(LONG).await;
        assert_eq!(tally.fan_outs().sum, 0);
        drop(second);
        assert_eq!(u128::from(tally.fan_outs().sum), (2 * LONG).as_nanos());
        // What is for single sessions is not timed.
        drop(go(&mut pace, 0).counting(taken, &tally));
        assert_eq!(tally.fan_outs().steps.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_for_all_goes_beside_up_to_so_many_bytes() {
        let mut pace = Pace::new(BESIDE_BYTES);
        let single = |bytes| Load { broadcasts: 0, bytes, is_full: false };
        let Next::Go(half) = pace.next(single(BESIDE_BYTES / 2)) else { panic!("waits") };
        let Next::Go(other) = pace.next(single(BESIDE_BYTES / 2)) else { panic!("waits") };
        // However large: it goes when nothing else is on its way.
        let Next::Wait(wait) = pace.next(single(10 * BESIDE_BYTES)) else { panic!("goes") };
        let mut over = watch(wait);
        drop(half);
        assert!(!over());
        drop(other);
        assert!(over());
        let Next::Go(_large) = pace.next(single(10 * BESIDE_BYTES)) else { panic!("waits") };
        assert!(matches!(pace.next(single(1)), Next::Wait(_)));
        assert!(matches!(pace.next(single(0)), Next::Go(_)), "nothing but joins and leaves");
    }

    /// Polls a wait and tells whether it is over.
    fn watch(wait: Wait) -> impl FnMut() -> bool {
        let mut over = Box::pin(wait.over());
        move || over.as_mut().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_fan_out_those_just_arriving_are_waited_for() {
        let mut pace = Pace::new(BESIDE_BYTES);
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 9));
        advance(TICK).await;
        assert!(waits_for_more(&mut pace, 14));
        advance(TICK).await;
        go(&mut pace, 16);
    }

    #[tokio::test(start_paused = true)]
    async fn if_none_come_in_time_less_is_expected() {
        let mut pace = Pace::new(BESIDE_BYTES);
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 4));
        advance(LONG / 2).await;
        carry(&mut pace, 4, LONG).await;
        carry(&mut pace, 4, LONG).await;
        assert!(waits_for_more(&mut pace, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn if_some_come_in_time_more_are_expected_again() {
        let mut pace = Pace::new(BESIDE_BYTES);
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
        let mut pace = Pace::new(BESIDE_BYTES);
        carry(&mut pace, 16, TICK).await;
        carry(&mut pace, 9, LONG).await;
        advance(LONG).await;
        go(&mut pace, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn not_longer_than_the_longest_however_long_the_fan_out() {
        let mut pace = Pace::new(BESIDE_BYTES);
        carry(&mut pace, 100, 10 * LONGEST).await;
        assert!(waits_for_more(&mut pace, 1));
        advance(LONGEST).await;
        go(&mut pace, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_waits_for_its_turn_only() {
        let mut pace = Pace::new(BESIDE_BYTES);
        carry(&mut pace, 16, LONG).await;
        assert!(waits_for_more(&mut pace, 15));
        let full = Load { is_full: true, ..load(15) };
        let Next::Go(first) = pace.next(full) else { panic!("waits") };
        assert!(matches!(pace.next(full), Next::Wait(Wait::Turn(..))));
        drop(first);
        assert!(matches!(pace.next(full), Next::Go(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn never_for_who_sends_one_at_a_time() {
        let mut pace = Pace::new(BESIDE_BYTES);
        for _ in 0..5 {
            carry(&mut pace, 1, LONG).await;
        }
    }
}
