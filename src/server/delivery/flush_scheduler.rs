//! [`FlushScheduler`]: decides when a batch is sent to the couriers.
//!
//! A write costs nearly the same whether it carries one message or a hundred. So under load batches become larger,
//! not more frequent: a batch with broadcasts waits until the couriers have delivered the one before, and gathers
//! what arrives meanwhile. If a fan-out takes milliseconds and its senders keep several messages in flight, the next
//! batch also waits a moment for messages that are just arriving. After a single message there is no wait.
//!
//! Batches for single sessions bypass that, up to a bound in bytes. So at most two batches and those bytes are ever
//! between the `Registry` and an outbox, and the fill levels that outboxes report are never older than that.

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

use crate::server::metrics::Metrics;

/// The shortest possible wait: timers have a resolution of 1 ms.
const TICK: Duration = Duration::from_millis(1);

/// Divisor: the fraction of a fan-out's time for which the next batch may wait for more messages. If that is less
/// than a tick, there is no wait.
const LINGER_DIVISOR: u32 = 2;

/// Upper bound of the wait for more messages, however long the fan-out took.
const MAX_LINGER: Duration = Duration::from_millis(10);

/// The schedule of batches.
#[derive(Debug)]
pub struct FlushScheduler {
    /// A single permit: a batch with broadcasts holds it until the last courier has delivered the batch.
    way: Arc<Semaphore>,
    /// Permits for batches without broadcasts, one for each byte.
    beside: Arc<Semaphore>,
    beside_bytes: u32,
    /// When the last batch with broadcasts was sent.
    sent_at: Option<Instant>,
    /// How long its delivery took, in microseconds.
    took: Arc<AtomicU64>,
    /// How many broadcasts the next batch is likely to hold.
    expected: usize,
    lingering: Option<Linger>,
}

/// A wait for more broadcasts.
#[derive(Clone, Copy, Debug)]
struct Linger {
    /// The end of the wait.
    until: Instant,
    /// The number of broadcasts when the wait began.
    first: usize,
}

/// The contents of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number of broadcasts.
    pub broadcasts: usize,
    /// The bytes of all messages, including those for single sessions.
    pub bytes: usize,
    /// The batch accepts nothing more.
    pub is_full: bool,
}

/// The next step for a batch.
#[derive(Debug)]
pub enum Next {
    /// Send the batch. The guard goes with it until it is delivered.
    Go(InFlight),
    /// Ask again when this wait is over.
    Wait(FlushWait),
}

/// The event that a batch waits for.
#[derive(Debug)]
pub enum FlushWait {
    /// This many permits of the semaphore become available.
    Permits(Arc<Semaphore>, u32),
    /// A tick passes, in which more broadcasts may arrive.
    More,
}

/// Accompanies a batch that is being delivered; dropped when the last courier is done.
#[derive(Debug)]
pub struct InFlight {
    /// For a batch with broadcasts: when it was sent, and where to store how long delivery took.
    timing: Option<(Instant, Arc<AtomicU64>)>,
    /// When the first of its broadcasts was received, and where to count how long their fan-out took.
    counting: Option<(Instant, Arc<Metrics>)>,
    _permit: OwnedSemaphorePermit,
}

impl FlushScheduler {
    /// Creates a schedule that lets at most `beside_bytes` bytes of batches without broadcasts be in delivery. A
    /// larger batch counts as `beside_bytes`.
    #[must_use]
    pub fn new(beside_bytes: usize) -> Self {
        let beside_bytes = u32::try_from(beside_bytes).unwrap_or(u32::MAX);
        Self {
            way: Arc::new(Semaphore::new(1)),
            beside: Arc::new(Semaphore::new(beside_bytes as usize)),
            beside_bytes,
            sent_at: None,
            took: Arc::default(),
            expected: 0,
            lingering: None,
        }
    }

