//! Shared code of the benches: criterion's settings, messages of an exact size, and local servers.

#![allow(dead_code, reason = "compiled into each bench, and none of them needs all of it")]

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

use arauto_protocol::{Line, Message, Name, Operation, name};

use arauto::{
    config::Config,
    logging::{self, Guard, Reader},
};
use arauto_testkit::TestServer;
use criterion::Criterion;

/// Time after which a bench gives up on an operation.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Default of `limits.message_bytes`.
pub const MESSAGE_LIMIT: usize = 1024;

/// Settings of all benches, unless the command line overrides them.
///
/// `cargo bench`, once built, should finish within five minutes on two cores. There are 39 benches, so 5 s each leave a
/// third of that for slower machines. The sample size is 50, not criterion's 100, so that a sample holds several rounds
/// of 1,000 deliveries, which take about 4 ms each.
///
/// Benches in which two threads wait for each other partly measure how long the system takes to wake a thread, which
/// depends on the cores they run on. For reproducible ratios, `taskset -c 0 cargo bench` keeps them on one core. On a
/// busy machine, compare medians: `cargo bench --bench fan_out -- --verbose` prints them.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args()
}

/// A message of exactly `size` bytes, its newline included.
pub fn line(sender: &str, destination: &str, operation: Operation, size: usize) -> Line {
    let header = Message { sender, destination, operation: operation.wire(), data: "" };
    let data = "x".repeat(size - header.encoded_len() - 1);
    Line::lossy(&Message { data: &data, ..header })
}

/// Parses a valid name.
pub fn name(text: &str) -> Name {
    Name::parse(text, name::max_bytes(MESSAGE_LIMIT)).expect("a valid name")
}

/// A running server. Dropping it ends the server.
pub struct LocalServer {
    server: TestServer,
    /// Writes to a sink at the default level, so that the cost of logging is measured too.
    _log: Guard,
}

impl LocalServer {
    /// Starts a server with default settings, except for its addresses and its single worker.
    ///
    /// With one worker, no message changes threads. With more threads than the two cores have room for, the figures
    /// would depend on the scheduler.
    pub fn start() -> Self {
        let (log, guard) = logging::to_writer(&Config::default().log, io::sink(), Reader::Plain);
        let server = TestServer::logging(&log, |config| {
            config.server.workers = 1;
            assert_eq!(config.limits.message_bytes, MESSAGE_LIMIT);
        });
        Self { server, _log: guard }
    }

    /// Connects a line client that has its name and has read all it was sent.
    pub fn join(&self, called: &str) -> TcpStream {
        self.server.join(called).into_stream()
    }
}

/// A lower bound for any server: a bare thread that relays, and ends when its clients are gone.
pub struct Relay(Option<JoinHandle<()>>);

impl Relay {
    /// Starts a relay that writes what the first client sends to all clients. A single client gets its own data back.
    pub fn start(clients: usize) -> (Self, Vec<TcpStream>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let (near, far) = (0..clients).map(|_| socket_pair(&listener).expect("a connection")).unzip();
        (Self(Some(std::thread::spawn(move || relay(far)))), near)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The thread's result carries no information.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// The two ends of a loopback connection.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket_pair(&listener).expect("a connection")
}

/// The two ends of a loopback connection, with the options that the server sets.
fn socket_pair(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    near.set_read_timeout(Some(DEADLINE))?;
    Ok((near, far))
}

/// Performs one `write()` per client and read.
fn relay(mut clients: Vec<TcpStream>) {
    let mut buffer = vec![0; 64 * 1024];
    // An error, like the end of the stream, means that the clients are gone.
    while let Ok(read @ 1..) = clients[0].read(&mut buffer) {
        for client in &mut clients {
            if client.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }
}
