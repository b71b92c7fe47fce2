//! The history checker: clients write numbered messages while faults are injected, and record what they receive; a pure
//! function finds violations of the server's guarantees in the records.
//!
//! The seed is [`SEED`], or a random one in the slow tests. `ARAUTO_HISTORY_SEED=…` chooses another for all of them.
//! `ARAUTO_HISTORY_SECONDS=…` sets the total length of the runs with all faults, which are of at most 10 s each; each
//! run uses the next seed.

mod check;
#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod faults;
mod journal;
mod letter;
mod life;
mod plan;
mod reasons;
mod relay;
mod run;
mod slot;
mod speech;
mod world;

use std::time::Duration;

use check::{Rule, Rules};
use plan::{Fault, Plan};
use relay::{Relay, Wrong};
use run::{Outcome, run, run_with};

/// Maximum length of a run with all faults, in seconds.
const RUN: u64 = 10;

/// Seed of the tests that are not slow: a change that breaks nothing does not fail them by chance.
const SEED: u64 = 1;

/// Reads a number from an environment variable. Panics if its value is not a number.
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is to be a number, and is {value:?}")))
}

fn fixed_seed() -> u64 {
    setting("ARAUTO_HISTORY_SEED").unwrap_or(SEED)
}

fn random_seed() -> u64 {
    setting("ARAUTO_HISTORY_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000))
}

/// Describes the first 30 violations, in at most 400 characters each.
fn tell(outcome: &Outcome) -> Vec<String> {
    let stories = outcome.violations.iter().take(30);
    stories.map(|violation| violation.to_string().chars().take(400).collect()).collect()
}

/// Carries out a plan, and fails if it finds a violation.
fn hold(plan: &Plan) {
    eprintln!("{plan}");
    let rules = Rules { slow_readers_stay: plan.slow_readers_stay(), ..Rules::default() };
    if let Some(outcome) = run(plan, rules) {
        judge(plan, &outcome);
    }
}

/// Fails if a run found a violation.
fn judge(plan: &Plan, outcome: &Outcome) {
    eprintln!("{}", outcome.figures);
    let stories = tell(outcome);
    assert!(
        stories.is_empty(),
        "{plan}: {} violations\n{}\nagain: ARAUTO_HISTORY_SEED={}",
        outcome.violations.len(),
        stories.join("\n"),
        plan.seed
    );
}

/// Runs all faults at once for `seconds`, unless a variable sets another time.
fn run_all_faults(seed: u64, seconds: u64) {
    let seconds = setting("ARAUTO_HISTORY_SECONDS").unwrap_or(seconds);
    let runs = seconds.div_ceil(RUN);
    for (run, seed) in (0..runs).zip(seed..) {
        let length = Duration::from_secs(RUN.min(seconds - run * RUN));
        hold(&Plan::new(seed, length, &Fault::ALL));
    }
}

#[test]
fn all_faults_at_once() {
    run_all_faults(fixed_seed(), RUN / 2);
}

#[test]
#[ignore = "slow: 10 s with a random seed"]
fn all_faults_at_once_at_random() {
    run_all_faults(random_seed(), RUN);
}

#[test]
#[ignore = "slow: nine runs of 2.5 s with a random seed"]
fn each_fault_alone() {
    let seed = random_seed();
    hold(&Plan::new(seed, Duration::from_secs(1), &[]));
    for fault in Fault::ALL {
        hold(&Plan::new(seed, Duration::from_millis(2500), &[fault]));
    }
}

/// Errors of a relay, each with the rule that it breaks.
const ERRORS: [(Wrong, Rule); 4] = [
    (Wrong::Drop, Rule::Lost),
    (Wrong::Double, Rule::Doubled),
    (Wrong::Swap, Rule::OneOrder),
    (Wrong::Alter, Rule::Altered),
];

/// Runs a correct server behind a relay that misbehaves for one broadcast in 1000, and checks that the checker reports
/// `rule`.
fn catches(seed: u64, wrong: Wrong, rule: Rule) {
    let plan = Plan::new(seed, Duration::from_secs(2), &[]);
    let mut relay = None;
    let outcome = run_with(&plan, Rules::default(), None, |server| {
        let relay = relay.insert(Relay::start(server, wrong, 50 + seed % 500));
        Some(relay.address)
    });
    let done = relay.expect("a relay that was started").done();
    assert!(done > 0, "{plan}: nothing was done wrong");
    let found = outcome.violations.iter().filter(|violation| violation.rule == rule).count();
    let stories = tell(&outcome);
    assert!(found > 0, "{plan}: {wrong:?} ({done} times) was not caught, but {stories:#?}");
    eprintln!("{plan}: {wrong:?}, done {done} times, found: {stories:#?}");
}

#[test]
fn a_dropped_message_is_caught() {
    catches(fixed_seed(), Wrong::Drop, Rule::Lost);
}

#[test]
fn a_doubled_message_is_caught() {
    catches(fixed_seed(), Wrong::Double, Rule::Doubled);
}

#[test]
fn two_swapped_messages_are_caught() {
    catches(fixed_seed(), Wrong::Swap, Rule::OneOrder);
}

#[test]
fn an_altered_message_is_caught() {
    catches(fixed_seed(), Wrong::Alter, Rule::Altered);
}

#[test]
#[ignore = "slow: four runs of 2 s with a random seed"]
fn each_error_is_caught_at_random() {
    let seed = random_seed();
    for (wrong, rule) in ERRORS {
        catches(seed, wrong, rule);
    }
}