    /// Decides about a batch with this load.
    pub fn next(&mut self, Load { broadcasts, bytes, is_full }: Load) -> Next {
        if broadcasts == 0 {
            let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.beside_bytes);
            return match Arc::clone(&self.beside).try_acquire_many_owned(share) {
                Ok(permit) => Next::Go(InFlight { timing: None, counting: None, _permit: permit }),
                Err(_) => Next::Wait(FlushWait::Permits(Arc::clone(&self.beside), share)),
            };
        }
        let Ok(permit) = Arc::clone(&self.way).try_acquire_owned() else {
            return Next::Wait(FlushWait::Permits(Arc::clone(&self.way), 1));
        };
        let now = Instant::now();
        if !is_full && let Some(lingering) = self.linger(broadcasts, now) {
            self.lingering = Some(lingering);
            return Next::Wait(FlushWait::More);
        }
        self.expected = match self.lingering.take() {
            // Some messages arrived, but fewer than expected: half of the missing ones may arrive in time next.
            Some(Linger { first, .. }) if broadcasts > first => {
                (self.expected + broadcasts).div_ceil(2).max(broadcasts)
            }
            _ => broadcasts,
        };
        self.sent_at = Some(now);
        Next::Go(InFlight { timing: Some((now, Arc::clone(&self.took))), counting: None, _permit: permit })
    }

    /// Decides whether to wait for more broadcasts: only right after a long fan-out, and if there are fewer than
    /// expected. A pause without new messages says little, because a program that reads from many connections answers
    /// after it has read them all.
    fn linger(&self, broadcasts: usize, now: Instant) -> Option<Linger> {
        if broadcasts >= self.expected {
            return None;
        }
        if let Some(lingering) = self.lingering {
            return (now < lingering.until).then_some(lingering);
        }
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed));
        let most = (took / LINGER_DIVISOR).min(MAX_LINGER);
        let until = self.sent_at? + took + most;
        (most >= TICK && now < until).then_some(Linger { until, first: broadcasts })
    }
}

impl FlushWait {
    /// Returns when the wait is over.
    pub async fn over(self) {
        match self {
            // Release the permits at once: the caller asks [`FlushScheduler::next`] again.
            Self::Permits(way, share) => drop(way.acquire_many_owned(share).await),
            // The timer rounds this up to the next tick.
            Self::More => sleep(TICK / 2).await,
        }
    }
}

