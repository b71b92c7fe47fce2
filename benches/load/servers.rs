//! The servers under load, each a child process, and their cost according to the system.

use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use arauto_testkit::without_settings;

use crate::wire::Wire;

/// Time that a server may take to start, or for any other awaited operation.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Interval at which another process is polled.
pub const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Size of DATA from which arauto gets wider limits than those of `config/bench.toml`.
const LARGE: usize = 1900;

/// A server that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The protocol, which also determines the server.
    pub wire: Wire,
    /// Number of arauto's worker threads; `None` for the others, which have no such setting.
    pub workers: Option<usize>,
    /// The server relays audio, not messages.
    pub is_of_sound: bool,
}

impl Kind {
    /// The bare `write()`.
    pub const FLOOR: Self = Self { wire: Wire::Write, workers: None, is_of_sound: false };

    /// The bare `sendto()`.
    pub const SENDTO: Self = Self { is_of_sound: true, ..Self::FLOOR };

    /// Arauto with audio.
    pub const RELAY: Self = Self { wire: Wire::Arauto, workers: Some(1), is_of_sound: true };

    /// NATS.
    pub const NATS: Self = Self { wire: Wire::Nats, ..Self::FLOOR };

    /// Servers of other projects.
    pub const PEERS: [Self; 2] = [Self { wire: Wire::Redis, ..Self::FLOOR }, Self::NATS];

    /// Arauto, the subject of the measurements.
    pub fn arauto(workers: usize) -> Self {
        Self { wire: Wire::Arauto, workers: Some(workers), is_of_sound: false }
    }

    /// Arauto, with a number and a time before each line.
    pub fn arauto_with_tags(workers: usize) -> Self {
        Self { wire: Wire::Tagged, workers: Some(workers), is_of_sound: false }
    }

    /// Arauto through WebSockets.
    pub fn arauto_by_websocket(workers: usize) -> Self {
        Self { wire: Wire::WebSocket, workers: Some(workers), is_of_sound: false }
    }

    /// Name in the `server` column.
    pub fn name(self) -> &'static str {
        match self.wire {
            Wire::Arauto => "arauto",
            Wire::Tagged => "arauto with tags",
            Wire::WebSocket => "arauto by websocket",
            Wire::Write if self.is_of_sound => "sendto",
            Wire::Write => "write",
            Wire::Redis => "redis",
            Wire::Nats => "nats",
        }
    }

    /// Name of the program, if it must be installed already.
    fn foreign(self) -> Option<&'static str> {
        match self.wire {
            Wire::Arauto | Wire::Tagged | Wire::WebSocket | Wire::Write => None,
            Wire::Redis => Some("redis-server"),
            Wire::Nats => Some("nats-server"),
        }
    }

    /// Name of the required program that is not installed, if any.
    pub fn lacks(self) -> Option<&'static str> {
        self.foreign().filter(|program| installed(program).is_none())
    }

    fn command(self, port: u16, size: usize) -> Result<Command> {
        let port = port.to_string();
        let mut command = match (self.wire, self.foreign()) {
            (Wire::Arauto | Wire::Tagged | Wire::WebSocket, _) => Command::new(env!("CARGO_BIN_EXE_arauto")),
            (_, Some(program)) => Command::new(installed(program).context("not installed")?),
            (_, None) => Command::new(std::env::current_exe()?),
        };
        match self.wire {
            Wire::Arauto | Wire::Tagged | Wire::WebSocket => {
                without_settings(&mut command);
                if size >= LARGE {
                    // Room for a window of 16 of the largest messages with their headers.
                    command.env("ARAUTO_LIMITS_MESSAGE_BYTES", (size + 1024).to_string());
                    command.env("ARAUTO_LIMITS_INFLIGHT_BYTES", "4194304");
                    command.env("ARAUTO_LIMITS_OUTBOX_BYTES", "8388608");
                }
                let workers = self.workers.unwrap_or(1).to_string();
                command.args([
                    "serve",
                    "--config",
                    concat!(env!("CARGO_MANIFEST_DIR"), "/config/bench.toml"),
                ]);
                let (here, nowhere) = (format!("127.0.0.1:{port}"), String::new());
                let (listen, web) =
                    if self.wire == Wire::WebSocket { (nowhere, here) } else { (here, nowhere) };
                command.args(["--workers", &workers]);
                command.env("ARAUTO_SERVER_LISTEN", listen).env("ARAUTO_WEB_LISTEN", web);
                command.env("ARAUTO_MONITORING_LISTEN", "");
                command.env("ARAUTO_MEDIA_LISTEN", if self.is_of_sound { "127.0.0.1:0" } else { "" });
                // The load is faster than any audio stream.
                command.env("ARAUTO_MEDIA_BIT_RATE", "100000000");
                // All listeners use one key: the cost of a datagram does not depend on the key.
                command.env("ARAUTO_MEDIA_LISTENERS_PER_KEY", "1000");
            }
            Wire::Write if self.is_of_sound => drop(command.args(["floor-of-datagrams", &port])),
            Wire::Write => drop(command.args(["floor", &port])),
            Wire::Redis => {
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
                command.args(["--maxclients", "15000", "--client-output-buffer-limit", "pubsub 0 0 0"]);
            }
            Wire::Nats => drop(command.args(["-a", "127.0.0.1", "-p", &port])),
        }
        Ok(command)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.workers.map_or(Ok(()), |workers| write!(f, "/{workers}"))
    }
}

