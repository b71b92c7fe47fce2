//! What the benches share: how long they measure, messages of an exact size, and a server of their own.

#![allow(dead_code, reason = "compiled into each bench, and none of them needs all of it")]

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::Duration,
};

use arauto::{
    config::Config,
    logging::{self, Guard, Reader},
    protocol::{Line, Message, Name, Operation, name, reply},
    server::{Ended, ServeError, Server},
};
use criterion::Criterion;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long anything may take before a bench gives up on it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// `limits.message_bytes` as users have it.
pub const MESSAGE_LIMIT: usize = 1024;

/// How all benches measure, unless the command line says otherwise.
///
/// `cargo bench`, once built, is to be done within five minutes on two cores, and there are 39 benches: five seconds
/// each leave a third of that for slower machines. Fifty samples, not criterion's hundred, so that each holds several
/// rounds of a thousand deliveries, which take some 4 ms.
///
/// Benches of two threads that wait for each other tell, for a part, how long the system takes to wake one of them,
/// and that hangs on which cores they happen to be on. For ratios that repeat, `taskset -c 0 cargo bench` keeps them on
/// one. Where the machine has other work too, compare medians: `cargo bench --bench fan_out -- --verbose` prints them.
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

/// A valid name.
pub fn name(text: &str) -> Name {
    Name::parse(text, name::max_bytes(MESSAGE_LIMIT)).expect("a valid name")
}

/// A running server, ended when dropped.
pub struct LocalServer {
    address: SocketAddr,
    stop: UnboundedSender<String>,
    ended: Receiver<Result<Ended, ServeError>>,
    /// Writes to nowhere at the level users have, so that what a message costs the log is measured too.
    _log: Guard,
}

impl LocalServer {
    /// A server with default settings but for its address and its one worker.
    ///
    /// One worker, so that no message changes threads: with more threads than two cores have room for, the figures
    /// would tell what the scheduler did.
    pub fn start() -> Self {
        let mut config = Config::default();
        config.server.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        config.server.workers = 1;
        assert_eq!(config.limits.message_bytes, MESSAGE_LIMIT);
        let (log, guard) = logging::to_writer(&config.log, io::sink(), Reader::Plain);
        let server = Server::bind(&config, &log).expect("a free port");
        let address = server.addresses()[0];
        let (stop, stops) = unbounded_channel();
        let (tell, ended) = channel();
        std::thread::spawn(move || {
            let outcome = actix_rt::System::new().block_on(server.run(stops));
            // Who panicked no longer listens.
            let _ = tell.send(outcome);
        });
        Self { address, stop, ended, _log: guard }
    }

    /// A line client that has its name and has read all it was sent.
    pub fn join(&self, called: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("a server that listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        expect(&mut stream, reply::name_request().as_bytes());
        stream.write_all(format!("{called}\n").as_bytes()).expect("a server that reads");
        expect(&mut stream, reply::connection_confirmation(&name(called)).as_bytes());
        stream
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        // A server that ended before does not listen any more; how it ended is asked next.
        let _ = self.stop.send("bench".to_owned());
        if !std::thread::panicking() {
            let ended = self.ended.recv_timeout(DEADLINE).expect("a server that ends when told to");
            assert_eq!(ended.expect("a server that lives until told to end"), Ended::Closed);
        }
    }
}

/// The next bytes are these.
pub fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).expect("an answer");
    assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// What no server can do with less than: a bare thread in its place, ended when its clients are gone.
pub struct Relay(Option<JoinHandle<()>>);

impl Relay {
    /// A relay that writes to all clients what the first of them says. One client alone has its own words back.
    pub fn start(clients: usize) -> (Self, Vec<TcpStream>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let (near, far) = (0..clients).map(|_| socket_pair(&listener).expect("a connection")).unzip();
        (Self(Some(std::thread::spawn(move || relay(far)))), near)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It has nothing to say but that it ended.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// Two ends of a loopback connection.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket_pair(&listener).expect("a connection")
}

/// Two ends of a loopback connection, set as the server sets its own.
fn socket_pair(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    near.set_read_timeout(Some(DEADLINE))?;
    Ok((near, far))
}

/// One `write()` a client and read.
fn relay(mut clients: Vec<TcpStream>) {
    let mut buffer = vec![0; 64 * 1024];
    // An error ends it as the end of the stream does: its clients are gone.
    while let Ok(read @ 1..) = clients[0].read(&mut buffer) {
        for client in &mut clients {
            if client.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }
}
