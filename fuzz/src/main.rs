//! Runs one fuzz target on many generated inputs.
//!
//! ```text
//! arauto-fuzz TARGET [INPUTS [SEED]]    10 million inputs, seed from the clock
//! arauto-fuzz TARGET --again FILE       one input that was found before
//! ```
//!
//! Exits with status 0 if all inputs pass, 1 if an input shows a fault, 2 if an input takes longer than [`DEADLINE`],
//! and 3 if memory grows. The failing input is written to a file in the current folder, and its seed and number are
//! printed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the program reports on the terminal")]

use std::{
    fs,
    process::{ExitCode, exit},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use arauto::fuzz::{TARGETS, Target, inputs::input};

/// Maximum time for one input. On a busy machine, the slowest input took a few tens of milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// Maximum growth of resident memory from the first tenth of the inputs to the end, in KiB.
const MAX_GROWTH: u64 = 8 * 1024;

const INPUTS: u64 = 10_000_000;

/// State of the run, for a report from another thread or from the panic hook.
struct Run {
    target: &'static Target,
    seed: u64,
    /// Number of the input being judged.
    number: AtomicU64,
}

impl Run {
    /// Prints the current input and writes it to a file.
    fn blame(&self) {
        let Self { target, seed, number } = self;
        let number = number.load(Ordering::Relaxed);
        let bytes = input(target, *seed, number);
        let file = format!("{}-{seed}-{number}.input", target.name);
        eprintln!("input {number} of seed {seed}: {}", bytes.escape_ascii());
        match fs::write(&file, bytes) {
            Ok(()) => eprintln!("written to {file}"),
            Err(error) => eprintln!("not written to {file}: {error}"),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let target = |name: &str| TARGETS.iter().find(|target| target.name == name);
    let number = |text: &str| text.replace('_', "").parse().ok();
    match *arguments.as_slice() {
        [name, "--again", file] => match (target(name), fs::read(file)) {
            (Some(target), Ok(bytes)) => {
                (target.start)()(&bytes);
                println!("{file} shows no fault");
                ExitCode::SUCCESS
            }
            (None, _) => usage(),
            (_, Err(error)) => {
                eprintln!("{file}: {error}");
                ExitCode::FAILURE
            }
        },
        [name, ref rest @ ..] if rest.len() < 3 => {
            let inputs = rest.first().map_or(Some(INPUTS), |text| number(text));
            let seed = rest.get(1).map_or_else(|| Some(seed_from_clock()), |text| number(text));
            match (target(name), inputs, seed) {
                (Some(target), Some(inputs), Some(seed)) => run(target, inputs, seed),
                _ => usage(),
            }
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    eprintln!("arauto-fuzz TARGET [INPUTS [SEED]]\narauto-fuzz TARGET --again FILE");
    eprintln!("TARGET is one of {}", names.join(", "));
    ExitCode::FAILURE
}

fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs() * 1_000 + u64::from(now.subsec_millis())
}

fn run(target: &'static Target, inputs: u64, seed: u64) -> ExitCode {
    let run = Arc::new(Run { target, seed, number: AtomicU64::new(0) });
    end_at_panic(Arc::clone(&run));
    watch(Arc::clone(&run));
    println!("{}: {inputs} inputs of seed {seed}", target.name);
    let (start, mut judge) = (Instant::now(), (target.start)());
    let (mut at_first, mut slowest) = (None, Duration::ZERO);
    let mut said = start;
    for number in 0..inputs {
        run.number.store(number, Ordering::Relaxed);
        let bytes = input(target, seed, number);
        let began = Instant::now();
        judge(&bytes);
        let now = Instant::now();
        slowest = slowest.max(now - began);
        if at_first.is_none() && number >= inputs / 10 {
            at_first = Some(resident_kib());
        }
        if now - said > Duration::from_secs(10) {
            said = now;
            let rate = u128::from(number) * 1_000 / (now - start).as_millis();
            println!("{number} inputs, {rate}/s, {} KiB resident", resident_kib());
        }
    }
    let (seconds, resident) = (start.elapsed().as_secs(), resident_kib());
    let grown = resident.saturating_sub(at_first.unwrap_or(resident));
    println!(
        "{}: {inputs} inputs held in {seconds} s; the slowest took {slowest:?}; {resident} KiB resident, {grown} more than \
         after a tenth",
        target.name
    );
    if grown > MAX_GROWTH {
        eprintln!("memory grew by more than {MAX_GROWTH} KiB");
        return ExitCode::from(3);
    }
    ExitCode::SUCCESS
}

/// Exits at the first panic, even if a runtime would catch it.
fn end_at_panic(run: Arc<Run>) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        run.blame();
        exit(1);
    }));
}

/// Exits if one input takes too long.
fn watch(run: Arc<Run>) {
    thread::spawn(move || {
        let mut last = (run.number.load(Ordering::Relaxed), Instant::now());
        loop {
            thread::sleep(Duration::from_secs(1));
            let number = run.number.load(Ordering::Relaxed);
            if number != last.0 {
                last = (number, Instant::now());
            } else if last.1.elapsed() > DEADLINE {
                eprintln!("an input took more than {DEADLINE:?}");
                run.blame();
                exit(2);
            }
        }
    });
}

/// Resident memory of this process, from Linux's `/proc`; 0 where that is missing.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse().ok()).unwrap_or(0)
}
