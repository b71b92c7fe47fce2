//! Tests of the order and the refusals, without comparing any password.

use std::net::{IpAddr, Ipv4Addr};

use arauto_protocol::Name;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::accounts::{attempts::WINDOW, cheap_hash};

type Receiver = oneshot::Receiver<Verdict>;

fn key(account: &str) -> NameKey {
    Name::parse(account, 489).unwrap().key().clone()
}

fn origin(number: u32) -> AttemptOrigin {
    AttemptOrigin::from_address(IpAddr::V4(Ipv4Addr::from_bits(0xc633_0000 + number)))
}

/// A queue, and a clock that stands still.
struct Desk {
    queue: Queue,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        Self { queue: Queue::default(), now: Instant::now() }
    }

    fn give(&mut self, origin: AttemptOrigin, account: &str) -> Receiver {
        let (answer, receiver) = oneshot::channel();
        let secret = Secret::typed(b"opensesame").unwrap();
        let attempt = Attempt { origin, account: key(account), hash: cheap_hash(), secret };
        self.queue.push(Waiting { attempt, answer }, self.now);
        receiver
    }

    fn next(&mut self) -> Option<(AttemptOrigin, NameKey)> {
        self.queue.next(self.now).map(|waiting| (waiting.attempt.origin, waiting.attempt.account))
    }

    fn finish_next(&mut self, verdict: Verdict) -> (AttemptOrigin, NameKey) {
        let (origin, account) = self.next().expect("one that may start");
        self.queue.finish(&origin, &account, verdict, self.now);
        (origin, account)
    }

    /// Number of passwords that are compared before the first from this origin.
    fn passed_before(&mut self, awaited: &AttemptOrigin) -> usize {
        (0..=MAX_WAITING).find(|_| self.finish_next(Verdict::Failed).0 == *awaited).unwrap()
    }
}

#[test]
fn addresses_take_turns() {
    let mut desk = Desk::new();
    let crowd: Vec<Receiver> =
        (0..400).map(|number| desk.give(origin(number % 40), &format!("account {number}"))).collect();
    let _owner = desk.give(origin(1000), "alan");
    // The 40 addresses have one comparison each before it, not all 400.
    assert_eq!(desk.passed_before(&origin(1000)), 40);
    drop(crowd);
    assert_eq!(desk.next(), None);
}

#[test]
fn accounts_take_turns() {
    let mut desk = Desk::new();
    let _crowd: Vec<Receiver> =
        (0..1000).map(|number| desk.give(origin(number), ["alan", "bob"][number as usize % 2])).collect();
    for _ in 0..500 {
        desk.finish_next(Verdict::Failed);
    }
    let _carl = desk.give(origin(5000), "carl");
    assert!(desk.passed_before(&origin(5000)) <= 2);
}

