//! [`WaitBudget`]: bounds the time that broadcasts wait for slow receivers.
//!
//! A broadcast that meets a full outbox waits, which slows its sender and loses nothing. A wait that is over within
//! [`BRIEF`] is how a fast sender is slowed to the speed of receivers that read as fast as they can: it is not counted,
//! provided that broadcasts made progress since the wait before (see [`PROGRESS`]). All counted waits together take at most
//! `limits.slow_reader_wait` of any [`WINDOW`], however many receivers are full and however they read. Once a wait would
//! exceed that sum, each full receiver either gives way or is passed over:
//!
//! - A receiver that was full for at least half as much of the counted time as the costliest receiver of the window is
//!   disconnected.
//! - For another one, which met a budget that others had spent, broadcasts no longer wait until it is full no more: its
//!   outbox takes them up to its hard limit (`outbox.rs`).
//!
//! A receiver that has left still counts as the costliest until its waits are older than the window. So a client that
//! joins again and again does not make its victims the costliest.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::seat::SessionId;

/// The time in which waits are summed up.
pub const WINDOW: Duration = Duration::from_secs(10);

/// The longest wait that is not counted. Of a default outbox, 64 KiB have to be free before a wait ends: a receiver that
/// takes 1.3 MB/s makes that within this time. So uncounted waits never slow senders below that rate.
pub const BRIEF: Duration = Duration::from_millis(50);

/// A wait counts, however brief, if fewer bytes of broadcasts than this fraction of `limits.outbox_bytes` were sent since
/// the wait before, as a divisor. A wait ends once 1/16 of an outbox is free, so a receiver that only broadcasts fill takes
/// that much of them before it is full again. Half of that leaves room for answers, private messages and framing. A
/// receiver that private messages fill again and again makes no progress: the waits for it count.
const PROGRESS: usize = 32;

/// Waits that end within one slot share an entry, which bounds the entries of a window to 101. An entry is as old as the
/// latest of its waits, so the sum is never too small.
const SLOT: Duration = Duration::from_millis(100);

/// A full receiver is disconnected if broadcasts waited for it at least this fraction of the time that they waited for the
/// costliest receiver, as a divisor.
const COSTLY: u32 = 2;

/// A sum of durations that forgets those that ended more than [`WINDOW`] ago.
#[derive(Debug, Default)]
struct RecentSum {
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    opened: Instant,
    latest: Instant,
    sum: Duration,
}

/// A receiver that is full, or for which broadcasts waited within the window.
#[derive(Debug, Default)]
struct Receiver {
    recent: RecentSum,
    /// Present while it is full and waited for: what [`WaitBudget::waited`] was when it became so.
    full_from: Option<Duration>,
    /// Broadcasts do not wait for it until it is full no more.
    is_passed_over: bool,
}

/// The present wait.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    /// Too few broadcasts were sent since the wait before, so this one counts from its first moment.
    is_stalled: bool,
}

/// How long broadcasts waited for full receivers, in sum and for each receiver.
#[derive(Debug, Default)]
pub struct WaitBudget {
    /// Counted waits that are over.
    recent: RecentSum,
    /// Present while a broadcast waits.
    wait: Option<Wait>,
    /// Bytes of broadcasts that were sent since the last wait began, while no receiver was waited for.
    sent: usize,
    /// How many receivers are full and waited for.
    full: usize,
    /// The sum of all counted waits that are over, never forgotten: a clock that runs while a broadcast waits.
    waited: Duration,
    receivers: HashMap<SessionId, Receiver>,
    /// When receivers whose waits are forgotten were last removed.
    pruned: Option<Instant>,
}

impl RecentSum {
    fn add(&mut self, amount: Duration, now: Instant) {
        if amount.is_zero() {
            return;
        }
        while self.slots.front().is_some_and(|slot| slot.latest + WINDOW <= now) {
            self.slots.pop_front();
        }
        match self.slots.back_mut() {
            Some(slot) if now < slot.opened + SLOT => (slot.latest, slot.sum) = (now, slot.sum + amount),
            _ => self.slots.push_back(Slot { opened: now, latest: now, sum: amount }),
        }
    }

