//! The history checker over three nodes of a cluster, one nats-server behind them.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arauto_needs::needs;
use fastrand::Rng;
use serde_json::Value;

use super::{
    ERRORS, RUN,
    check::Rules,
    faults::{self, Count},
    fixed_seed, judge,
    plan::{Fault, Plan},
    random_seed,
    reasons::Reasons,
    relay::{Relay, Wrong},
    run::{Figures, Outcome, addresses, conclude, play, see_out},
    setting, tell,
    world::{Door, Stage, World},
};
use crate::harness::{nats::Nats, process::Process};

/// The names of the nodes.
const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Three nodes, and the logs of those that were killed.
struct Cluster {
    nats: Mutex<Nats>,
    grace: String,
    nodes: Vec<Mutex<Process>>,
    torn_logs: Mutex<Vec<(Vec<Value>, Vec<SocketAddr>)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    fn start(plan: &Plan) -> Self {
        let nats = Nats::start();
        let grace = format!("{}ms", plan.grace.as_millis());
        let nodes = NAMES.map(|name| Mutex::new(node(&nats, name, &grace)));
        for node in &nodes {
            locked(node).logged("serving as a node of the cluster");
        }
        Self { nats: Mutex::new(nats), grace, nodes: nodes.into(), torn_logs: Mutex::default() }
    }

    /// Repeatedly kills a node and starts it again.
    fn kill_nodes(&self, world: &World, mut random: Rng, count: &Count) {
        while !faults::rest(world, &mut random, 1_000..4_000) {
            let index = random.usize(..self.nodes.len());
            let mut place = locked(&self.nodes[index]);
            place.signal("KILL");
            place.ended();
            locked(&self.torn_logs).push((place.rest_of_log(), addresses(&place)));
            count.one();
            faults::rest(world, &mut random, 0..500);
            // It needs NATS, which may be away.
            *place = node(&locked(&self.nats), NAMES[index], &self.grace);
            place.logged("serving as a node of the cluster");
            world.set_door(index, Door::of(&place));
        }
    }

    /// Repeatedly kills the nats-server and starts it again.
    fn kill_nats(&self, world: &World, mut random: Rng, count: &Count) {
        while !faults::rest(world, &mut random, 1_000..3_000) {
            let mut nats = locked(&self.nats);
            nats.kill();
            count.one();
            faults::rest(world, &mut random, 0..2_000);
            nats.restart();
        }
    }

    /// Ends all nodes in order. Returns the reasons in all logs.
    fn see_out(self) -> Reasons {
        let torn_logs = self.torn_logs.into_inner().unwrap_or_else(PoisonError::into_inner);
        let torn = torn_logs.into_iter().map(|(log, addresses)| Reasons::read_torn(&log, addresses));
        let whole = self.nodes.iter().map(|node| {
            let mut node = locked(node);
            see_out(&mut node);
            let log = node.rest_of_log();
            // The test runner shows this if the test fails.
            for record in log.iter().filter(|record| record["id"].is_null()) {
                eprintln!("{record}");
            }
            Reasons::read(&log, addresses(&node))
        });
        whole.chain(torn).reduce(Reasons::join).expect("three nodes")
    }
}

fn node(nats: &Nats, name: &str, grace: &str) -> Process {
    Process::serve(&[
        ("ARAUTO_CLUSTER_SERVERS", &nats.url()),
        ("ARAUTO_CLUSTER_NODE", name),
        ("ARAUTO_LIMITS_SLOW_READER_GRACE", grace),
        ("ARAUTO_LIMITS_OUTBOX_BYTES", "524288"),
        ("ARAUTO_SERVER_WORKERS", "1"),
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", "1m"),
    ])
}

/// Carries out a plan over three nodes. The first client connects by way of a relay that does something wrong, if any.
fn run(plan: &Plan, wrong: Option<(Wrong, u64)>) -> (Outcome, u64) {
    let cluster = Cluster::start(plan);
    let relay = wrong.map(|(wrong, first)| Relay::start(locked(&cluster.nodes[0]).address(), wrong, first));
    let world = World {
        stage: Stage::default(),
        near: None,
        doors: cluster.nodes.iter().map(|node| Mutex::new(Door::of(&locked(node)))).collect(),
        far: None,
        detour: relay.as_ref().map(|relay| relay.address),
        slots: u16::try_from(plan.slots.len()).expect("few slots"),
    };
    let trouble = |fault, random, count: &Count| match fault {
        Fault::Node => cluster.kill_nodes(&world, random, count),
        Fault::Nats => cluster.kill_nats(&world, random, count),
        Fault::Junk => faults::talk_nonsense(&world, random, count),
        Fault::Connects => faults::connect(&world, random, count),
        // The clients cause the others themselves.
        _ => {}
    };
    let end = || {
        for node in &cluster.nodes {
            locked(node).signal("TERM");
        }
    };
    let mut figures = Figures::default();
    let recorded = play(plan, &world, &trouble, end, &mut figures);
    let rules = Rules { slow_readers_stay: plan.slow_readers_stay(), nodes_fail: true };
    (conclude(recorded, cluster.see_out(), rules, figures), relay.map_or(0, |relay| relay.done()))
}

fn hold(plan: &Plan) {
    eprintln!("{plan}");
    judge(plan, &run(plan, None).0);
}

#[needs("nats-server", "nc")]
#[test]
fn all_faults_of_a_cluster_at_once() {
    hold(&Plan::new(fixed_seed(), Duration::from_secs(10), &Fault::OF_CLUSTER));
}

#[needs("nats-server", "nc")]
#[test]
#[ignore = "slow: four runs of 10 s with random seeds"]
fn all_faults_of_a_cluster_at_once_at_random() {
    let seconds = setting("ARAUTO_HISTORY_SECONDS").unwrap_or(4 * RUN);
    for seed in (0..seconds.div_ceil(RUN)).zip(random_seed()..).map(|(_, seed)| seed) {
        hold(&Plan::new(seed, Duration::from_secs(RUN), &Fault::OF_CLUSTER));
    }
}

#[needs("nats-server")]
#[test]
fn each_error_is_caught_over_three_nodes() {
    let seed = fixed_seed();
    for (wrong, rule) in ERRORS {
        let plan = Plan::new(seed, Duration::from_secs(2), &[]);
        let (outcome, done) = run(&plan, Some((wrong, 50 + seed % 500)));
        assert!(done > 0, "{plan}: nothing was done wrong");
        let is_found = outcome.violations.iter().any(|violation| violation.rule == rule);
        assert!(is_found, "{plan}: {wrong:?} ({done} times) was not caught, but {:#?}", tell(&outcome));
    }
}
