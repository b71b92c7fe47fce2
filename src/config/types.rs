//! The server's configuration as plain data.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arauto_settings::layers::Choice;

/// The server's configuration; each field is a section of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// How the server listens and runs.
    pub server: Server,
    /// Listening by TLS, and its certificates.
    pub tls: Tls,
    /// The web page.
    pub web: Web,
    /// Audio that users stream to each other.
    pub media: Media,
    /// Metrics and health checks.
    pub monitoring: Monitoring,
    /// Limits on the resources that a client, or all clients together, may use.
    pub limits: Limits,
    /// Flood control: rates and counts per client and per address.
    pub flood: Flood,
    /// Timing for unframed clients, whose messages have no line ending.
    pub compat: Compat,
    /// Names that are protected by a password.
    pub accounts: Accounts,
    /// The clients that may close the server.
    pub close_server: CloseServer,
    /// Level and format of the log.
    pub log: Log,
}

/// Section `[server]`: listening addresses, threads and shutdown.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The addresses to listen on for plain TCP; with port 0 the system chooses a port.
    pub listen: Vec<SocketAddr>,
    /// Threads that serve sessions; 0 is one per core, see [`Server::worker_count`].
    pub workers: usize,
    /// Up to this many sessions, all are served by the first worker.
    pub spread_above: usize,
    /// Most time that a closing server waits for its sessions to send their queued data.
    pub drain_timeout: Duration,
    /// How to treat connections from this machine.
    pub local_connections: LocalConnections,
}

/// How to treat connections from the server's own machine. Through a proxy, remote clients connect from the machine's
/// own address, and the server cannot tell them apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalConnections {
    /// Connections of local users: trusted with passwords and `close_server`, and exempt from flood control.
    #[default]
    Direct,
    /// Connections of a proxy for remote clients that connect to it without TLS.
    Proxied,
    /// Connections of a proxy for remote clients that connect to it by TLS.
    TlsProxied,
}

impl Server {
    /// Number of workers to start; 0 is resolved to the number of cores that this process may use, or 1 if that is
    /// unknown.
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

/// Section `[tls]`: TLS addresses and certificates. An empty path means no file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// The addresses to listen on for TLS; none by default.
    pub listen: Vec<SocketAddr>,
    /// The server's certificate chain, as PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, as PEM.
    pub key: PathBuf,
    /// Certificate authorities, as PEM. A client certificate that one of them signed gives the client its name.
    pub client_ca: PathBuf,
}

impl Config {
    /// Resolves relative paths against `folder`.
    pub(super) fn see_from(&mut self, folder: &Path) {
        let Self { tls: Tls { certificate, key, client_ca, .. }, accounts, .. } = self;
        for path in [certificate, key, client_ca, &mut accounts.file, &mut accounts.bans_file] {
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
    }
}

/// Section `[web]`: the web page.
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// The addresses that serve the page by HTTP.
    pub listen: Vec<SocketAddr>,
    /// The addresses that serve the page by HTTPS, with the certificate of `[tls]`.
    pub tls_listen: Vec<SocketAddr>,
    /// Host names that browsers may use for this server, beside `localhost` and its addresses.
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

/// Section `[media]`: audio streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The addresses to listen on for RTSP. Without any, and without `tls_listen`, there is no audio.
    pub listen: Vec<SocketAddr>,
    /// The addresses to listen on for RTSP by TLS, with the certificate of `[tls]`.
    pub tls_listen: Vec<SocketAddr>,
    /// The server's host in the addresses of streams. If empty, the address by which a client reached the server.
    pub public_host: String,
    /// The ports for RTP and RTCP.
    pub udp_ports: RangeInclusive<u16>,
    /// Most streams at once.
    pub streams: usize,
    /// Most users at once that were asked to publish and have not begun.
    pub waiting: usize,
    /// Most time from such a request until the user publishes.
    pub publish_timeout: Duration,
    /// Most listeners of one stream.
    pub listeners: usize,
    /// Most listeners of one stream that use one key.
    pub listeners_per_key: usize,
    /// Most listeners, of all streams together, from one address of another machine.
    pub listeners_per_address: usize,
    /// Highest bit rate of one stream in bits per second, RTP headers included.
    pub bit_rate: usize,
    /// Time without data from its publisher after which a stream is ended.
    pub silence_timeout: Duration,
    /// Time without listeners after which a stream is ended; zero means never.
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

/// Section `[monitoring]`: metrics and health checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    /// The addresses that serve metrics and health.
    pub listen: Vec<SocketAddr>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1281))] }
    }
}

