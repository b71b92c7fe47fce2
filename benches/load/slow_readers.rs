//! How much receivers that read slowly take from a client that keeps up.
//!
//! One client broadcasts and another hears it, beside 0, 1, 10 and 100 receivers that all read slowly in the same way. From
//! loopback the sender goes as fast as TCP lets it. From another network namespace four senders keep within the limits of
//! flood control, and the slow receivers are there, too; making namespaces needs root and `ip`.
//!
//! Columns: the KB a second that the client heard; the longest time that it heard nothing, in ms; and the most of any 10 s
//! that it heard nothing, counting pauses of [`PAUSE`] and longer.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Socket, Type};

use crate::{
    report::{progress, row},
    servers::{DEADLINE, LOOK_AGAIN, forget_settings},
};

/// How long each case is measured: more than the window of the server's bound.
const LENGTH: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_secs(10);

/// The shortest time without a message that counts as a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// What the kernel holds for a slow receiver, in bytes: little, so that its outbox fills soon.
const RECEIVE_BUFFER: usize = 4096;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FARAWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Messages a second that a sender in the other namespace sends, after a burst: the defaults of `[flood]`, and a little
/// below because its clock is not the server's.
const RATE: u32 = 48;
const BURST: u32 = 490;

#[derive(Clone, Copy)]
struct Habit {
    name: &'static str,
    /// Bytes that are read at a time.
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
        for place in [Place::Loopback, Place::namespaces()?] {
            for (number, habit) in HABITS.iter().enumerate() {
                for slow in [0, 1, 10, 100] {
                    // Without slow receivers, all habits are one.
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

/// Where the senders and the slow receivers are.
enum Place {
    Loopback,
    /// The names of the server's namespace and of theirs.
    Namespaces(String, String),
}

impl Place {
    fn namespaces() -> Result<Self> {
        let name = |end: &str| format!("arauto-load-{}-{end}", std::process::id());
        let (near, far) = (name("s"), name("f"));
        let place = Self::Namespaces(near.clone(), far.clone());
        ip(&["netns", "add", &near])?;
        ip(&["netns", "add", &far])?;
        let peer = ["type", "veth", "peer", "name", "cable", "netns", &far];
        ip(&[&["link", "add", "cable", "netns", &near], &peer[..]].concat())?;
        for (namespace, address) in [(&near, SERVER), (&far, FARAWAY)] {
            ip(&["-n", namespace, "address", "add", &format!("{address}/30"), "dev", "cable"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            ip(&["-n", namespace, "link", "set", "cable", "up"])?;
        }
        Ok(place)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Namespaces(..) => "namespace",
        }
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Loopback => Command::new(program),
            Self::Namespaces(near, _) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", near]).arg(program);
                command
            }
        }
    }

    /// A connection from the server's machine.
    fn dial_near(&self, address: SocketAddr) -> Result<TcpStream> {
        match self {
            Self::Loopback => dial(None, address, None),
            Self::Namespaces(near, _) => dial(Some(near), address, None),
        }
    }

    /// A connection from where the senders and the slow receivers are.
    fn dial(&self, address: SocketAddr, receive_buffer: Option<usize>) -> Result<TcpStream> {
        match self {
            Self::Loopback => dial(None, address, receive_buffer),
            Self::Namespaces(_, far) => dial(Some(far), address, receive_buffer),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Namespaces(near, far) = self {
            // One that could not be made cannot be deleted.
            let _ = ip(&["netns", "delete", near]);
            let _ = ip(&["netns", "delete", far]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(arguments).status().context("ip is needed")?;
    ensure!(status.success(), "ip {} failed: making namespaces needs root", arguments.join(" "));
    Ok(())
}

/// Connects from a namespace. A thread is moved there, not the process.
fn dial(namespace: Option<&str>, address: SocketAddr, receive_buffer: Option<usize>) -> Result<TcpStream> {
    let connect = || -> Result<TcpStream> {
        if let Some(name) = namespace {
            let handle = File::open(format!("/run/netns/{name}"))?;
            move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))?;
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect_timeout(&address.into(), DEADLINE)?;
        Ok(socket.into())
    };
    thread::scope(|scope| match scope.spawn(connect).join() {
        Ok(connected) => connected,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// A server that is ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(program: &Path, place: &Place) -> Result<Self> {
        let host = if matches!(place, Place::Loopback) { Ipv4Addr::LOCALHOST } else { SERVER };
        // Free a moment ago on this machine, and all are free in a namespace.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((host, port));
        let mut command = place.command(program);
        forget_settings(&mut command);
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
        // One that ended before cannot be killed, and is as good as.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes a name, as a line client or as one without line endings.
fn join(mut stream: TcpStream, name: &str, is_unframed: bool) -> Result<TcpStream> {
    stream.set_read_timeout(Some(DEADLINE))?;
    let answer = if is_unframed { format!("{name} | server | name | {name}") } else { format!("{name}\n") };
    stream.write_all(answer.as_bytes())?;
    // Two messages, read byte by byte: what follows them is for others to read.
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
        Place::Namespaces(..) => (0..4)
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
            // It hears the others, and refusals.
            scope.spawn(|| std::io::copy(&mut &*stream, &mut std::io::sink()));
        }
        let figures = listen(&listener);
        is_over.store(true, Ordering::Relaxed);
        // Ends those that wait for their sockets.
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
    let far = matches!(place, Place::Namespaces(..));
    // Written in full, a message of 950 bytes is just below limits.message_bytes.
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

/// What the client that keeps up hears.
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

/// The most that any window has of pauses. The worst one begins with a pause.
fn worst_window(pauses: &[(Instant, Instant)]) -> Duration {
    let within = |begin: Instant| {
        let end = begin + WINDOW;
        pauses.iter().map(|(from, to)| (*to).min(end).saturating_duration_since((*from).max(begin))).sum()
    };
    pauses.iter().map(|(from, _)| within(*from)).max().unwrap_or_default()
}
