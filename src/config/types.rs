//! What can be set, as plain data.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layers::Choice;

/// All that can be set, one field a section of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Where and how the server runs.
    pub server: Server,
    /// Encrypted connections.
    pub tls: Tls,
    /// The page.
    pub web: Web,
    /// Audio that users stream to each other.
    pub media: Media,
    /// What those who watch over the server are told.
    pub monitoring: Monitoring,
    /// What one client, or all of them, may take.
    pub limits: Limits,
    /// What one client, or one address, may send and open in a given time.
    pub flood: Flood,
    /// Clients that end their messages with nothing but a pause.
    pub compat: Compat,
    /// Whose names are only given for a password.
    pub accounts: Accounts,
    /// Who may close the server.
    pub close_server: CloseServer,
    /// What is logged, and how.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The addresses to listen on; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Threads that serve sessions; 0 is one a core, see [`Server::worker_count`].
    pub workers: usize,
    /// Up to so many sessions are all served by the first worker.
    pub spread_above: usize,
    /// How long a closing server waits for its sessions to take their last bytes.
    pub drain_timeout: Duration,
    /// Whose connections come from this machine.
    pub local_connections: LocalConnections,
}

/// Whose connections come from the server's own machine. A proxy makes other people's connections look like the machine's
/// own, and no server can tell them apart by their address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalConnections {
    /// The machine's own users': trusted with passwords and `close_server`, and exempt from flood control.
    #[default]
    Direct,
    /// A proxy's, on behalf of clients elsewhere that it talks to in the open.
    Proxied,
    /// A proxy's, on behalf of clients elsewhere that it talks to by TLS.
    TlsProxied,
}

impl Server {
    /// How many workers to start, with 0 resolved to the cores this process may use.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1234))],
            workers: 0,
            spread_above: 16,
            drain_timeout: Duration::from_secs(5),
            local_connections: LocalConnections::Direct,
        }
    }
}

/// `[tls]`. An empty path stands for no file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// The addresses to listen on for TLS; none by default.
    pub listen: Vec<SocketAddr>,
    /// The server's certificate and those between it and its issuer's, as PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, as PEM.
    pub key: PathBuf,
    /// Whose signature on a client's certificate gives the client its name, as PEM.
    pub client_ca: PathBuf,
}

impl Config {
    /// Takes relative paths as seen from `folder`.
    pub(super) fn see_from(&mut self, folder: &Path) {
        let Self { tls: Tls { certificate, key, client_ca, .. }, accounts, .. } = self;
        for path in [certificate, key, client_ca, &mut accounts.file, &mut accounts.bans_file] {
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
    }
}

/// `[web]`
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// The addresses at which the page is to be had.
    pub listen: Vec<SocketAddr>,
    /// The same by https, with the certificate of `[tls]`.
    pub tls_listen: Vec<SocketAddr>,
    /// Names by which browsers know this server, beside `localhost` and its addresses.
    pub hosts: Vec<String>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1280))],
            tls_listen: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// `[media]`
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The addresses to listen on for RTSP; none turns audio off.
    pub listen: Vec<SocketAddr>,
    /// The same by TLS, with the certificate of `[tls]`.
    pub tls_listen: Vec<SocketAddr>,
    /// What the server is called in the addresses of streams. Empty: the address at which a client reached it.
    pub public_host: String,
    /// The ports for RTP and RTCP.
    pub udp_ports: RangeInclusive<u16>,
    /// The most streams at once.
    pub streams: usize,
    /// The most users that were asked to publish and have not begun.
    pub waiting: usize,
    /// How long such a user may take.
    pub publish_timeout: Duration,
    /// The most that listen to one stream.
    pub listeners: usize,
    /// The most of them that listen with one key.
    pub listeners_per_key: usize,
    /// The most that listen from one address of another machine, to all streams together.
    pub listeners_per_address: usize,
    /// The most bits a second that one stream may have, headers of RTP included.
    pub bit_rate: usize,
    /// How long a publisher may send nothing before its stream is ended.
    pub silence_timeout: Duration,
    /// How long a stream goes on while nobody listens to it; zero is for ever.
    pub unheard_timeout: Duration,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1554))],
            tls_listen: Vec::new(),
            public_host: String::new(),
            udp_ports: 30_000..=30_999,
            streams: 32,
            waiting: 8,
            publish_timeout: Duration::from_secs(10),
            listeners: 1_000,
            listeners_per_key: 16,
            listeners_per_address: 128,
            bit_rate: 4_000_000,
            silence_timeout: Duration::from_secs(15),
            unheard_timeout: Duration::from_secs(5),
        }
    }
}

