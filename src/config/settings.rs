//! The server's settings: each with its meaning, type, default, form and bounds, and when a change of it takes effect.

#![allow(
    clippy::doc_markdown,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are also the text of config/arauto.toml and of the manual page, where [flood] is a section"
)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use arauto_settings::layers::{
    Addresses, Applies, ConfigError, Description, Host, HostNames, Label, Layers, Millis, OneOf, PathOf,
    Ports, ServerUrls, Setting, Settings, Span, Whole, YesNo, settings,
};

use super::{
    choices::{Allow, Level, LocalConnections, LogFormat},
    judge,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

const ZERO: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

const ADDRESSES: Addresses = Addresses { least: 0, most: 16 };
const FILE: PathOf = PathOf("file");

/// This port of 127.0.0.1.
fn local(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]
}

// Write `=> AtOnce` or `=> NewSessions` only for a setting that is read through `InForce` whenever it is needed, or
// whenever a session begins. Any other needs a restart.
settings! {
    /// The server's configuration; each field is a section of the file.
    pub struct Config {}

    /// Section `[server]`: listening addresses, threads and shutdown.
    server: Server {
        /// The addresses to listen on for plain TCP, IPv4 or IPv6, at most 16; a single one needs no brackets. Port 0:
        /// any free port. "[::]:1234" accepts IPv6 alone, here and in all other sections; for both, set
        /// ["0.0.0.0:1234", "[::]:1234"].
        /// []: no client can connect by plain TCP, only by TLS or from the page.
        /// If a service manager passes sockets (LISTEN_FDS), the server listens on those instead.
        listen: Vec<SocketAddr> = local(1234), ADDRESSES, "--listen";

        /// How many threads serve the sessions, 0 to 64. 0: one per core.
        workers: usize = 0, Whole(0..=64), "--workers";

        /// Number of sessions up to which the first of these threads serves them all, 0 to 1000000: waking a second
        /// thread for a few writes costs more than the writes. Set less if few clients send a lot and cores are idle.
        spread_above: usize = 16, Whole(0..=1_000_000) => NewSessions;

        /// How long a closing server waits for its sessions to take their last messages, "0s" to "10m".
        drain_timeout: Duration = 5 * SECOND, Span(ZERO..=10 * MINUTE) => AtOnce;

        /// How the server treats connections from this machine. "direct": as local users. They may send passwords
        /// unencrypted, [flood] does not limit them, and with close_server.allow = "loopback" they may close the
        /// server.
        /// A proxy on this machine (nginx, socat, ssh -L) forwards remote clients, which then seem local. "proxied":
        /// connections from this machine have no local rights, [flood] limits what each session sends, and passwords
        /// are refused unless they arrive by the server's own TLS or accounts.allow_plaintext is on. "tls_proxied": as
        /// "proxied", but passwords are accepted, because clients reach the proxy by TLS alone. Limits by address do
        /// not apply behind a proxy; see docs/proxies.md.
        local_connections: LocalConnections, OneOf::<LocalConnections>::new() => NewSessions;
    }

    /// Section `[tls]`: TLS addresses and certificates. An empty path means no file.
    tls: Tls {
        /// The addresses to listen on for TLS, beside those of [server], at most 16. They need certificate and key.
        listen: Vec<SocketAddr>, ADDRESSES;

        /// The server's certificate in PEM, followed by the intermediate certificates. `arauto cert` makes a
        /// certificate to try with. Paths in this file are relative to its folder. On SIGHUP, the server reads all
        /// three files of this section again.
        certificate: PathBuf, FILE => NewSessions;

        /// The certificate's private key in PEM, without a passphrase. Only the server's user should be able to read
        /// it.
        key: PathBuf, FILE => NewSessions;

        /// Certificates, in PEM, of the authorities that sign client certificates. A client that shows a certificate
        /// signed by one of them gets its common name without being asked; other clients are asked for a name as
        /// always, and may take any. "": the server asks for no client certificates.
        client_ca: PathBuf, FILE => NewSessions;
    }

    /// Section `[web]`: the web page.
    web: Web {
        /// The addresses that serve the page to browsers and the WebSocket (/tr2) to programs, at most 16. By default
        /// only this machine can reach them; "0.0.0.0:1280" opens them to the network. [] turns them off.
        listen: Vec<SocketAddr> = local(1280), ADDRESSES;

        /// As listen, by https with the certificate of [tls], at most 16 addresses.
        tls_listen: Vec<SocketAddr>, ADDRESSES;

        /// The names by which browsers may know this server, beside its addresses, localhost and its own name, at most
        /// 16. Requests for other names are refused: an attacker could point a name at this server to reach it through
        /// a local user's browser.
        hosts: Vec<String>, HostNames { most: 16 } => AtOnce;
    }

    /// Section `[media]`: audio streams.
    media: Media {
        /// The addresses to listen on for RTSP, by which users stream audio files to each other, at most 16. By default
        /// only this machine can reach them; users on other machines are told so. [] turns audio off, unless tls_listen
        /// is set.
        listen: Vec<SocketAddr> = local(1554), ADDRESSES;

        /// As listen, by TLS (rtsps) with the certificate of [tls], at most 16 addresses. Sound is encrypted only
        /// inside that connection, not by UDP.
        tls_listen: Vec<SocketAddr>, ADDRESSES;

        /// The host in the addresses of streams: a host name or an IP address of this server. "": for each client, the
        /// address by which it reached the server.
        public_host: String, Host;

        /// The UDP ports for RTP and RTCP, at least 8; a stream takes 4.
        udp_ports: RangeInclusive<u16> = 30_000..=30_999, Ports { least: 8 };

        /// Most streams at once, 1 to 1000.
        streams: usize = 32, Whole(1..=1_000);

        /// Most users at once that were asked to publish and have not begun, 1 to 1000.
        waiting: usize = 8, Whole(1..=1_000);

        /// How long a user who was asked to publish may take to begin, "1s" to "10m".
        publish_timeout: Duration = 10 * SECOND, Span(SECOND..=10 * MINUTE);

        /// Most listeners of one stream, 1 to 100000.
        listeners: usize = 1_000, Whole(1..=100_000);

        /// Most listeners of one stream that use the address given to one user, 1 to 100000.
        listeners_per_key: usize = 16, Whole(1..=100_000);

        /// Most listeners from one address, of all streams together, 1 to 100000. An IPv6 network of 64 bits counts as
        /// one address. Clients on this machine, or of a proxy on it, are exempt unless flood.loopback is true.
        listeners_per_address: usize = 128, Whole(1..=100_000) => NewSessions;

        /// Highest bit rate of one stream in bits per second, 8000 to 100000000. The server ends a stream that exceeds
        /// it. Uncompressed stereo at 44.1 kHz has 1.4 million.
        bit_rate: usize = 4_000_000, Whole(8_000..=100_000_000);

        /// How long a publisher may send nothing before the server ends its stream, "1s" to "1h". A paused publisher
        /// still reports.
        silence_timeout: Duration = 15 * SECOND, Span(SECOND..=HOUR);

        /// How long a stream goes on without listeners, "0s" to "1h"; "0s": to its end. Set more if users type the
        /// address into a player by hand.
        unheard_timeout: Duration = 5 * SECOND, Span(ZERO..=HOUR) => AtOnce;
    }

    /// Section `[monitoring]`: metrics and health checks.
    monitoring: Monitoring {
        /// The addresses that serve metrics (/metrics for Prometheus, /stats as JSON) and health (/healthz, /readyz) by
        /// HTTP, at most 16. Any client that reaches such an address can read everything; by default only this machine
        /// can. [] turns monitoring off. Requests must name the server as for the page, see web.hosts.
        listen: Vec<SocketAddr> = local(1281), ADDRESSES;
    }

    /// Section `[cluster]`: several servers as one, which share names and messages over NATS.
    cluster: Cluster {
        /// The NATS servers with JetStream, at most 16, such as "nats://10.0.0.1:4222"; "tls://" encrypts. []: this
        /// server is alone, and the rest of this section has no effect. Needs a limits.outbox_bytes of 524288 or more,
        /// and a limits.slow_reader_wait of 5s or less.
        /// Nodes trust each other and the NATS servers: each can read all messages, private ones included, and take any
        /// name. NATS keeps messages in its files for log_age.
        servers: Vec<String>, ServerUrls { schemes: &["nats", "tls"], most: 16 };

        /// The name of the cluster, 1 to 32 of the characters a to z, 0 to 9 and -. Servers of one name are one.
        name: String = "arauto".to_owned(), Label { may_be_empty: false };

        /// The name of this server in the cluster, of the same form, which no other has at the same time. It must be set
        /// where servers is.
        node: String, Label { may_be_empty: true };

        /// A file with the credentials of this server's NATS user: what `nsc` writes, the seed of an nkey, or a line
        /// user:password. Each server needs a user of its own. "": none.
        credentials: PathBuf, FILE;

        /// Certificates, in PEM, of the authorities that sign the certificates of the NATS servers. "": those that the
        /// system trusts.
        tls_ca: PathBuf, FILE;

        /// How many NATS servers keep the log, 1 to 3, and not 2: those are lost with either of them. With 3, the cluster
        /// outlives the loss of one.
        replicas: usize = 1, Whole(1..=3);

        /// Bytes of the log that NATS keeps, 1048576 to 1099511627776. A server that is behind by more joins anew.
        log_bytes: usize = GIB, Whole(MIB..=1024 * GIB);

        /// How long NATS keeps a message of the log, "1m" to "1day".
        log_age: Duration = 10 * MINUTE, Span(MINUTE..=24 * HOUR);

        /// How long clients wait, connected, for a log that stands still, "10s" to "10m". Then the server disconnects
        /// them. While NATS is out of reach, it does so after 6 s.
        patience: Duration = 30 * SECOND, Span(10 * SECOND..=10 * MINUTE);

        /// Whether to run on NATS servers of other machines that let this server's user write what only they may: true
        /// or false.
        trust_nats: bool, YesNo;

        /// Whether to end with status 1 if none of the NATS servers answers within 10 s of the start, true or false. By
        /// default the server waits for them, lets nobody in, and says so.
        once: bool, YesNo, "--once";
    }

    /// Section `[limits]`: sizes, times and memory.
    limits: Limits {
        /// Longest message in bytes, without its line ending, 64 to 65536.
        message_bytes: usize = 1024, Whole(64..=64 * KIB);

        /// How long a client may stay connected without a name, "10ms" to "1h".
        name_timeout: Duration = MINUTE, Span(10 * MILLISECOND..=HOUR) => NewSessions;

        /// Most time from the beginning of a line to its end, "0s" to "1h"; "0s": no limit. The server drops a line
        /// that takes longer and tells its sender; the session goes on. Programs send whole lines, and so do netcat and
        /// telnet where the terminal keeps a line until Enter; 2 minutes suit a telnet that sends each key, and a slow
        /// typist. The line that gives a name is limited by name_timeout alone.
        line_timeout: Duration = 2 * MINUTE, Span(ZERO..=HOUR) => NewSessions;

        /// How long a client that has a name may send nothing, "0s" to "1day"; "0s": no limit. Then the server tells it
        /// so and disconnects it. Off by default, because many clients only listen; dead connections are found without
        /// it.
        idle_timeout: Duration = ZERO, Span(ZERO..=24 * HOUR) => NewSessions;

        /// Most sessions at once, 1 to 1000000. The server tells a further client so and disconnects it.
        max_sessions: usize = 10_000, Whole(1..=1_000_000);

        /// The part of max_sessions that is reserved for accounts, 0 to 1000000, and at most half of them. When no
        /// other place is left, a client may still connect and give the name and password of an account; any other is
        /// told that the server is full. Half of the reserved places are for operators. Without accounts, none are
        /// reserved.
        reserved_sessions: usize = 8, Whole(0..=1_000_000) => NewSessions;

        /// Bytes that may wait to be written to one client, 4096 to 1073741824 and at least twice message_bytes. While
        /// more are waiting, the server does not read from the clients that send to it: they are slowed, and no message
        /// is lost. A message to all counts for each client, but memory holds it once.
        outbox_bytes: usize = MIB, Whole(4 * KIB..=GIB);

        /// Memory that the messages waiting for all clients may take together, in bytes, 1048576 to 1099511627776.
        /// Above it, the server disconnects the clients of the address with the most data waiting the longest, until a
        /// sixteenth is free. Each waiting message counts 96 bytes more than its text; a message to all does not count,
        /// because the server keeps one copy of it. Set this well below the limit of the service manager (MemoryMax=).
        outboxes_bytes: usize = 256 * MIB, Whole(MIB..=1024 * GIB) => AtOnce;

        /// How long a client with more than outbox_bytes waiting may take nothing, "0s" to "10m"; then the server
        /// disconnects it.
        /// A client that stops reading holds others back for at most this time.
        slow_reader_grace: Duration = 250 * MILLISECOND, Span(ZERO..=10 * MINUTE) => NewSessions;

        /// How long messages to all may wait for such clients, summed over any 10 s, "0s" to "10s"; "10s": no limit. A
        /// client that reads too slowly is not disconnected by slow_reader_grace, and slows every client that sends to
        /// all. Once the sum is reached, the server disconnects the clients that it waited for longest. Waits of up to
        /// 50 ms are not counted and always allowed while broadcasts make progress between them, so a fast sender is
        /// slowed to the speed of clients that read as fast as they can. 2 s leave the others four fifths of their
        /// time, however many clients read slowly.
        slow_reader_wait: Duration = 2 * SECOND, Span(ZERO..=10 * SECOND) => AtOnce;

        /// Bytes of one client's messages that may be in progress in the server, 1024 to 67108864; a short line counts
        /// as 64. While more than half is in use, the server does not read from that client, and TCP slows it down.
        inflight_bytes: usize = 64 * KIB, Whole(KIB..=64 * MIB) => NewSessions;
    }

    /// Section `[flood]`: rates and counts per client and per address.
    flood: Flood {
        /// Whether this section also limits clients on this machine: true or false. It bounds what one client, or one
        /// address, may send and open in a given time.
        ///
        /// With the defaults, a class of 60 behind one address of its school never reaches a limit. A person types less
        /// than one message a second, a text of 500 lines can be pasted, and a program that waits for each answer
        /// before it sends again stays below 50 a second wherever a round trip takes 20 ms. 60 users with 5 programs
        /// each are 300 sessions; 60 users who each connect 10 times within one minute, because their program does not
        /// work yet, are 600 connections. Connections of browsers for the page are counted separately, eight times as
        /// many. A client that sends at the full rate to 100 others makes 5,000 deliveries a second, a few hundredths
        /// of what one core carries.
        loopback: bool, YesNo => NewSessions;

        /// Messages that a session may send per second on average, 0 to 1000000, 0: no limit; and at once after it was
        /// silent, 1 to 1000000. Messages above that are refused, and the answer says when to try again.
        message_rate: usize = 50, Whole(0..=1_000_000) => NewSessions;
        message_burst: usize = 500, Whole(1..=1_000_000) => NewSessions;

        /// Bytes that a session may send per second on average, 0 to 1073741824, 0: no limit; and at once after it was
        /// silent, 1 to 1073741824. Line endings of messages do not count. A burst smaller than message_bytes counts as
        /// message_bytes.
        byte_rate: usize = 128 * KIB, Whole(0..=GIB) => NewSessions;
        byte_burst: usize = 512 * KIB, Whole(1..=GIB) => NewSessions;

        /// Refusals for sending too fast, 1 to 1000000, within a time, "1s" to "1h", after which the server disconnects
        /// a session and tells it why. Each refused message counts, and each read of bytes that form no message. The
        /// time begins with the first.
        refusals: usize = 100, Whole(1..=1_000_000) => NewSessions;
        refusal_window: Duration = 10 * SECOND, Span(SECOND..=HOUR) => NewSessions;

        /// Most sessions from one address, 0 to 1000000, 0: no limit. An IPv6 network of 64 bits counts as one address.
        sessions_per_address: usize = 300, Whole(0..=1_000_000) => NewSessions;

        /// Connections per minute from one address, and also how many may come at once, 0 to 1000000, 0: no limit.
        joins_per_minute: usize = 600, Whole(0..=1_000_000) => NewSessions;
    }

    /// Section `[compat]`: timing for unframed clients.
    compat: Compat {
        /// Clients that send no line endings ("unframed") tell messages apart by pauses alone. This is the shortest
        /// pause that the server leaves between two messages to such a client, in milliseconds, 0 to 5000.
        unframed_gap as "unframed_gap_ms": Duration = 50 * MILLISECOND, Millis(0..=5000) => NewSessions;

        /// Silence in milliseconds, 1 to 5000: after a name without a line ending, its client counts as unframed; after
        /// an unframed message that looks incomplete, the server stops waiting for the rest.
        unframed_wait as "unframed_wait_ms": Duration = 50 * MILLISECOND, Millis(1..=5000) => NewSessions;
    }

    /// Section `[accounts]`: names that are protected by a password. An empty path means no file.
    accounts: Accounts {
        /// The file of accounts, whose names are given only for their passwords; `arauto passwd NAME` makes its
        /// entries. "": none. Only the server's user should be able to read it. Paths in this file are relative to its
        /// folder; on SIGHUP, the server reads it again.
        file: PathBuf, FILE => AtOnce;

        /// Whether only clients with an account may join: true or false.
        required: bool, YesNo => AtOnce;

        /// Whether a password may cross a network unencrypted, readable to anyone on the way: true or false. If false,
        /// passwords are accepted only from the server's own machine and by TLS.
        allow_plaintext: bool, YesNo => AtOnce;

        /// The file that keeps bans across restarts; the server writes it. "": bans end with the server.
        bans_file: PathBuf, FILE;
    }

    /// Section `[close_server]`: the right to close the server.
    close_server: CloseServer {
        /// The clients whose close_server is obeyed: "anyone", "operators" (see [accounts]), "loopback" (clients
        /// connected from this machine) or "nobody".
        allow: Allow, OneOf::<Allow>::new() => AtOnce;
    }

    /// Section `[log]`: level and format of the log.
    log: Log {
        /// The least severe records that are written: "error", "warn", "info" (joins, leaves, refusals), "debug" (every
        /// message received and sent) or "trace".
        level: Level, OneOf::<Level>::new(), "--log-level" => AtOnce;

        /// The format of the log on stderr: "text", a line per record, or "json", a JSON object per line.
        format: LogFormat, OneOf::<LogFormat>::new(), "--log-format";
    }
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

impl Flood {
    /// Whether these limits apply to a client; `is_local`: it connects from this machine.
    #[must_use]
    pub fn governs(&self, is_local: bool) -> bool {
        !is_local || self.loopback
    }
}

impl Settings for Config {
    const PREFIX: &'static str = "ARAUTO_";

    const FOREIGN: &'static [&'static str] = &["ARAUTO_CLIENT_"];

    const HEADING: &'static str = "\
# Every setting of Arauto, with its default. Use this file with `arauto serve --config FILE`, or name it in
# ARAUTO_CONFIG. An environment variable overrides this file, and a flag overrides both; `arauto config` shows
# each value and its origin. On SIGHUP, a running server reads the file again; the manual page (`arauto man`)
# says which settings need a restart. Durations are written with their unit: \"500ms\", \"5s\", \"1m 30s\".
";

    fn table() -> &'static [Setting<Self>] {
        Self::TABLE
    }

    fn judge(layers: &Layers<Self>) -> Vec<ConfigError> {
        judge::judge(layers)
    }
}

/// Descriptions of all settings, in the order of the table, and when a change of each takes effect in a running server.
pub fn describe() -> impl Iterator<Item = (Description, Applies)> {
    Config::describe().zip(Config::table().iter().map(|setting| setting.applies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_burst_and_a_window_share_the_meaning_of_their_rate() {
        let shared = Config::table().iter().filter(|setting| setting.meaning.is_empty()).map(Setting::path);
        assert_eq!(
            shared.collect::<Vec<_>>(),
            ["flood.message_burst", "flood.byte_burst", "flood.refusal_window"]
        );
    }
}