#[test]
fn where_each_address_has_one_password_the_account_with_most_loses_its_newest() {
    let mut desk = Desk::new();
    let mut crowd: Vec<Receiver> =
        (0..u32::try_from(MAX_WAITING).unwrap()).map(|number| desk.give(origin(number), "alan")).collect();
    let mut owner = desk.give(origin(10_000), "bob");
    assert_eq!(owner.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(crowd.pop().unwrap().try_recv(), Ok(Verdict::Failed));
    assert!(crowd.iter_mut().all(|receiver| receiver.try_recv() == Err(TryRecvError::Empty)));
}

#[test]
fn nobody_is_compared_for_who_is_gone() {
    let mut desk = Desk::new();
    for number in 0..400 {
        drop(desk.give(origin(number), "alan"));
    }
    let _owner = desk.give(origin(1000), "bob");
    assert_eq!(desk.passed_before(&origin(1000)), 0);
    assert_eq!(desk.next(), None);
    assert!(desk.queue.origins.0.is_empty() && desk.queue.accounts.0.is_empty());
}

#[test]
fn no_more_are_compared_at_once_than_may_be_wrong() {
    let mut desk = Desk::new();
    for _ in 0..8 {
        let _gone = desk.give(origin(1), "alan");
        desk.queue.wrong_of_origin.add(&origin(1), desk.now);
    }
    let receivers: Vec<Receiver> = (0..4).map(|_| desk.give(origin(1), "alan")).collect();
    assert_eq!(desk.next(), Some((origin(1), key("alan"))));
    assert_eq!(desk.next(), Some((origin(1), key("alan"))));
    // The third waits: it is neither compared nor refused.
    assert_eq!(desk.next(), None);
    desk.queue.finish(&origin(1), &key("alan"), Verdict::Right, desk.now);
    assert_eq!(desk.next(), Some((origin(1), key("alan"))));
    // After two wrong passwords, none is left, and the last is refused.
    desk.queue.finish(&origin(1), &key("alan"), Verdict::Wrong, desk.now);
    desk.queue.finish(&origin(1), &key("alan"), Verdict::Wrong, desk.now);
    let told = receivers.into_iter().filter_map(|mut receiver| receiver.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(told, [Verdict::TooMany(WINDOW)]);
}

#[test]
fn an_account_that_many_addresses_guess_at_is_left_to_its_owner() {
    let mut desk = Desk::new();
    let _owner = desk.give(origin(5000), "alan");
    desk.finish_next(Verdict::Right);
    for number in 0..u32::try_from(MAX_WRONG_PER_ACCOUNT).unwrap() {
        let _guesser = desk.give(origin(number), "alan");
        desk.finish_next(Verdict::Wrong);
    }
    let told = |mut receiver: Receiver| receiver.try_recv().ok();
    assert_eq!(told(desk.give(origin(4000), "alan")), Some(Verdict::TooManyForAccount(WINDOW)));
    // Addresses that gave the right password before, and the server's own machine, are still accepted.
    for origin in [origin(5000), AttemptOrigin::from_address(IpAddr::V4(Ipv4Addr::LOCALHOST))] {
        let _owner = desk.give(origin.clone(), "alan");
        assert_eq!(desk.finish_next(Verdict::Right).0, origin);
    }
    let _other = desk.give(origin(4000), "bob");
    desk.finish_next(Verdict::Right);
    desk.now += WINDOW;
    let _late = desk.give(origin(4000), "alan");
    desk.finish_next(Verdict::Right);
}

#[test]
fn behind_a_proxy_each_account_counts_by_itself() {
    let mut desk = Desk::new();
    for _ in 0..MAX_WRONG_PER_ADDRESS {
        let _stranger = desk.give(AttemptOrigin::Proxied(key("alan")), "alan");
        desk.finish_next(Verdict::Wrong);
    }
    let mut refused = desk.give(AttemptOrigin::Proxied(key("alan")), "alan");
    assert_eq!(refused.try_recv(), Ok(Verdict::TooMany(WINDOW)));
    let _bob = desk.give(AttemptOrigin::Proxied(key("bob")), "bob");
    desk.finish_next(Verdict::Right);
    let _alan = desk.give(origin(1), "alan");
    desk.finish_next(Verdict::Right);
}

#[test]
fn what_waits_is_bounded_and_the_longest_line_gives_way() {
    let mut desk = Desk::new();
    let _few: Vec<Receiver> = (0..96).map(|number| desk.give(origin(number), "alan")).collect();
    let mut many: Vec<Receiver> = (0..MAX_WAITING).map(|_| desk.give(origin(5000), "bob")).collect();
    assert_eq!(desk.queue.waiting.len(), MAX_WAITING);
    let refused = many.iter_mut().filter_map(|receiver| receiver.try_recv().ok()).collect::<Vec<_>>();
    assert_eq!(refused, [Verdict::Failed; 96]);
    let _owner = desk.give(origin(6000), "carl");
    assert!(desk.passed_before(&origin(6000)) <= 97);
}
