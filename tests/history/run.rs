//! [`run`]: carries out a plan and checks the histories and the log.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use arauto_needs::has_tool;
use fastrand::Rng;

use super::{
    check::{End, History, Rules, Violation, check},
    faults::{self, Count},
    life::Recorded,
    plan::{Fault, Plan},
    reasons::Reasons,
    slot::Slot,
    world::{Door, Stage, World},
};
use crate::{
    cli::without_settings,
    harness::{
        cable::{Cable, SERVER},
        process::Process,
        wait_until,
    },
};

/// The server's limit of open files under [`Fault::Descriptors`]. The plan's clients need about half of them.
const FEW_FILES: usize = 80;

/// The result of a run.
pub struct Outcome {
    pub violations: Vec<Violation>,
    pub figures: Figures,
}

/// Statistics of a run, for the test's output.
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

/// Carries out a plan. `None` if this machine lacks netcat or network namespaces and the plan needs them.
pub fn run(plan: &Plan, rules: Rules) -> Option<Outcome> {
    if plan.has(Fault::Kill) && !has_tool!("nc") {
        return None;
    }
    let cable = Cable::lay();
    if cable.is_none() && plan.faults == [Fault::Cable] {
        return None;
    }
    Some(run_with(plan, rules, cable.as_ref(), |_| None))
}

/// Carries out a plan, on two machines if there is a cable. The first client connects to the address that `detour`
/// returns for the server's address, if any.
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
        doors: vec![Mutex::new(Door::of(&process))],
        far: cable.map(|cable| (cable.faraway.clone(), process.addresses()[1])),
        detour: detour(process.address()),
        slots: u16::try_from(plan.slots.len()).expect("few slots"),
    };
    if let Some(cable) = cable.filter(|_| plan.has(Fault::Cable))
        && !cable.spoil(&["delay", "3ms", "2ms", "loss", "2%", "reorder", "5%"])
    {
        eprintln!("left out: this kernel's tc knows no netem; the cable is cut and mended only");
    }
    let server = process.id();
    let trouble = |fault, random, count: &Count| match fault {
        Fault::Cable => {
            if let Some(cable) = cable {
                faults::cut(&world, random, cable, count);
            }
        }
        Fault::Hangup => faults::hang_up(&world, random, server, count),
        Fault::Descriptors => faults::use_up_descriptors(&world, random, FEW_FILES, count),
        Fault::Junk => faults::talk_nonsense(&world, random, count),
        Fault::Connects => faults::connect(&world, random, count),
        // The clients cause the others themselves.
        _ => {}
    };
    let mut figures = Figures::default();
    let recorded = play(plan, &world, &trouble, || process.signal("TERM"), &mut figures);
    see_out(&mut process);
    let reasons = Reasons::read(&process.rest_of_log(), addresses(&process));
    conclude(recorded, reasons, rules, figures)
}

/// The addresses of a server at which clients of a run connect.
pub fn addresses(server: &Process) -> Vec<SocketAddr> {
    [server.addresses(), &[server.web_address()]].concat()
}

/// Checks what the clients recorded.
pub fn conclude(
    mut recorded: Vec<Recorded>,
    mut reasons: Reasons,
    rules: Rules,
    mut figures: Figures,
) -> Outcome {
    reasons.assign(&mut recorded);
    let histories: Vec<History> = recorded.into_iter().map(|one| one.history).collect();
    let mut violations = check(&histories, rules);
    violations.append(&mut reasons.violations);
    figures.add(&histories, &reasons);
    Outcome { violations, figures }
}

/// Starts the server; if there is a cable, in its near namespace, listening on loopback and on the cable.
fn serve(plan: &Plan, cable: Option<&Cable>) -> Process {
    // Small kernel buffers, so that the server's outboxes fill. The setting is the namespace's own.
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
        // Clients on the other machine would exceed the flood limits.
        ("ARAUTO_FLOOD_MESSAGE_RATE", "0"),
        ("ARAUTO_FLOOD_BYTE_RATE", "0"),
        ("ARAUTO_FLOOD_JOINS_PER_MINUTE", "0"),
        ("ARAUTO_FLOOD_SESSIONS_PER_ADDRESS", "0"),
    ];
    Process::run(command, &settings)
}

/// Runs all clients for the length of the plan, each fault by `trouble` in a thread of its own, then has `end` end the
/// server or all nodes.
pub fn play(
    plan: &Plan,
    world: &World,
    trouble: &(impl Fn(Fault, Rng, &Count) + Sync),
    end: impl FnOnce(),
    figures: &mut Figures,
) -> Vec<Recorded> {
    let counts: Vec<(Fault, Count)> = plan.faults.iter().map(|fault| (*fault, Count::default())).collect();
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
                scope.spawn(move || trouble(*fault, random, count))
            })
            .collect();
        world.stage.rest(plan.length);
        world.stage.end();
        for trouble in troubles {
            trouble.join().expect("a fault that does not panic");
        }
        let settled = world.stage.all_arrived(plan.slots.len());
        end();
        assert!(settled, "{plan}: not all messages are carried out");
        wait_until("all clients to have heard the end", || done.load(Ordering::Relaxed) == plan.slots.len());
        clients.into_iter().flat_map(|client| client.join().expect("a client that does not panic")).collect()
    });
    let happened = counts.iter().map(|(fault, count)| (*fault, count.get()));
    figures.faults = happened.filter(|(_, count)| *count > 0).collect();
    recorded
}

/// Waits for the server's end. After 3 s, a second signal ends it at once: an unreachable client that the server has
/// not noticed yet would delay the end until the drain timeout.
pub fn see_out(process: &mut Process) {
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
