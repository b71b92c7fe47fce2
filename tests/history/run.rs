//! [`run`]: carries out a plan, and has what came of it checked.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    check::{End, History, Rules, Violation, check},
    faults::{self, Count},
    life::Recorded,
    plan::{Fault, Plan},
    reasons::Reasons,
    slot::Slot,
    world::{Stage, World},
};
use crate::{
    cli::without_settings,
    harness::{
        cable::{Cable, SERVER},
        has_tool,
        process::Process,
        wait_until,
    },
};

/// Open files that the server may have where they are to be used up. Its clients need about half.
const FEW_FILES: usize = 80;

/// What came of a run.
pub struct Outcome {
    pub violations: Vec<Violation>,
    pub figures: Figures,
}

/// What happened in a run, in numbers.
#[derive(Debug, Default)]
pub struct Figures {
    sent: usize,
    heard: usize,
    lives: BTreeMap<String, usize>,
    reasons: BTreeMap<String, usize>,
    joined: usize,
    warnings: BTreeMap<String, usize>,
    faults: Vec<(Fault, u64)>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, heard, lives, reasons, joined, warnings, faults } = self;
        write!(
            f,
            "{sent} messages sent, {heard} heard, {joined} sessions; lives {lives:?}; logged {reasons:?}; warned {warnings:?}; faults {faults:?}"
        )
    }
}

/// Carries out a plan. `None` where this machine cannot do what is in it.
pub fn run(plan: &Plan, rules: Rules) -> Option<Outcome> {
    if plan.has(Fault::Kill) && !has_tool("nc") {
        return None;
    }
    let cable = Cable::lay();
    if cable.is_none() && plan.faults == [Fault::Cable] {
        return None;
    }
    Some(run_with(plan, rules, cable.as_ref(), |_| None))
}

/// Carries out a plan on two machines or on this one. The first client goes by a detour, if there is one to the server.
pub fn run_with(
    plan: &Plan,
    rules: Rules,
    cable: Option<&Cable>,
    detour: impl FnOnce(SocketAddr) -> Option<SocketAddr>,
) -> Outcome {
    let mut process = serve(plan, cable);
    let world = World {
        stage: Stage::default(),
        near: cable.map(|cable| cable.server.clone()),
        near_address: process.addresses()[0],
        near_web: process.web_address(),
        far: cable.map(|cable| (cable.faraway.clone(), process.addresses()[1])),
        detour: detour(process.address()),
        slots: u16::try_from(plan.slots.len()).expect("few slots"),
    };
    if let Some(cable) = cable.filter(|_| plan.has(Fault::Cable))
        && !cable.spoil(&["delay", "3ms", "2ms", "loss", "2%", "reorder", "5%"])
    {
        eprintln!("left out: this kernel's tc knows no netem; the cable is cut and mended only");
    }
    let mut figures = Figures::default();
    let mut recorded = play(plan, &world, cable, &mut process, &mut figures);
    let log = process.rest_of_log();
    let mut reasons = Reasons::read(&log);
    reasons.assign(&mut recorded);
    let histories: Vec<History> = recorded.into_iter().map(|one| one.history).collect();
    let mut violations = check(&histories, rules);
    violations.append(&mut reasons.violations);
    figures.add(&histories, &reasons);
    Outcome { violations, figures }
}

/// Starts the server, near to some clients and far from others.
fn serve(plan: &Plan, cable: Option<&Cable>) -> Process {
    // Small buffers in the kernel, so that the server's own fill. They belong to the namespace.
    let buffers = "echo '4096 16384 65536' > /proc/sys/net/ipv4/tcp_wmem; ";
    let files = if plan.has(Fault::Descriptors) { format!("ulimit -n {FEW_FILES}; ") } else { String::new() };
    let mut script = format!("{files}exec \"$0\" serve");
    let mut listen = "127.0.0.1:0".to_owned();
    let mut command = Command::new("sh");
    if let Some(cable) = cable {
        command = Command::new("ip");
        command.args(["netns", "exec", &cable.server, "sh"]);
        script.insert_str(0, buffers);
        listen = format!("127.0.0.1:0,{SERVER}:0");
    }
    command.args(["-c", &script]);
    command.arg(env!("CARGO_BIN_EXE_arauto"));
    without_settings(&mut command);
    let grace = format!("{}ms", plan.grace.as_millis());
    let settings = [
        ("ARAUTO_LIMITS_SLOW_READER_GRACE", grace.as_str()),
        ("ARAUTO_SERVER_LISTEN", listen.as_str()),
        ("ARAUTO_SERVER_WORKERS", "2"),
        ("ARAUTO_SERVER_DRAIN_TIMEOUT", "1m"),
        ("ARAUTO_LIMITS_OUTBOX_BYTES", "262144"),
        // Clients on the other machine send more than strangers may.
        ("ARAUTO_FLOOD_MESSAGE_RATE", "0"),
        ("ARAUTO_FLOOD_BYTE_RATE", "0"),
        ("ARAUTO_FLOOD_JOINS_PER_MINUTE", "0"),
        ("ARAUTO_FLOOD_SESSIONS_PER_ADDRESS", "0"),
    ];
    Process::run(command, &settings)
}

