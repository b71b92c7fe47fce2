//! Measures how much slow receivers reduce the throughput of a client that keeps up.
//!
//! A sender broadcasts and a measured client receives, beside 0, 1, 10 and 100 receivers that all read slowly in the
//! same way. On loopback, the sender is limited by TCP only. From another network namespace, where the slow receivers
//! are as well, four senders keep within the limits of flood control. Creating namespaces needs root and `ip`.
//!
//! Columns: throughput of the client in KB/s; its longest time without data, in ms; and the maximum time without data
//! in any 10 s, counting pauses of at least [`PAUSE`], in ms.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use arauto_testkit::{
    cable::{self, Cable},
    without_settings,
};

use crate::{
    report::{progress, row},
    servers::{DEADLINE, LOOK_AGAIN},
};

/// Duration of each case: more than the window over which the server bounds such delays.
const LENGTH: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_secs(10);

/// Minimum time without a message that counts as a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// Kernel buffer of a slow receiver, in bytes: small, so that its outbox fills soon.
const RECEIVE_BUFFER: usize = 4096;

/// Messages per second of a sender in the other namespace, after a burst: slightly below the defaults of `[flood]`,
/// because the sender's clock is not the server's.
const RATE: u32 = 48;
const BURST: u32 = 490;

#[derive(Clone, Copy)]
struct Habit {
    name: &'static str,
    /// Bytes per read.
    bytes: usize,
    pause: Duration,
    is_unframed: bool,
}

const HABITS: [Habit; 5] = [
    Habit { name: "never", bytes: 0, pause: Duration::from_millis(100), is_unframed: false },
    Habit { name: "4 B/s", bytes: 4, pause: Duration::from_secs(1), is_unframed: false },
    Habit { name: "10 KB/s", bytes: 1_000, pause: Duration::from_millis(100), is_unframed: false },
    Habit { name: "2,000 B each 0.2 s", bytes: 2_000, pause: Duration::from_millis(200), is_unframed: false },
    Habit { name: "unframed", bytes: 64 * 1024, pause: Duration::from_millis(1), is_unframed: true },
];

/// Prints a row for each place, habit and number of slow receivers. `program` is the server.
pub fn measure(program: Option<PathBuf>, rounds: usize) -> Result<()> {
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_arauto").into());
    row("experiment,place,habit,slow,round,kb_per_second,longest_ms,paused_ms_of_10_s")?;
    for round in 1..=rounds {
        for place in [
            Place::Loopback,
            Place::Faraway(Cable::lay().context("namespaces need root, and ip, tc and nc")?),
        ] {
            for (number, habit) in HABITS.iter().enumerate() {
                for slow in [0, 1, 10, 100] {
                    // Without slow receivers, all habits are the same.
                    if slow > 0 || number == 0 {
                        let figures = run(&program, &place, *habit, slow)?;
                        let name = if slow == 0 { "none" } else { habit.name };
                        let place = place.name();
                        progress(&format!(
                            "slow-readers {round}/{rounds}: {place}, {slow} {name}: {figures}"
                        ))?;
                        row(&format!("slow-readers,{place},\"{name}\",{slow},{round},{figures}"))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Location of the senders and the slow receivers.
enum Place {
    Loopback,
    Faraway(Cable),
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Faraway(_) => "namespace",
        }
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Loopback => Command::new(program),
            Self::Faraway(cable) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &cable.server]).arg(program);
                command
            }
        }
    }

    /// Connects from the server's machine.
    fn dial_near(&self, address: SocketAddr) -> Result<TcpStream> {
        dial(self.cable().map(|cable| &*cable.server), address, None)
    }

    /// Connects from the location of the senders and the slow receivers.
    fn dial(&self, address: SocketAddr, receive_buffer: Option<usize>) -> Result<TcpStream> {
        dial(self.cable().map(|cable| &*cable.faraway), address, receive_buffer)
    }

    fn cable(&self) -> Option<&Cable> {
        match self {
            Self::Loopback => None,
            Self::Faraway(cable) => Some(cable),
        }
    }
}

/// Connects from a namespace. The kernel gathers small messages, as it does unless a program asks otherwise.
fn dial(namespace: Option<&str>, address: SocketAddr, receive_buffer: Option<usize>) -> Result<TcpStream> {
    let stream = cable::dial(namespace, address, receive_buffer)?;
    stream.set_nodelay(false)?;
    Ok(stream)
}

