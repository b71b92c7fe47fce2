use proptest::prelude::*;

use std::net::IpAddr;

use super::*;
use crate::server::common::block::Block;

const LIMIT: Duration = Duration::from_secs(2);
const OUTBOX_BYTES: usize = 1024 * 1024;

fn ids(numbers: &[u64]) -> Vec<SessionId> {
    numbers.iter().copied().map(SessionId).collect()
}

/// From 1,000 on, each thousand of session numbers shares one address.
fn origin(id: SessionId) -> Origin {
    match u8::try_from(id.0 / 1_000).unwrap() {
        0 => Origin::Session(id),
        last => Origin::Address(Block::of(IpAddr::from([192, 0, 2, last]))),
    }
}

/// A budget and its clock, in milliseconds from the start.
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

    /// Makes these receivers full and a broadcast wait for them, from one time to the other.
    fn wait(&mut self, receivers: &[u64], from: u64, to: u64) {
        self.begin(receivers, from);
        self.end(to);
        for id in ids(receivers) {
            self.budget.set_relieved(id, self.at(to));
        }
    }

    /// Sends broadcasts that fill 1/16 of an outbox. Then a broadcast waits from this time on for these receivers,
    /// which become full.
    fn begin(&mut self, receivers: &[u64], at: u64) {
        self.budget.count_sent(OUTBOX_BYTES / 16);
        self.begin_without_progress(receivers, at);
    }

    fn begin_without_progress(&mut self, receivers: &[u64], at: u64) {
        let now = self.at(at);
        for id in ids(receivers) {
            self.budget.set_full(id, origin(id), now);
        }
        self.budget.observe(true, OUTBOX_BYTES, now);
    }

    /// Ends the wait. Returns how many milliseconds of it count.
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
    run.budget.set_full(SessionId(1), origin(SessionId(1)), run.began);
    run.end(60_000);
    run.begin(&[2], 60_000);
    assert_eq!(run.left(60_000), Some(2_000));
    assert_eq!(run.give_way(61_000), ids(&[1, 2]), "both were full for 1 s of waiting");
}