    fn total(&self, now: Instant) -> Duration {
        self.slots.iter().rev().take_while(|slot| slot.latest + WINDOW > now).map(|slot| slot.sum).sum()
    }
}

impl Receiver {
    fn is_full(&self) -> bool {
        self.full_from.is_some() || self.is_passed_over
    }
}

impl WaitBudget {
    /// A receiver has become full. The clock of its waits starts.
    pub fn set_full(&mut self, id: SessionId, now: Instant) {
        let waited = self.waited_until(now);
        self.prune(now);
        let receiver = self.receivers.entry(id).or_default();
        if !receiver.is_full() {
            receiver.full_from = Some(waited);
            self.full += 1;
        }
    }

    /// A receiver is full no more, or has left.
    pub fn set_relieved(&mut self, id: SessionId, now: Instant) {
        let waited = self.waited_until(now);
        let Some(receiver) = self.receivers.get_mut(&id) else { return };
        receiver.is_passed_over = false;
        if let Some(from) = receiver.full_from.take() {
            self.full -= 1;
            receiver.recent.add(waited.saturating_sub(from), now);
        }
        if receiver.recent.slots.is_empty() {
            self.receivers.remove(&id);
        }
    }

    /// Whether broadcasts wait while this receiver is full.
    #[must_use]
    pub fn waits_for(&self, id: SessionId) -> bool {
        self.receivers.get(&id).is_none_or(|receiver| !receiver.is_passed_over)
    }

    /// A broadcast of this many bytes is sent. Those that a full receiver sends to all others do not end the wait of other
    /// senders and are not counted as progress.
    pub fn count_sent(&mut self, bytes: usize) {
        if self.full == 0 {
            self.sent = self.sent.saturating_add(bytes);
        }
    }

    /// Whether a broadcast waits from now on. A wait lasts until this was called with `false`, whichever receivers are full
    /// meanwhile. Returns its length if it is over now and counts.
    pub fn observe(&mut self, waits: bool, outbox_bytes: usize, now: Instant) -> Duration {
        if waits {
            if self.wait.is_none() {
                let is_stalled = std::mem::take(&mut self.sent) < outbox_bytes / PROGRESS;
                self.wait = Some(Wait { since: now, is_stalled });
            }
            return Duration::ZERO;
        }
        let counted = self.counted_until(now);
        self.wait = None;
        self.recent.add(counted, now);
        self.waited += counted;
        counted
    }

