//! Measures several servers as one: latency and CPU time without a cluster and with one and three nodes, joins, and the
//! return of the clients of a node that was killed.
//!
//! Each figure is taken of all settings in turn within a round. One NATS server with a stream of one replica is behind the
//! nodes; the same server shows what a bare publish and its read-back take.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    drive::{self, Clients, Load},
    report::{progress, row},
    servers::{DEADLINE, Kind, LOOK_AGAIN, Server},
    wire::{Wire, member},
};

/// Messages of a latency, and the interval from the start of one to the start of the next.
const ROUND_TRIPS: usize = 2_000;
const PACE: Duration = Duration::from_millis(2);

/// The load whose CPU time is measured, with this many messages in flight, and the number of messages.
const LOAD: Load = Load { receivers: 1_000, size: 64, senders: 1, window: 1 };
const WINDOWS: [(usize, usize); 2] = [(1, 300), (16, 1_000)];

/// Clients that join, from as many threads.
const JOINS: u16 = 2_000;
const JOINING_THREADS: u16 = 8;

/// Clients of the node that is killed.
const RETURNING: usize = 5_000;

/// The number of nodes; 0 is a server without a cluster.
const SETTINGS: [usize; 3] = [0, 1, 3];

/// A NATS server with JetStream, and the nodes behind it.
struct Cluster {
    nodes: Vec<Server>,
    nats: Option<Server>,
    _store: TempDir,
}

impl Cluster {
    /// Starts this many nodes, or a server without a cluster if it is 0, and waits until they let clients in.
    fn start(size: usize) -> Result<Self> {
        let store = tempfile::tempdir()?;
        if size == 0 {
            let nodes = vec![Server::start(Kind::arauto(1), LOAD.size)?];
            return Ok(Self { nodes, nats: None, _store: store });
        }
        let nats = Server::start_with(Kind::NATS, LOAD.size, |command| {
            command.arg("--jetstream").arg("--store_dir").arg(store.path());
        })?;
        let url = format!("nats://{}", nats.address());
        let start = |number: usize| {
            Server::start_with(Kind::arauto(1), LOAD.size, |command| {
                command.env("ARAUTO_CLUSTER_SERVERS", &url);
                command.env("ARAUTO_CLUSTER_NODE", format!("n{number}"));
            })
        };
        let nodes = (1..=size).map(start).collect::<Result<Vec<_>>>()?;
        let cluster = Self { nodes, nats: Some(nats), _store: store };
        for node in &cluster.nodes {
            cluster.wait_for(node)?;
        }
        Ok(cluster)
    }

    /// Waits until a node lets clients in.
    fn wait_for(&self, node: &Server) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = drive::join(node, 99_999, true) {
            ensure!(Instant::now() < deadline, "a node of {} lets nobody in: {error:#}", self.nodes.len());
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn nats(&self) -> Result<&Server> {
        self.nats.as_ref().context("a server without a cluster has no NATS server")
    }
}

/// Prints a row for each figure, setting and round. A round before the first only warms up.
pub fn measure(rounds: usize) -> Result<()> {
    row("experiment,figure,nodes,round,value")?;
    for round in 0..=rounds {
        let report = |figure: &str, setting: &str, value: f64| {
            progress(&format!("cluster {round}/{rounds}: {figure}, {setting}: {value:.1}"))?;
            if round > 0 {
                row(&format!("cluster,{figure},{setting},{round},{value:.1}"))?;
            }
            anyhow::Ok(())
        };
        for size in SETTINGS {
            let cluster = Cluster::start(size)?;
            report("latency_us", &size.to_string(), latency(&cluster)?)?;
            if size == 1 {
                report("latency_us", "bare log", bare_latency(cluster.nats()?)?)?;
            }
            report("joins_per_s", &size.to_string(), joins(&cluster)?)?;
            drop(cluster);
            deliveries(size, 1, |part, value| {
                report(part, &format!("{size} with the receivers at one"), value)
            })?;
        }
        deliveries(3, 3, |part, value| report(part, "3 with the receivers at all", value))?;
        report("return_s", "3", return_of_clients()?)?;
    }
    Ok(())
}

/// The median of a broadcast's way back to its sender, in µs.
fn latency(cluster: &Cluster) -> Result<f64> {
    // Not a name that joins later.
    let stream = drive::join(&cluster.nodes[0], usize::from(JOINS), true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    median_of(|| {
        (&stream).write_all(b"/all x\n")?;
        line.clear();
        answers.read_line(&mut line)?;
        ensure!(line.ends_with(" | broadcast | x\n"), "the server says {line:?} to a broadcast");
        Ok(())
    })
}

/// The median of a publish to a stream and its read-back, without a node, in µs.
fn bare_latency(nats: &Server) -> Result<f64> {
    let stream = TcpStream::connect(nats.address())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Wire::Nats.join(&stream, 0, false)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let settings = r#"{"name":"BARE","subjects":["bare.log"],"storage":"file","allow_direct":true,"republish":{"src":"bare.log","dest":"bare.tail"}}"#;
    let create =
        format!("SUB made 1\r\nPUB $JS.API.STREAM.CREATE.BARE made {}\r\n{settings}\r\n", settings.len());
    (&stream).write_all(create.as_bytes())?;
    let made = message(&mut answers)?;
    ensure!(!made.contains("\"error\""), "no stream: {made}");
    (&stream).write_all(b"SUB bare.tail 2\r\n")?;
    // About as long as the frame of a short broadcast, and acknowledged as that is.
    let frame = format!("PUB bare.log bare.ack 128\r\n{}\r\n", "x".repeat(128));
    median_of(|| {
        (&stream).write_all(frame.as_bytes())?;
        message(&mut answers).map(drop)
    })
}

/// The next message of a subscription to NATS, with its head.
fn message(answers: &mut impl BufRead) -> Result<String> {
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        // MSG subject id [reply] bytes; HMSG also has the bytes of its head.
        if line.starts_with("MSG ") || line.starts_with("HMSG ") {
            let bytes: usize = line.split_ascii_whitespace().next_back().context("a length")?.parse()?;
            let mut content = vec![0; bytes + 2];
            answers.read_exact(&mut content)?;
            return Ok(String::from_utf8_lossy(&content).into_owned());
        }
        ensure!(!line.is_empty() && !line.starts_with("-ERR"), "NATS says {line:?}");
    }
}

/// The median duration of [`ROUND_TRIPS`] calls, in µs.
fn median_of(mut act: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begun = Instant::now();
        act()?;
        times.push(begun.elapsed());
        thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
    times.sort_unstable();
    Ok(times[ROUND_TRIPS / 2].as_secs_f64() * 1e6)
}

/// Clients that join in a second, spread over all nodes.
fn joins(cluster: &Cluster) -> Result<f64> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let join = |thread: u16| {
            let numbers = (thread..JOINS).step_by(JOINING_THREADS.into()).map(usize::from);
            let join = |number| drive::join(&cluster.nodes[number % cluster.nodes.len()], number, true);
            numbers.map(join).collect::<Result<Vec<_>>>()
        };
        let threads: Vec<_> = (0..JOINING_THREADS).map(|thread| scope.spawn(move || join(thread))).collect();
        let joined: Result<Vec<_>> =
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        joined.map(|_| f64::from(JOINS) / begun.elapsed().as_secs_f64())
    })
}