/// Has all clients live and all faults happen, and ends the server.
fn play(
    plan: &Plan,
    world: &World,
    cable: Option<&Cable>,
    process: &mut Process,
    figures: &mut Figures,
) -> Vec<Recorded> {
    let counts: Vec<(Fault, Count)> = plan.faults.iter().map(|fault| (*fault, Count::default())).collect();
    let server = process.id();
    let done = AtomicUsize::new(0);
    let recorded = thread::scope(|scope| {
        let clients: Vec<_> = plan
            .slots
            .iter()
            .map(|slot| {
                let done = &done;
                scope.spawn(move || {
                    let recorded = Slot::new(*slot, world).run();
                    done.fetch_add(1, Ordering::Relaxed);
                    recorded
                })
            })
            .collect();
        let troubles: Vec<_> = counts
            .iter()
            .map(|(fault, count)| {
                let random = Rng::with_seed(plan.seed_of(*fault));
                scope.spawn(move || match fault {
                    Fault::Cable => {
                        if let Some(cable) = cable {
                            faults::cut(world, random, cable, count);
                        }
                    }
                    Fault::Hangup => faults::hang_up(world, random, server, count),
                    Fault::Descriptors => faults::use_up_descriptors(world, random, FEW_FILES, count),
                    Fault::Junk => faults::talk_nonsense(world, random, count),
                    Fault::Connects => faults::connect(world, random, count),
                    // Clients' own doing.
                    Fault::Kill | Fault::Reset | Fault::Stall | Fault::Trickle => {}
                })
            })
            .collect();
        world.stage.rest(plan.length);
        world.stage.end();
        for trouble in troubles {
            trouble.join().expect("a fault that does not panic");
        }
        let settled = world.stage.all_arrived(plan.slots.len());
        process.signal("TERM");
        assert!(settled, "{plan}: not all messages are carried out");
        wait_until("all clients to have heard the end", || done.load(Ordering::Relaxed) == plan.slots.len());
        clients.into_iter().flat_map(|client| client.join().expect("a client that does not panic")).collect()
    });
    see_out(process);
    let happened = counts.iter().map(|(fault, count)| (*fault, count.get()));
    figures.faults = happened.filter(|(_, count)| *count > 0).collect();
    recorded
}

/// Waits for the server's end. Who was cut off and not missed yet holds it up until the drain timeout.
fn see_out(process: &mut Process) {
    let patience = Instant::now() + Duration::from_secs(3);
    wait_until("the server to end", || process.has_ended() || Instant::now() > patience);
    if !process.has_ended() {
        process.signal("TERM");
    }
    process.ended();
}

impl Figures {
    fn add(&mut self, histories: &[History], reasons: &Reasons) {
        for history in histories {
            self.sent += history.sent.len();
            self.heard += history.heard.len();
            let end = match history.end {
                End::Stayed => "stayed",
                End::Exited(_) => "exited",
                End::Finished(_) => "finished",
                End::Cut => "cut",
                End::Gone => "died",
            };
            *self.lives.entry(end.to_owned()).or_default() += 1;
        }
        self.reasons = reasons.counts.iter().map(|(reason, count)| (reason.clone(), *count)).collect();
        self.joined = reasons.joined();
        self.warnings = reasons.warnings.iter().map(|(text, count)| (text.clone(), *count)).collect();
    }
}