/// A running server. Dropping it kills the server.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(program: &Path, place: &Place) -> Result<Self> {
        let host =
            if matches!(place, Place::Loopback) { Ipv4Addr::LOCALHOST } else { cable::SERVER.parse()? };
        // A port that was free a moment ago on this machine; in a new namespace all are free.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((host, port));
        let mut command = place.command(program);
        without_settings(&mut command);
        command.arg("serve").env("ARAUTO_SERVER_LISTEN", address.to_string());
        for setting in ["ARAUTO_WEB_LISTEN", "ARAUTO_MEDIA_LISTEN", "ARAUTO_MONITORING_LISTEN"] {
            command.env(setting, "");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { child: command.spawn()?, address };
        let deadline = Instant::now() + DEADLINE;
        while place.dial_near(address).is_err() {
            ensure!(Instant::now() < deadline, "the server does not listen");
            thread::sleep(LOOK_AGAIN);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killing fails if the server has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Joins with this name, as a line client or as an unframed client.
fn join(mut stream: TcpStream, name: &str, is_unframed: bool) -> Result<TcpStream> {
    stream.set_read_timeout(Some(DEADLINE))?;
    let answer = if is_unframed { format!("{name} | server | name | {name}") } else { format!("{name}\n") };
    stream.write_all(answer.as_bytes())?;
    // Reads both messages byte by byte, so that what follows them is left to later readers.
    let mut heard = Vec::new();
    while !heard.ends_with(b"connected to the server") {
        let mut byte = [0];
        stream.read_exact(&mut byte).with_context(|| format!("{name} cannot join"))?;
        heard.extend(byte);
    }
    stream.set_read_timeout(None)?;
    Ok(stream)
}

fn run(program: &Path, place: &Place, habit: Habit, slow: usize) -> Result<String> {
    let server = Server::start(program, place)?;
    let listener = join(place.dial_near(server.address)?, "listener", false)?;
    let slow: Vec<TcpStream> = (0..slow)
        .map(|number| {
            let stream = place.dial(server.address, Some(RECEIVE_BUFFER))?;
            join(stream, &format!("slow{number}"), habit.is_unframed)
        })
        .collect::<Result<_>>()?;
    let senders: Vec<TcpStream> = match place {
        Place::Loopback => vec![join(place.dial(server.address, None)?, "sender", false)?],
        Place::Faraway(_) => (0..4)
            .map(|number| join(place.dial(server.address, None)?, &format!("sender{number}"), false))
            .collect::<Result<_>>()?,
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for stream in &slow {
            scope.spawn(|| read_slowly(stream, habit, &is_over));
        }
        for stream in &senders {
            scope.spawn(|| send(stream, place));
            // The sender receives the other senders' messages, and refusals.
            scope.spawn(|| std::io::copy(&mut &*stream, &mut std::io::sink()));
        }
        let figures = listen(&listener);
        is_over.store(true, Ordering::Relaxed);
        // Ends the threads that wait for their sockets.
        drop(server);
        figures
    })
}

/// Reads until the measurement is over or the connection ends.
fn read_slowly(mut stream: &TcpStream, habit: Habit, is_over: &AtomicBool) {
    let mut buffer = vec![0; habit.bytes];
    while !is_over.load(Ordering::Relaxed) {
        if habit.bytes > 0 && matches!(stream.read(&mut buffer), Ok(0) | Err(_)) {
            return;
        }
        thread::sleep(habit.pause);
    }
}

/// Broadcasts until the connection ends.
fn send(mut stream: &TcpStream, place: &Place) {
    let far = matches!(place, Place::Faraway(_));
    // With its header, a message of 950 bytes is just below limits.message_bytes.
    let (size, burst) = if far { (950, BURST) } else { (200, 1) };
    let line = format!("/others {}\n", "x".repeat(size));
    let begun = Instant::now();
    for number in 0u32.. {
        if far && number > burst {
            let due = begun + Duration::from_secs(1) * (number - burst) / RATE;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if stream.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

/// Measures what the client that keeps up receives.
fn listen(stream: &TcpStream) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream);
    let begun = Instant::now();
    let (mut bytes, mut last) = (0, begun);
    let mut pauses: Vec<(Instant, Instant)> = Vec::new();
    loop {
        let heard = match reader.fill_buf() {
            Ok(heard) => heard.len(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(error) => return Err(error.into()),
        };
        reader.consume(heard);
        bytes += heard;
        let (now, is_over) = (Instant::now(), begun.elapsed() >= LENGTH);
        if heard > 0 || is_over {
            if now - last >= PAUSE {
                pauses.push((last, now));
            }
            last = now;
        }
        if is_over {
            break;
        }
    }
    let kilobytes = bytes as u128 / LENGTH.as_millis();
    let longest = pauses.iter().map(|(from, to)| *to - *from).max().unwrap_or_default();
    let paused = worst_window(&pauses);
    Ok(format!("{kilobytes},{},{}", longest.as_millis(), paused.as_millis()))
}

/// Maximum total of pauses in any window. The worst window begins with a pause.
fn worst_window(pauses: &[(Instant, Instant)]) -> Duration {
    let within = |begin: Instant| {
        let end = begin + WINDOW;
        pauses.iter().map(|(from, to)| (*to).min(end).saturating_duration_since((*from).max(begin))).sum()
    };
    pauses.iter().map(|(from, _)| within(*from)).max().unwrap_or_default()
}