/// The CPU time that a broadcast costs each node and NATS, for each of all its deliveries, in ns. The receivers are spread
/// over this many nodes; the sender is the last client.
fn deliveries(size: usize, spread: usize, mut report: impl FnMut(&str, f64) -> Result<()>) -> Result<()> {
    for (window, messages) in WINDOWS {
        let cluster = Cluster::start(size)?;
        let nodes: Vec<&Server> = cluster.nodes.iter().take(spread).collect();
        let mut clients = Clients::join_spread(&nodes, Load { window, ..LOAD })?;
        clients.deliver(messages / 10)?;
        let cpu = || cluster.nodes.iter().chain(&cluster.nats).map(Server::cpu).collect::<Result<Vec<_>>>();
        let before = cpu()?;
        clients.deliver(messages)?;
        for ((number, after), before) in (1..).zip(cpu()?).zip(before) {
            let part = if number > cluster.nodes.len() { "nats".to_owned() } else { format!("n{number}") };
            // Thousandfold, because a duration has whole nanoseconds.
            let spent = Duration::from_micros(after - before) / u32::try_from(clients.deliveries(messages))?;
            report(&format!("cpu_of_{part}_ns_{window}_in_flight"), spent.as_secs_f64() * 1e6)?;
        }
    }
    Ok(())
}

/// Connects a client and asks for its name, which may be taken for a while.
fn ask_for_name(server: &Server, number: usize) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(DEADLINE))?;
    (&stream).write_all(format!("{}\n", member(number)).as_bytes())?;
    Ok(stream)
}

/// Waits until the name of a client is confirmed.
fn confirmed(stream: &TcpStream, number: usize) -> Result<()> {
    let mut answers = BufReader::new(stream).lines();
    let mut next = || anyhow::Ok(answers.next().context("the server closed the connection")??);
    next()?;
    let answer = next()?;
    let expected = format!("server | {} | connection_confirmation | ", member(number));
    ensure!(answer.starts_with(&expected), "the server says {answer:?}");
    Ok(())
}

/// The time from the end of a node until all its clients have their names at the other two, in s.
fn return_of_clients() -> Result<f64> {
    let mut cluster = Cluster::start(3)?;
    let clients: Vec<_> =
        (0..RETURNING).map(|number| drive::join(&cluster.nodes[2], number, true)).collect::<Result<_>>()?;
    cluster.nodes.truncate(2);
    let begun = Instant::now();
    drop(clients);
    let returning: Vec<TcpStream> = (0..RETURNING)
        .map(|number| ask_for_name(&cluster.nodes[number % 2], number))
        .collect::<Result<_>>()?;
    for (number, stream) in returning.iter().enumerate() {
        confirmed(stream, number).with_context(|| format!("client {number} does not return"))?;
    }
    Ok(begun.elapsed().as_secs_f64())
}