/// `[monitoring]`
#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    /// The addresses at which the server's figures and its health are to be had.
    pub listen: Vec<SocketAddr>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1281))] }
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The longest message, in bytes, without its line ending.
    pub message_bytes: usize,
    /// How long a client may stay connected without a name.
    pub name_timeout: Duration,
    /// How long the end of a line may be behind its beginning; zero is for ever.
    pub line_timeout: Duration,
    /// How long a client may send nothing; zero is for ever.
    pub idle_timeout: Duration,
    /// The most sessions at once.
    pub max_sessions: usize,
    /// How many of these are kept for accounts.
    pub reserved_sessions: usize,
    /// What may wait to be written to one session; while more does, nothing is read from those who send to it.
    pub outbox_bytes: usize,
    /// The memory that all that waits to be written may take, of all sessions together.
    pub outboxes_bytes: usize,
    /// How long a session with more than that waiting may go without taking anything before it is ended.
    pub slow_reader_grace: Duration,
    /// How long broadcasts may wait for full receivers, in sum over any 10 s.
    pub slow_reader_wait: Duration,
    /// What one session may have unanswered; past it, the server stops reading from it.
    pub inflight_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1024,
            name_timeout: Duration::from_mins(1),
            line_timeout: Duration::from_mins(2),
            idle_timeout: Duration::ZERO,
            max_sessions: 10_000,
            reserved_sessions: 8,
            outbox_bytes: 1024 * 1024,
            outboxes_bytes: 256 * 1024 * 1024,
            slow_reader_grace: Duration::from_millis(250),
            slow_reader_wait: Duration::from_secs(2),
            inflight_bytes: 64 * 1024,
        }
    }
}

/// `[flood]`
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    /// Whether clients on this machine are held to these limits too.
    pub loopback: bool,
    /// Messages a second from one session; 0 is any number.
    pub message_rate: usize,
    /// Messages at once from one session that was silent before.
    pub message_burst: usize,
    /// Bytes a second from one session; 0 is any number.
    pub byte_rate: usize,
    /// Bytes at once from one session that was silent before.
    pub byte_burst: usize,
    /// How many of a session's messages are refused within [`Flood::refusal_window`] before it is ended.
    pub refusals: usize,
    /// The time in which refusals count together; it begins with one.
    pub refusal_window: Duration,
    /// Sessions from one address; 0 is any number.
    pub sessions_per_address: usize,
    /// Connections a minute from one address, and at once; 0 is any number.
    pub joins_per_minute: usize,
}

impl Flood {
    /// Whether someone is held to these limits.
    #[must_use]
    pub fn governs(&self, is_local: bool) -> bool {
        !is_local || self.loopback
    }
}

impl Default for Flood {
    fn default() -> Self {
        Self {
            loopback: false,
            message_rate: 50,
            message_burst: 500,
            byte_rate: 128 * 1024,
            byte_burst: 512 * 1024,
            refusals: 100,
            refusal_window: Duration::from_secs(10),
            sessions_per_address: 300,
            joins_per_minute: 600,
        }
    }
}

/// `[compat]`
#[derive(Clone, Debug, PartialEq)]
pub struct Compat {
    /// The least pause between two messages to an unframed client.
    pub unframed_gap: Duration,
    /// The silence after a name without a line ending that marks its client as unframed, and after an unframed
    /// message that looks cut.
    pub unframed_wait: Duration,
}

impl Default for Compat {
    fn default() -> Self {
        Self { unframed_gap: Duration::from_millis(50), unframed_wait: Duration::from_millis(50) }
    }
}

/// `[accounts]`. An empty path stands for no file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    /// The accounts file.
    pub file: PathBuf,
    /// Whether nobody else may enter.
    pub required: bool,
    /// Whether a password may cross a network unencrypted.
    pub allow_plaintext: bool,
    /// Where bans are kept when the server ends.
    pub bans_file: PathBuf,
}

/// `[close_server]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloseServer {
    /// Whose `close_server` is obeyed.
    pub allow: Allow,
}

/// Whose `close_server` is obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Any client.
    Anyone,
    /// Operators, see [`Accounts`].
    Operators,
    /// Clients connected from this machine.
    #[default]
    Loopback,
    /// No client; only a signal closes the server.
    Nobody,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The least severe records that are written.
    pub level: Level,
    /// The shape of a record.
    pub format: LogFormat,
}

/// How severe a log record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Something failed that should not have.
    Error,
    /// Something is wrong, and the server goes on.
    Warn,
    /// Start, end, joins, leaves, refusals.
    #[default]
    Info,
    /// Every message received and sent.
    Debug,
    /// What the libraries beneath say, too.
    Trace,
}

/// The shape of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object on a line.
    Json,
}

impl Choice for Allow {
    const ALL: &'static [(&'static str, Self)] = &[
        ("anyone", Self::Anyone),
        ("operators", Self::Operators),
        ("loopback", Self::Loopback),
        ("nobody", Self::Nobody),
    ];
}

impl Choice for LocalConnections {
    const ALL: &'static [(&'static str, Self)] =
        &[("direct", Self::Direct), ("proxied", Self::Proxied), ("tls_proxied", Self::TlsProxied)];
}

impl Choice for Level {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