#[test]
fn brief_waits_are_not_counted_and_cost_no_receiver_anything() {
    let mut run = Run::new();
    for pulse in 0..200 {
        run.wait(&[1], 50 * pulse, 50 * pulse + 49);
    }
    run.begin(&[1, 2], 10_000);
    assert_eq!(run.left(10_000), Some(2_000));
    // A receiver that reads as fast as it can is full now and then. Another one spends the budget.
    run.budget.set_relieved(SessionId(1), run.at(10_049));
    assert_eq!(run.left(12_000), Some(0));
    run.budget.set_full(SessionId(1), origin(SessionId(1)), run.at(11_990));
    assert_eq!(run.give_way(12_000), ids(&[2]));
    assert!(!run.budget.waits_for(SessionId(1)));
    // With the budget spent, brief waits are still allowed.
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
        // Broadcasts that the full receiver itself sends to all others are no progress for other senders.
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
    // With the budget spent, a wait without progress is not allowed at all, but a wait after progress is.
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
fn receivers_that_take_turns_share_one_budget_and_the_one_full_at_its_end_gives_way_for_its_address() {
    // 20 addresses cost 100 ms each, so none of them gives way. 20 sessions of one address cost 2 s.
    for (first, gives_way) in [(0, &[][..]), (1_000, &[1_019])] {
        let mut run = Run::new();
        for turn in 0..19 {
            run.wait(&[first + turn], 100 * turn, 100 * turn + 100);
        }
        run.begin(&[first + 19], 1_900);
        assert_eq!(run.left(1_900), Some(100));
        assert_eq!(run.give_way(2_000), ids(gives_way));
    }
}

#[test]
fn a_receiver_does_not_give_way_for_sessions_of_another_address_that_were_full_in_turn() {
    let mut run = Run::new();
    for turn in 0..20 {
        run.begin(&[1_000 + turn], 100 * turn);
        if turn > 0 {
            run.budget.set_relieved(SessionId(999 + turn), run.at(100 * turn));
        }
    }
    // A receiver at another address, and a receiver at the address of the 20 sessions.
    run.begin(&[2_000], 1_940);
    run.begin(&[1_500], 1_960);
    assert_eq!(run.left(2_000), Some(0));
    assert_eq!(run.give_way(2_000), ids(&[1_019]));
    assert!(!run.budget.waits_for(SessionId(2_000)) && !run.budget.waits_for(SessionId(1_500)));
    run.budget.set_relieved(SessionId(1_019), run.at(2_000));
    assert!(!run.budget.is_anyone_full_but(None));
    // Together, the sessions of one address cost no more than the wait lasted.
    run.end(2_000);
    run.begin(&[3_000], 2_500);
    assert_eq!(run.give_way(3_500), ids(&[3_000]));
}

#[test]
fn who_else_is_full_is_known() {
    let mut run = Run::new();
    assert!(!run.budget.is_anyone_full_but(None));
    run.begin(&[1], 0);
    assert!(run.budget.is_anyone_full_but(None) && run.budget.is_anyone_full_but(Some(SessionId(2))));
    assert!(!run.budget.is_anyone_full_but(Some(SessionId(1))));
    run.begin(&[2], 0);
    assert!(run.budget.is_anyone_full_but(Some(SessionId(1))));
    run.budget.set_relieved(SessionId(1), run.at(0));
    run.budget.set_relieved(SessionId(2), run.at(0));
    assert!(!run.budget.is_anyone_full_but(None));
}

#[test]
fn a_receiver_that_meets_a_spent_budget_does_not_give_way_for_those_who_spent_it() {
    let mut run = Run::new();
    run.wait(&[1], 0, 1_900);
    // The second receiver has the last 100 ms of the budget.
    run.begin(&[2], 2_000);
    assert_eq!(run.left(2_100), Some(0));
    assert_eq!(run.give_way(2_100), ids(&[]));
    run.end(2_100);
    // The first receiver is full again before its waits are forgotten.
    run.begin(&[1], 2_100);
    assert_eq!(run.left(2_100), Some(50));
    assert_eq!(run.give_way(2_150), ids(&[1]));
    run.end(2_150);
    // After the first receiver has left, it is still the costliest until its waits are forgotten.
    run.budget.set_relieved(SessionId(1), run.at(2_150));
    run.begin(&[3], 11_000);
    assert_eq!(run.give_way(11_200), ids(&[]));
    run.end(11_200);
    run.begin(&[4], 13_000);
    assert_eq!(run.give_way(13_600), ids(&[4]));
}

#[test]
fn a_limit_of_zero_allows_brief_waits_only_and_one_of_the_window_any() {
    let mut run = Run::new();
    run.begin(&[1], 0);
    assert_eq!(run.budget.left(Duration::ZERO, run.at(0)), Some(MIN_WAIT));
    assert_eq!(run.budget.left(Duration::ZERO, run.at(50)), Some(Duration::ZERO));
    assert_eq!(run.budget.give_way(Duration::ZERO, run.at(50)), ids(&[1]));
    assert_eq!(run.budget.left(WINDOW, run.at(100_000)), None);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut run = Run::new();
    for turn in 0..10_000 {
        run.wait(&[turn], 50 * turn, 50 * turn + 50);
    }
    assert!(run.budget.recent.slots.len() <= 101, "{}", run.budget.recent.slots.len());
    // 400 receivers cost 50 ms each within the last two windows.
    assert!(run.budget.receivers.len() <= 401, "{}", run.budget.receivers.len());
    assert!(run.budget.origins.len() <= 401, "{}", run.budget.origins.len());
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
            // A brief wait is not counted after progress.
            if end - now > 50 || sent < OUTBOX_BYTES / PROGRESS_DIVISOR {
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
