//! Measures whether a client's latency suffers from a crowd of clients that are idle, nearly idle, or come and go.
//!
//! The measured client sends echoes at a steady pace, first alone and then beside the crowd, on the same server. The
//! crowd runs on another thread of this process.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    drive,
    report::{progress, row},
    servers::{Kind, Server},
};

/// Open files that the largest crowd needs, and the other open files of the process.
pub const OPEN_FILES: u64 = IDLE as u64 + 300;

const IDLE: usize = 19_000;
const SLOW: usize = 5_000;
const JOINS_A_SECOND: usize = 500;

/// Number of echoes per measurement, and the interval from the start of one to the start of the next. Of 2,000, p99 is
/// the 20th from the top.
const ECHOES: usize = 2_000;
const PACE: Duration = Duration::from_millis(2);

/// Number under which the measured client joins; those of the crowd are below.
const MEASURED: usize = 99_999;

#[derive(Clone, Copy)]
enum Crowd {
    Idle,
    Slow,
    Joins,
}

impl Crowd {
    const ALL: [Self; 3] = [Self::Idle, Self::Slow, Self::Joins];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Joins => "joins",
        }
    }

    /// Connects the clients that stay for the whole measurement.
    fn gather(self, server: &Server) -> Result<Vec<TcpStream>> {
        let size = match self {
            Self::Idle => IDLE,
            Self::Slow => SLOW,
            Self::Joins => 0,
        };
        (0..size).map(|number| drive::join(server, number, true)).collect()
    }

    /// Performs the crowd's activity until the measurement is over.
    fn go_on(self, server: &Server, crowd: &[TcpStream], is_over: &AtomicBool) -> Result<()> {
        let begun = Instant::now();
        for turn in 0u32.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            match self {
                Self::Idle => {}
                // Each client sends one byte per second of a line that never ends.
                Self::Slow => {
                    for mut client in crowd.iter().skip(turn as usize % 500).step_by(500) {
                        client.write_all(b"x")?;
                    }
                }
                Self::Joins => drop(drive::join(server, turn as usize % MEASURED, true)?),
            }
            // Both activities happen 500 times per second.
            let next = begun + Duration::from_secs(1) * (turn + 1) / u32::try_from(JOINS_A_SECOND)?;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}

/// Latency percentiles in µs.
struct Latency {
    p50: u128,
    p99: u128,
}

/// The client that is measured.
struct Prober {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Prober {
    fn join(server: &Server) -> Result<Self> {
        let stream = drive::join(server, MEASURED, true)?;
        let answers = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, answers })
    }

    fn measure(&mut self) -> Result<Latency> {
        let mut times = Vec::with_capacity(ECHOES);
        let mut line = String::new();
        for _ in 0..ECHOES {
            let sent = Instant::now();
            self.stream.write_all(b"/echo ?\n")?;
            line.clear();
            self.answers.read_line(&mut line)?;
            ensure!(line.ends_with(" | echo | ?\n"), "the server says {line:?} to an echo");
            times.push(sent.elapsed());
            thread::sleep(PACE.saturating_sub(sent.elapsed()));
        }
        times.sort_unstable();
        Ok(Latency { p50: times[ECHOES / 2].as_micros(), p99: times[ECHOES * 99 / 100].as_micros() })
    }
}

/// Prints a row for each crowd and round. A round before the first only warms up.
pub fn measure(workers: &[usize], rounds: usize) -> Result<()> {
    row("experiment,server,workers,crowd,round,quiet_p50_us,quiet_p99_us,p50_us,p99_us")?;
    for round in 0..=rounds {
        for &workers in workers {
            for crowd in Crowd::ALL {
                let (quiet, loud) = run(Kind::arauto(workers), crowd)?;
                let figures = format!("{},{},{},{}", quiet.p50, quiet.p99, loud.p50, loud.p99);
                progress(&format!(
                    "storms {round}/{rounds}: {workers} workers, {}: {figures}",
                    crowd.name()
                ))?;
                if round > 0 {
                    row(&format!("storms,arauto,{workers},{},{round},{figures}", crowd.name()))?;
                }
            }
        }
    }
    Ok(())
}

/// Measures the latency alone, then with the crowd. Starts a new server.
fn run(kind: Kind, crowd: Crowd) -> Result<(Latency, Latency)> {
    let server = Server::start(kind, 64)?;
    let mut prober = Prober::join(&server)?;
    let quiet = prober.measure()?;
    let clients = crowd.gather(&server)?;
    let is_over = AtomicBool::new(false);
    let loud = thread::scope(|scope| {
        let storm = scope.spawn(|| crowd.go_on(&server, &clients, &is_over));
        let loud = prober.measure();
        is_over.store(true, Ordering::Relaxed);
        match storm.join() {
            Ok(went_on) => went_on.and(loud),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    Ok((quiet, loud))
}