    /// Whether a broadcast waited when [`Self::observe`] was last called.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.wait.is_some()
    }

    /// How much longer the present wait may last. `None`: no broadcast waits, or a limit of the whole window or more is none.
    #[must_use]
    pub fn left(&self, limit: Duration, now: Instant) -> Option<Duration> {
        let Wait { since, is_stalled } = self.wait?;
        let length = now - since;
        let least = if is_stalled { Duration::ZERO } else { BRIEF };
        let allowed = limit.saturating_sub(self.recent.total(now)).max(least);
        (limit < WINDOW).then(|| allowed.saturating_sub(length))
    }

    /// The budget is spent. Returns the full receivers that have to give way, because broadcasts waited longest for them, and
    /// passes over the other full ones.
    pub fn give_way(&mut self, limit: Duration, now: Instant) -> Vec<SessionId> {
        let waited = self.waited_until(now);
        let present = |from: Duration| waited.saturating_sub(from);
        let cost = |receiver: &Receiver| {
            receiver.recent.total(now) + receiver.full_from.map(present).unwrap_or_default()
        };
        let most = self.receivers.values().map(cost).max().unwrap_or_default();
        let mut costly = Vec::new();
        for (id, receiver) in &mut self.receivers {
            let Some(from) = receiver.full_from else { continue };
            if cost(receiver) * COSTLY >= most {
                costly.push(*id);
            } else {
                receiver.is_passed_over = true;
                receiver.full_from = None;
                self.full -= 1;
                receiver.recent.add(present(from), now);
            }
        }
        // A wait that met a spent budget was cut short, and is brief for that.
        if limit.saturating_sub(self.recent.total(now)) < BRIEF {
            self.wait.take_if(|wait| !wait.is_stalled);
        }
        costly
    }

    /// How long the present wait is, if it counts by now.
    fn counted_until(&self, now: Instant) -> Duration {
        let Some(Wait { since, is_stalled }) = self.wait else { return Duration::ZERO };
        let length = now - since;
        if is_stalled || length >= BRIEF { length } else { Duration::ZERO }
    }

    fn waited_until(&self, now: Instant) -> Duration {
        self.waited + self.counted_until(now)
    }

    /// Removes receivers whose waits are forgotten, at most once a window.
    fn prune(&mut self, now: Instant) {
        if self.pruned.is_none_or(|pruned| pruned + WINDOW <= now) {
            self.pruned = Some(now);
            self.receivers.retain(|_, receiver| receiver.is_full() || !receiver.recent.total(now).is_zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);
    const OUTBOX_BYTES: usize = 1024 * 1024;

    fn ids(numbers: &[u64]) -> Vec<SessionId> {
        numbers.iter().copied().map(SessionId).collect()
    }

    /// A budget and the time, in milliseconds from its beginning.
    struct Run {
        budget: WaitBudget,
        began: Instant,
    }

    impl Run {
        fn new() -> Self {
            Self { budget: WaitBudget::default(), began: Instant::now() }
        }

        fn at(&self, millis: u64) -> Instant {
            self.began + Duration::from_millis(millis)
        }

        /// These receivers are full, and a broadcast waits for them, from one time to the other.
        fn wait(&mut self, receivers: &[u64], from: u64, to: u64) {
            self.begin(receivers, from);
            self.end(to);
            for id in ids(receivers) {
                self.budget.set_relieved(id, self.at(to));
            }
        }

        /// Broadcasts that fill a 16th of an outbox are sent. Then one waits from this time on for these receivers, which
        /// become full.
        fn begin(&mut self, receivers: &[u64], at: u64) {
            self.budget.count_sent(OUTBOX_BYTES / 16);
            self.begin_without_progress(receivers, at);
        }

        fn begin_without_progress(&mut self, receivers: &[u64], at: u64) {
            let now = self.at(at);
            for id in ids(receivers) {
                self.budget.set_full(id, now);
            }
            self.budget.observe(true, OUTBOX_BYTES, now);
        }

        /// No broadcast waits any more. Returns for how many milliseconds the wait counts.
        fn end(&mut self, at: u64) -> u128 {
            self.budget.observe(false, OUTBOX_BYTES, self.at(at)).as_millis()
        }

        fn left(&self, millis: u64) -> Option<u128> {
            self.budget.left(LIMIT, self.at(millis)).map(|left| left.as_millis())
        }

        fn give_way(&mut self, millis: u64) -> Vec<SessionId> {
            let mut costly = self.budget.give_way(LIMIT, self.at(millis));
            costly.sort_unstable_by_key(|id| id.0);
            costly
        }
    }

    #[test]
    fn one_wait_spends_the_budget_and_is_forgotten_after_the_window() {
        let mut run = Run::new();
        assert_eq!(run.left(0), None);
        run.begin(&[1], 0);
        assert_eq!((run.left(1_500), run.left(1_999), run.left(2_000)), (Some(500), Some(1), Some(0)));
        assert_eq!(run.give_way(2_000), ids(&[1]));
        assert_eq!(run.end(2_000), 2_000);
        run.budget.set_relieved(SessionId(1), run.at(2_000));
        run.begin(&[], 11_990);
        assert_eq!((run.left(11_999), run.left(12_000)), (Some(41), Some(1_990)));
    }

    #[test]
    fn a_receiver_that_is_full_without_a_broadcast_that_waits_costs_nothing() {
        let mut run = Run::new();
        run.budget.set_full(SessionId(1), run.began);
        run.end(60_000);
        run.begin(&[2], 60_000);
        assert_eq!(run.left(60_000), Some(2_000));
        assert_eq!(run.give_way(60_000), ids(&[1, 2]), "both cost nothing so far");
    }

    #[test]
    fn brief_waits_are_not_counted_and_cost_no_receiver_anything() {
        let mut run = Run::new();
        for pulse in 0..200 {
            run.wait(&[1], 50 * pulse, 50 * pulse + 49);
        }
        run.begin(&[1, 2], 10_000);
        assert_eq!(run.left(10_000), Some(2_000));
        // One that reads as fast as it can is full now and then. Another spends the budget.
        run.budget.set_relieved(SessionId(1), run.at(10_049));
        assert_eq!(run.left(12_000), Some(0));
        run.budget.set_full(SessionId(1), run.at(11_990));
        assert_eq!(run.give_way(12_000), ids(&[2]));
        assert!(!run.budget.waits_for(SessionId(1)));
        // With the budget spent, brief waits go on.
        run.end(12_000);
        for id in ids(&[1, 2]) {
            run.budget.set_relieved(id, run.at(12_000));
        }
        run.begin(&[1], 12_001);
        assert!(run.budget.waits_for(SessionId(1)));
        assert_eq!(run.left(12_001), Some(50));
    }

    #[test]
    fn brief_waits_count_if_too_few_broadcasts_were_sent_between_them() {
        let mut run = Run::new();
        // Private messages fill the receiver again at once, and one broadcast is sent each time.
        for pulse in 0..40 {
            run.budget.count_sent(1024);
            run.begin_without_progress(&[1], 50 * pulse);
            // What the full receiver itself sends to all others helps nobody else.
            run.budget.count_sent(OUTBOX_BYTES);
            assert_eq!(run.end(50 * pulse + 49), 49);
            run.budget.set_relieved(SessionId(1), run.at(50 * pulse + 49));
        }
        // 40 times 49 ms are counted, and 40 ms are left.
        run.begin_without_progress(&[1], 2_000);
        assert_eq!((run.left(2_000), run.left(2_040)), (Some(40), Some(0)));
        assert_eq!(run.give_way(2_040), ids(&[1]));
        assert_eq!(run.end(2_040), 40);
        run.budget.set_relieved(SessionId(1), run.at(2_040));
        // With the budget spent, such a wait is not allowed at all, but one after progress is.
        run.begin_without_progress(&[2], 2_050);
        assert_eq!(run.left(2_050), Some(0));
        assert_eq!(run.give_way(2_050), ids(&[]));
        assert!(!run.budget.waits_for(SessionId(2)));
        run.end(2_050);
        run.begin(&[3], 2_051);
        assert_eq!(run.left(2_051), Some(50));
    }

    #[test]
    fn many_that_are_full_in_turn_within_one_wait_make_no_brief_waits_of_it() {
        let mut run = Run::new();
        run.begin(&[0], 0);
        for turn in 1..50 {
            run.begin(&[turn], 40 * turn);
            run.budget.set_relieved(SessionId(turn - 1), run.at(40 * turn));
        }
        assert_eq!((run.left(1_960), run.left(2_000)), (Some(40), Some(0)));
    }

    #[test]
    fn pulses_of_less_than_the_budget_add_up() {
        let mut run = Run::new();
        run.wait(&[1], 0, 1_900);
        run.begin(&[1], 2_500);
        assert_eq!((run.left(2_500), run.left(2_600)), (Some(100), Some(0)));
        assert_eq!(run.give_way(2_600), ids(&[1]));
    }

    #[test]
    fn a_hundred_receivers_that_are_full_together_cost_no_more_than_one_and_all_give_way() {
        let mut run = Run::new();
        let all: Vec<u64> = (0..100).collect();
        run.begin(&all, 0);
        assert_eq!(run.left(1_000), Some(1_000));
        assert_eq!(run.give_way(2_000), ids(&all));
    }

    #[test]
    fn receivers_that_take_turns_share_one_budget_and_the_one_full_at_its_end_gives_way() {
        let mut run = Run::new();
        for turn in 0..19 {
            run.wait(&[turn], 100 * turn, 100 * turn + 100);
        }
        run.begin(&[19], 1_900);
        assert_eq!(run.left(1_900), Some(100));
        assert_eq!(run.give_way(2_000), ids(&[19]));
    }

    #[test]
    fn a_receiver_that_meets_a_spent_budget_does_not_give_way_for_those_who_spent_it() {
        let mut run = Run::new();
        run.wait(&[1], 0, 1_900);
        // The second has the last 100 ms of the budget.
        run.begin(&[2], 2_000);
        assert_eq!(run.left(2_100), Some(0));
        assert_eq!(run.give_way(2_100), ids(&[]));
        run.end(2_100);
        // The first is full again before its waits are forgotten.
        run.begin(&[1], 2_100);
        assert_eq!(run.left(2_100), Some(50));
        assert_eq!(run.give_way(2_150), ids(&[1]));
        run.end(2_150);
        // Having left, it still is the costliest, until its waits are forgotten.
        run.budget.set_relieved(SessionId(1), run.at(2_150));
        run.begin(&[3], 11_000);
        assert_eq!(run.give_way(11_200), ids(&[]));
        run.end(11_200);
        run.begin(&[4], 13_000);
        assert_eq!(run.give_way(13_100), ids(&[4]));
    }

    #[test]
    fn a_limit_of_zero_allows_brief_waits_only_and_one_of_the_window_any() {
        let mut run = Run::new();
        run.begin(&[1], 0);
        assert_eq!(run.budget.left(Duration::ZERO, run.at(0)), Some(BRIEF));
        assert_eq!(run.budget.left(Duration::ZERO, run.at(50)), Some(Duration::ZERO));
        assert_eq!(run.give_way(50), ids(&[1]));
        assert_eq!(run.budget.left(WINDOW, run.at(100_000)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut run = Run::new();
        for turn in 0..10_000 {
            run.wait(&[turn], 50 * turn, 50 * turn + 50);
        }
        assert!(run.budget.recent.slots.len() <= 101, "{}", run.budget.recent.slots.len());
        // Each cost 50 ms within the last two windows.
        assert!(run.budget.receivers.len() <= 401, "{}", run.budget.receivers.len());
    }

    proptest! {
        #[test]
        fn no_window_has_more_waiting_than_the_limit(
            steps in prop::collection::vec((0..700_u64, 0..1_500_u64, 0..OUTBOX_BYTES / 8, any::<bool>()), 1..100),
        ) {
            let mut run = Run::new();
            let mut waits: Vec<(u64, u64)> = Vec::new();
            let mut now = 0;
            for (pause, wish, sent, is_brief) in steps {
                now += pause;
                run.budget.count_sent(sent);
                run.begin_without_progress(&[1], now);
                let left = u64::try_from(run.left(now).unwrap()).unwrap();
                let wish = if is_brief { wish % 50 } else { wish };
                let end = now + wish.min(left);
                if wish >= left {
                    run.give_way(end);
                }
                run.end(end);
                run.budget.set_relieved(SessionId(1), run.at(end));
                // A brief wait is free after progress only.
                if end - now > 50 || sent < OUTBOX_BYTES / PROGRESS {
                    waits.push((now, end));
                }
                now = end;
            }
            for (_, end) in &waits {
                let begin = end.saturating_sub(10_000);
                let sum: u64 = waits.iter().map(|(from, to)| to.min(end).saturating_sub(*from.max(&begin))).sum();
                prop_assert!(sum <= 2_000, "{sum} ms up to {end}");
            }
        }
    }
}