/// A running server. Dropping it kills the server.
pub struct Server {
    kind: Kind,
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a server with room for messages of `size` bytes of DATA, and waits until it listens.
    pub fn start(kind: Kind, size: usize) -> Result<Self> {
        Self::start_with(kind, size, |_| {})
    }

    /// As [`Self::start`], with more settings.
    pub fn start_with(kind: Kind, size: usize, configure: impl FnOnce(&mut Command)) -> Result<Self> {
        // A port that was free a moment ago: not all of these servers report a port that they chose.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = kind.command(port, size)?;
        configure(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{kind} does not start"))?;
        let mut server = Self { kind, child, port };
        let deadline = Instant::now() + DEADLINE;
        while !server.listens()? {
            if let Some(status) = server.child.try_wait()? {
                bail!("{kind} ended at once, {status}: {command:?}");
            }
            ensure!(Instant::now() < deadline, "{kind} did not listen within {DEADLINE:?}");
            thread::sleep(LOOK_AGAIN);
        }
        Ok(server)
    }

    /// The protocol of the server.
    pub fn wire(&self) -> Wire {
        self.kind.wire
    }

    /// The address at which the server listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Reads the system's table of sockets: a test connection would be one more for the server to count.
    fn listens(&self) -> Result<bool> {
        // 127.0.0.1 as the system prints it on a little-endian machine, and the state LISTEN.
        let listener =
            format!("{:08X}:{:04X} 00000000:0000 0A", u32::from_ne_bytes([127, 0, 0, 1]), self.port);
        let sockets = fs::read_to_string("/proc/net/tcp").context("/proc/net/tcp is needed")?;
        Ok(sockets.contains(&listener))
    }

    /// CPU time of the server's threads, in nanoseconds.
    ///
    /// The system updates a thread's figure when the thread stops running, so this waits until none runs.
    pub fn cpu(&self) -> Result<u64> {
        let deadline = Instant::now() + DEADLINE;
        let mut before = self.on_processor()?;
        loop {
            thread::sleep(LOOK_AGAIN);
            let now = self.on_processor()?;
            // A server may never be quite idle, because of its timers. These cost little.
            if now - before < LOOK_AGAIN.as_nanos().try_into().unwrap_or(u64::MAX) / 20 && !self.runs()? {
                return Ok(now);
            }
            ensure!(Instant::now() < deadline, "{} is busy though nothing is asked of it", self.kind);
            before = now;
        }
    }

    fn on_processor(&self) -> Result<u64> {
        self.threads("schedstat")?
            .iter()
            .map(|times| {
                let first = times.split(' ').next().unwrap_or_default();
                first.parse::<u64>().with_context(|| format!("not what /proc/PID/schedstat says: {times:?}"))
            })
            .sum()
    }

    /// Whether a thread runs or is ready to run. The state follows the program's name in parentheses.
    fn runs(&self) -> Result<bool> {
        Ok(self.threads("stat")?.iter().any(|stat| stat.contains(") R ")))
    }

    /// Contents of this file under `/proc/PID/task` for each thread.
    fn threads(&self, file: &str) -> Result<Vec<String>> {
        let threads = self.proc("task");
        let mut texts = Vec::new();
        for thread in fs::read_dir(&threads).with_context(|| format!("{} has ended", self.kind))? {
            let path = thread?.path().join(file);
            let text = fs::read_to_string(&path).with_context(|| {
                format!("{}: the CPU time of threads is not to be had on this system", path.display())
            })?;
            texts.push(text);
        }
        Ok(texts)
    }

    /// Resident memory in KiB (`VmRSS`).
    pub fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            row.and_then(|row| row.trim().strip_suffix(" kB")).context("no VmRSS in /proc/PID/status")?;
        Ok(kib.parse()?)
    }

    /// Number of open files and sockets.
    pub fn open_files(&self) -> Result<usize> {
        Ok(fs::read_dir(self.proc("fd"))?.count())
    }

    fn proc(&self, entry: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{entry}", self.child.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killing fails if the server has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Path of a program, as a shell would find it.
fn installed(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    // Debian's folder of nats-server, which is not in every user's PATH.
    folders.push("/usr/sbin".into());
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}