impl InFlight {
    /// Has the guard count the fan-out of its batch, whose first broadcast was received at `since`.
    #[must_use]
    pub fn counting(self, since: Instant, metrics: &Arc<Metrics>) -> Self {
        let mut in_flight = self;
        in_flight.counting = Some((since, Arc::clone(metrics)));
        in_flight
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some((sent_at, took)) = &self.timing else { return };
        let now = Instant::now();
        let micros = u64::try_from(now.duration_since(*sent_at).as_micros()).unwrap_or(u64::MAX);
        took.store(micros, Ordering::Relaxed);
        if let Some((since, metrics)) = &self.counting {
            metrics.count_fan_out(now.duration_since(*since));
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

    /// Sends a batch whose delivery takes `length`.
    async fn deliver(scheduler: &mut FlushScheduler, broadcasts: usize, length: Duration) {
        let in_flight = go(scheduler, broadcasts);
        advance(length).await;
        drop(in_flight);
    }

    fn load(broadcasts: usize) -> Load {
        Load { broadcasts, bytes: 64 * broadcasts.max(1), is_full: false }
    }

    fn go(scheduler: &mut FlushScheduler, broadcasts: usize) -> InFlight {
        match scheduler.next(load(broadcasts)) {
            Next::Go(in_flight) => in_flight,
            Next::Wait(wait) => panic!("waits: {wait:?}"),
        }
    }

    fn waits_for_more(scheduler: &mut FlushScheduler, broadcasts: usize) -> bool {
        matches!(scheduler.next(load(broadcasts)), Next::Wait(FlushWait::More))
    }

    #[tokio::test(start_paused = true)]
    async fn one_batch_of_broadcasts_is_on_its_way_at_a_time() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        let first = go(&mut scheduler, 1);
        let Next::Wait(wait) = scheduler.next(load(1)) else { panic!("goes beside the first") };
        let mut over = watch(wait);
        assert!(!over());
        let _beside = go(&mut scheduler, 0);
        drop(first);
        assert!(over());
        go(&mut scheduler, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_for_all_is_timed_from_when_it_was_taken_until_it_is_carried() {
        let (mut scheduler, metrics) = (FlushScheduler::new(BESIDE_BYTES), Arc::<Metrics>::default());
        let first = go(&mut scheduler, 1);
        let taken = Instant::now();
        // The second batch waits for the first.
        advance(LONG).await;
        drop(first);
        let second = go(&mut scheduler, 1).counting(taken, &metrics);
        advance(LONG).await;
        assert_eq!(metrics.fan_outs().sum, 0);
        drop(second);
        assert_eq!(u128::from(metrics.fan_outs().sum), (2 * LONG).as_nanos());
        // Batches for single sessions are not timed.
        drop(go(&mut scheduler, 0).counting(taken, &metrics));
        assert_eq!(metrics.fan_outs().steps.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_for_all_goes_beside_up_to_so_many_bytes() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        let single = |bytes| Load { broadcasts: 0, bytes, is_full: false };
        let Next::Go(half) = scheduler.next(single(BESIDE_BYTES / 2)) else { panic!("waits") };
        let Next::Go(other) = scheduler.next(single(BESIDE_BYTES / 2)) else { panic!("waits") };
        // A batch above the bound goes once no other batch is in delivery.
        let Next::Wait(wait) = scheduler.next(single(10 * BESIDE_BYTES)) else { panic!("goes") };
        let mut over = watch(wait);
        drop(half);
        assert!(!over());
        drop(other);
        assert!(over());
        let Next::Go(_large) = scheduler.next(single(10 * BESIDE_BYTES)) else { panic!("waits") };
        assert!(matches!(scheduler.next(single(1)), Next::Wait(_)));
        assert!(matches!(scheduler.next(single(0)), Next::Go(_)), "nothing but joins and leaves");
    }

    /// Returns a function that polls a wait and returns whether it is over.
    fn watch(wait: FlushWait) -> impl FnMut() -> bool {
        let mut over = Box::pin(wait.over());
        move || over.as_mut().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_fan_out_those_just_arriving_are_waited_for() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 16, LONG).await;
        assert!(waits_for_more(&mut scheduler, 9));
        advance(TICK).await;
        assert!(waits_for_more(&mut scheduler, 14));
        advance(TICK).await;
        go(&mut scheduler, 16);
    }

    #[tokio::test(start_paused = true)]
    async fn if_none_come_in_time_less_is_expected() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 16, LONG).await;
        assert!(waits_for_more(&mut scheduler, 4));
        advance(LONG / 2).await;
        deliver(&mut scheduler, 4, LONG).await;
        deliver(&mut scheduler, 4, LONG).await;
        assert!(waits_for_more(&mut scheduler, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn if_some_come_in_time_more_are_expected_again() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 16, LONG).await;
        for broadcasts in [5, 5, 5, 9, 9] {
            assert!(waits_for_more(&mut scheduler, broadcasts));
            advance(TICK).await;
        }
        deliver(&mut scheduler, 10, LONG).await;
        assert!(waits_for_more(&mut scheduler, 12));
        advance(TICK).await;
        deliver(&mut scheduler, 13, LONG).await;
    }

    #[tokio::test(start_paused = true)]
    async fn not_after_a_short_fan_out_nor_some_time_later() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 16, TICK).await;
        deliver(&mut scheduler, 9, LONG).await;
        advance(LONG).await;
        go(&mut scheduler, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn not_longer_than_the_longest_however_long_the_fan_out() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 100, 10 * MAX_LINGER).await;
        assert!(waits_for_more(&mut scheduler, 1));
        advance(MAX_LINGER).await;
        go(&mut scheduler, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_waits_for_its_turn_only() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        deliver(&mut scheduler, 16, LONG).await;
        assert!(waits_for_more(&mut scheduler, 15));
        let full = Load { is_full: true, ..load(15) };
        let Next::Go(first) = scheduler.next(full) else { panic!("waits") };
        assert!(matches!(scheduler.next(full), Next::Wait(FlushWait::Permits(..))));
        drop(first);
        assert!(matches!(scheduler.next(full), Next::Go(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn never_for_who_sends_one_at_a_time() {
        let mut scheduler = FlushScheduler::new(BESIDE_BYTES);
        for _ in 0..5 {
            deliver(&mut scheduler, 1, LONG).await;
        }
    }
}
