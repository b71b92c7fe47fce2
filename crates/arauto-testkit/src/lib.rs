//! Servers, clients, terminals and networks that the tests and benches of Arauto share.
//!
//! - [`TestServer`]: a server in the test's own process. [`process::Process`]: the program, run as a user runs it.
//! - [`Client`], [`web::WebClient`], [`tls::Trust`]: clients that compare bytes exactly, by TCP, WebSocket and TLS.
//! - [`terminal::Terminal`]: a pseudoterminal for programs that draw.
//! - [`fake_server::FakeServer`], [`report_server::ReportServer`]: other servers, for Arauto's clients.
//! - [`cable::Cable`]: two network namespaces that stand for two machines.
//!
//! No test waits for time to pass: each wait is for an event and has a deadline. A test shows that a client received
//! nothing by what the client receives next. All functions panic where a test cannot go on.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on is to panic")]
#![allow(clippy::print_stderr, reason = "shown by the test runner where a test fails")]
#![allow(clippy::must_use_candidate, clippy::new_without_default, reason = "only tests and benches call it")]

pub mod cable;
mod client;
pub mod fake_server;
pub mod nats;
pub mod process;
pub mod report_server;
pub mod terminal;
pub mod tls;
pub mod web;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use arauto::{
    config::Config,
    server::{Ended, ServeError, Server},
};
pub use client::Client;
use slog::{Discard, Logger, o};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Maximum time that a test waits for an event before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The first line that a server sends to each client.
pub const NAME_REQUEST: &str = "server | client | name | no data";

/// A running server on free ports of 127.0.0.1. Dropping it stops the server.
pub struct TestServer {
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    web_addresses: Vec<SocketAddr>,
    secure_web_addresses: Vec<SocketAddr>,
    media_addresses: Vec<SocketAddr>,
    monitoring_addresses: Vec<SocketAddr>,
    stop: UnboundedSender<String>,
    thread: Option<JoinHandle<Result<Ended, ServeError>>>,
}

impl TestServer {
    /// Starts a server with the settings of [`Self::logging`].
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts a server whose settings `change` modifies.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::logging(&Logger::root(Discard, o!()), change)
    }

    /// Starts a server that logs to `log`. Before `change`, its settings are the defaults except for addresses and
    /// workers.
    pub fn logging(log: &Logger, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.server.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        // Two workers even for few clients, so that tests cover messages between threads.
        (config.server.workers, config.server.spread_above) = (2, 0);
        config.web.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.media.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.monitoring.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        change(&mut config);
        let server = Server::bind(&config, log).expect("a free port");
        let addresses = server.addresses().to_vec();
        let tls_addresses = server.tls_addresses().to_vec();
        let web_addresses = server.web_addresses().to_vec();
        let secure_web_addresses = server.secure_web_addresses().to_vec();
        let media_addresses = server.media_addresses().to_vec();
        let monitoring_addresses = server.monitoring_addresses().to_vec();
        let (stop, stops) = unbounded_channel();
        let thread = std::thread::spawn(move || actix_rt::System::new().block_on(server.run(stops)));
        Self {
            addresses,
            tls_addresses,
            web_addresses,
            secure_web_addresses,
            media_addresses,
            monitoring_addresses,
            stop,
            thread: Some(thread),
        }
    }

    /// The first address for clients without TLS.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The first address for clients with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls_addresses[0]
    }

    /// The first address of the page by HTTP, which is also that of WebSockets.
    pub fn web_address(&self) -> SocketAddr {
        self.web_addresses[0]
    }

    /// The first address of the page by HTTPS.
    pub fn secure_web_address(&self) -> SocketAddr {
        self.secure_web_addresses[0]
    }

    /// The RTSP address.
    pub fn media_address(&self) -> SocketAddr {
        self.media_addresses[0]
    }

    /// The first address of monitoring.
    pub fn monitoring_address(&self) -> SocketAddr {
        self.monitoring_addresses[0]
    }

    /// All addresses for clients without TLS.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The port of [`Self::address`], as an argument for a program.
    pub fn port(&self) -> String {
        self.address().port().to_string()
    }

    /// Connects a client and reads the name request.
    pub fn connect(&self) -> Client {
        let mut client = self.connect_silently();
        client.expect(NAME_REQUEST);
        client
    }

    /// Connects a client and reads nothing.
    pub fn connect_silently(&self) -> Client {
        Client::to(self.address())
    }

    /// Connects a line client and gives it a name.
    pub fn join(&self, name: &str) -> Client {
        let mut client = self.connect();
        client.send(name);
        client.expect(&confirmation(name));
        client
    }

    /// Connects a telnet client and gives it a name. The server recognizes telnet by the option that the client offers,
    /// and refuses the option.
    pub fn join_by_telnet(&self, name: &str) -> Client {
        let mut client = self.connect();
        client.send_bytes(&[b"\xff\xfb\x18", name.as_bytes(), b"\r\n"].concat());
        client.expect_bytes(b"\xff\xfe\x18");
        client.ending = "\r\n";
        client.expect(&confirmation(name));
        client
    }

    /// Connects a client without line endings, as those of the report are, and gives it a name.
    pub fn join_unframed(&self, name: &str) -> Client {
        let mut client = self.connect();
        client.send_bytes(format!("{name} | server | name | {name}").as_bytes());
        client.ending = "";
        client.expect(&confirmation(name));
        client
    }

    /// Requests a shutdown, as a signal does.
    pub fn stop(&self) {
        self.stop.send("test".to_owned()).expect("a server that listens to its stops");
    }

    /// Waits until the server has ended, and returns its result.
    ///
    /// # Errors
    /// If the server could not go on serving.
    pub fn ended(mut self) -> Result<Ended, ServeError> {
        self.join_thread().expect("not joined before")
    }

    fn join_thread(&mut self) -> Option<Result<Ended, ServeError>> {
        let thread = self.thread.take()?;
        wait_until("the server to end", || thread.is_finished());
        Some(thread.join().expect("the server not to panic"))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The second request skips draining, so that the test need not wait for its clients' connections to close.
        let _ = self.stop.send("test".to_owned());
        let _ = self.stop.send("test".to_owned());
        if !std::thread::panicking() {
            self.join_thread();
        }
    }
}

/// The line that confirms a name.
pub fn confirmation(name: &str) -> String {
    format!("server | {name} | connection_confirmation | You are now connected to the server")
}

/// Waits until `is_so`, for conditions that have no event. Checks every 2 ms, for at most [`DEADLINE`].
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// The path of the program, which Cargo builds for the integration tests, benches and examples of its package.
pub fn program() -> PathBuf {
    // Tests and benches are in `deps`, examples in `examples`, both beside the program.
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("arauto")
}

/// The program with these arguments, in an environment without its settings.
pub fn arauto<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments);
    without_settings(&mut command);
    command
}

/// Removes the program's settings from the environment of a command.
pub fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ARAUTO_") {
            command.env_remove(name);
        }
    }
    // The user's own settings file is not read either.
    command.env("XDG_CONFIG_HOME", "/no/such/folder");
    // Test servers use any free port for audio.
    command.env("ARAUTO_CLIENT_AUDIO_PORTS", "1-65535");
}