/// Section `[limits]`: sizes, times and memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Longest message in bytes, without its line ending.
    pub message_bytes: usize,
    /// Most time that a client may stay connected without a name.
    pub name_timeout: Duration,
    /// Most time from the beginning of a line to its end; zero means no limit.
    pub line_timeout: Duration,
    /// Most time that a client may send nothing; zero means no limit.
    pub idle_timeout: Duration,
    /// Most sessions at once.
    pub max_sessions: usize,
    /// The part of `max_sessions` that is reserved for accounts.
    pub reserved_sessions: usize,
    /// Bytes that may wait to be written to one session. While more are waiting, the server does not read from the
    /// sessions that send to it.
    pub outbox_bytes: usize,
    /// Most memory in bytes that queued data of all sessions together may take.
    pub outboxes_bytes: usize,
    /// Most time that a session with more than `outbox_bytes` waiting may take no data before it is ended.
    pub slow_reader_grace: Duration,
    /// Most time that broadcasts may wait for full receivers, summed over any 10 s.
    pub slow_reader_wait: Duration,
    /// Bytes of requests that one session may have unanswered; above it, the server stops reading from the session.
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

/// Section `[flood]`: rates and counts per client and per address.
#[derive(Clone, Debug, PartialEq)]
pub struct Flood {
    /// Whether these limits also apply to clients on this machine.
    pub loopback: bool,
    /// Messages per second from one session; 0 means no limit.
    pub message_rate: usize,
    /// Burst size in messages: what a session may send at once after a silence.
    pub message_burst: usize,
    /// Bytes per second from one session; 0 means no limit.
    pub byte_rate: usize,
    /// Burst size in bytes: what a session may send at once after a silence.
    pub byte_burst: usize,
    /// Refused messages within [`Flood::refusal_window`] after which a session is ended.
    pub refusals: usize,
    /// Time in which refusals are counted together; it starts with a refusal.
    pub refusal_window: Duration,
    /// Most sessions from one address; 0 means no limit.
    pub sessions_per_address: usize,
    /// Connections per minute from one address, and also the burst size; 0 means no limit.
    pub joins_per_minute: usize,
}

impl Flood {
    /// Whether these limits apply to a client; `is_local`: it connects from this machine.
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

/// Section `[compat]`: timing for unframed clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Compat {
    /// Shortest pause between two messages to an unframed client.
    pub unframed_gap: Duration,
    /// Silence after a name without a line ending after which its client counts as unframed, and after an unframed
    /// message that looks incomplete after which it is taken as whole.
    pub unframed_wait: Duration,
}

impl Default for Compat {
    fn default() -> Self {
        Self { unframed_gap: Duration::from_millis(50), unframed_wait: Duration::from_millis(50) }
    }
}

/// Section `[accounts]`: names that are protected by a password. An empty path means no file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    /// The accounts file.
    pub file: PathBuf,
    /// Whether only clients with an account may join.
    pub required: bool,
    /// Whether a password may cross a network unencrypted.
    pub allow_plaintext: bool,
    /// The file that keeps bans across restarts.
    pub bans_file: PathBuf,
}

/// Section `[close_server]`: the right to close the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloseServer {
    /// The clients whose `close_server` is obeyed.
    pub allow: Allow,
}

/// The clients whose `close_server` is obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Any client.
    Anyone,
    /// Operators, see [`Accounts`].
    Operators,
    /// Clients that are connected from this machine.
    #[default]
    Loopback,
    /// No client; only a signal closes the server.
    Nobody,
}

/// Section `[log]`: level and format of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The least severe level that is written.
    pub level: Level,
    /// The format of a record.
    pub format: LogFormat,
}

/// Severity of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Failures that should not happen.
    Error,
    /// Problems that the server survives.
    Warn,
    /// Start, end, joins, leaves, refusals.
    #[default]
    Info,
    /// Every message received and sent.
    Debug,
    /// Records of the libraries, too.
    Trace,
}

/// The format of a log record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object on one line.
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
