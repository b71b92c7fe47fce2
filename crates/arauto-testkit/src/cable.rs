//! [`Cable`]: two network namespaces joined by a veth pair, which stand for two machines, and the programs in them.
//!
//! Needs root and the tools `ip`, `tc` and `nc`; without them [`Cable::lay`] returns `None`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
};

use arauto_needs::has_tool;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Socket, Type};

use crate::{
    DEADLINE, NAME_REQUEST, confirmation,
    process::{Process, signal},
    program, wait_until, without_settings,
};

/// The address of the server's end of the cable.
pub const SERVER: &str = "192.0.2.1";
/// The address of the other machine's end of the cable.
pub const FARAWAY: &str = "192.0.2.2";

/// Two network namespaces joined by a veth pair. Dropping it deletes both.
pub struct Cable {
    /// The name of the server's namespace.
    pub server: String,
    /// The name of the other machine's namespace.
    pub faraway: String,
}

impl Cable {
    /// Creates the namespaces and the pair. `None` without root, or if `ip`, `tc` or `nc` is not installed: a test that
    /// cannot do without is marked `#[needs("root", "ip", "tc", "nc")]`.
    pub fn lay() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !has_tool!("root") || !has_tool!("ip") || !has_tool!("tc") || !has_tool!("nc") {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("arauto-{}-{number}-{end}", std::process::id());
        let cable = Self { server: name("s"), faraway: name("f") };
        assert!(ip(&["netns", "add", &cable.server]));
        assert!(ip(&["netns", "add", &cable.faraway]));
        assert!(ip(&[
            "link",
            "add",
            "cable",
            "netns",
            &cable.server,
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            &cable.faraway
        ]));
        for (namespace, address) in [(&cable.server, SERVER), (&cable.faraway, FARAWAY)] {
            assert!(ip(&["-n", namespace, "address", "add", &format!("{address}/30"), "dev", "cable"]));
            assert!(ip(&["-n", namespace, "link", "set", "lo", "up"]));
            assert!(ip(&["-n", namespace, "link", "set", "cable", "up"]));
        }
        Some(cable)
    }

    /// Runs `arauto serve` on the server's machine, with these settings (environment variables).
    pub fn serve(&self, settings: &[(&str, &str)]) -> Process {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server]).arg(program()).arg("serve");
        without_settings(&mut command);
        let listen = format!("{SERVER}:0");
        Process::run(command, &[&[("ARAUTO_SERVER_LISTEN", listen.as_str())], settings].concat())
    }

    /// Gives the faraway machine `address` in addition to its own.
    pub fn add_faraway(&self, address: &str) {
        assert!(ip(&["-n", &self.faraway, "address", "add", &format!("{address}/32"), "dev", "cable"]));
        assert!(ip(&["-n", &self.server, "route", "add", &format!("{address}/32"), "dev", "cable"]));
    }

    /// Drops all packets in both directions; neither kernel notices.
    pub fn cut(&self) {
        // Taking the link down would also take the server's end down, and its kernel would notice.
        for namespace in [&self.server, &self.faraway] {
            let queue = ["-n", namespace, "qdisc", "replace", "dev", "cable", "root", "blackhole"];
            assert!(run("tc", &queue));
        }
    }

    /// Undoes [`Self::cut`].
    pub fn mend(&self) {
        for namespace in [&self.server, &self.faraway] {
            assert!(run("tc", &["-n", namespace, "qdisc", "delete", "dev", "cable", "root"]));
        }
    }

    /// Limits what the server sends to `kilobits` kbit/s. Packets are delayed for up to 60 s and not dropped before.
    pub fn slow_down(&self, kilobits: u32) {
        let rate = format!("{kilobits}kbit");
        let queue = ["-n", &self.server, "qdisc", "add", "dev", "cable", "root", "tbf", "rate", &rate];
        assert!(run("tc", &[&queue[..], &["burst", "3200", "latency", "60s"]].concat()));
    }

    /// Applies these `netem` parameters in both directions. Returns `false` if the kernel has no `netem`.
    pub fn spoil(&self, netem: &[&str]) -> bool {
        [&self.server, &self.faraway].into_iter().all(|namespace| {
            let queue = ["-n", namespace, "qdisc", "add", "dev", "cable", "root", "netem"];
            run("tc", &[&queue, netem].concat())
        })
    }

    /// Starts or stops dropping all packets that the faraway machine sends.
    pub fn lose_answers(&self, lost: bool) {
        let verb = if lost { "add" } else { "delete" };
        let arguments = ["-n", &self.faraway, "qdisc", verb, "dev", "cable", "root", "blackhole"];
        assert!(Command::new("tc").args(arguments).status().unwrap().success());
    }

    /// Waits until the faraway machine has acknowledged everything: of the server's timers, only keepalive (`02`) runs.
    pub fn settle(&self) {
        wait_until("all to be acknowledged", || self.asked().is_some_and(|(timer, _)| timer == "02"));
    }

    /// The state of the only connection from the faraway machine, from the server's `/proc/net/tcp`: the code of its
    /// active timer, and the number of unanswered probes.
    pub fn asked(&self) -> Option<(String, u32)> {
        let arguments = ["netns", "exec", &self.server, "cat", "/proc/net/tcp"];
        let table = Command::new("ip").args(arguments).output().unwrap().stdout;
        let table = String::from_utf8(table).unwrap();
        let rows = table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
        // 192.0.2.2, as a little-endian kernel writes it.
        let row = rows.into_iter().find(|row| row[2].starts_with("020200C0:"))?;
        Some((row[5][..2].to_owned(), row[8].parse().unwrap()))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // Ignores the results: a namespace that was never created cannot be deleted.
        ip(&["netns", "delete", &self.server]);
        ip(&["netns", "delete", &self.faraway]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs `act` in a namespace, on a new thread.
pub fn within<T: Send + 'static>(
    namespace: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let path = format!("/run/netns/{namespace}");
    std::thread::spawn(move || {
        // Moves this thread only, not the process.
        let handle = File::open(path).unwrap();
        move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        act()
    })
}

/// Connects from this namespace, or from this machine if there is none. Any thread can use the connection.
/// `receive_buffer` is the size of the kernel's receive buffer in bytes.
///
/// # Errors
/// If the namespace cannot be entered, a socket option cannot be set, or `connect(2)` fails.
pub fn dial(
    namespace: Option<&str>,
    address: SocketAddr,
    receive_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let namespace = namespace.map(str::to_owned);
    // Moves this thread only, not the process. The thread does nothing else in the namespace before it ends.
    let dialling = std::thread::spawn(move || {
        if let Some(name) = namespace {
            let handle = File::open(format!("/run/netns/{name}"))?;
            move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))?;
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect_timeout(&address.into(), DEADLINE)?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    });
    dialling.join().expect("a thread that does not panic")
}

/// A netcat on one of the two machines. Dropping it kills the process.
pub struct Netcat {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Netcat {
    /// Starts a netcat that connects to the server, and reads the name request.
    pub fn on(namespace: &str, process: &Process) -> Self {
        let netcat = Self::start(namespace, process);
        netcat.expect(NAME_REQUEST);
        netcat
    }

    /// Starts a netcat that connects to the server, and reads nothing.
    pub fn start(namespace: &str, process: &Process) -> Self {
        let port = process.address().port().to_string();
        Self::run(namespace, &["nc", SERVER, &port])
    }

    /// Runs another program in place of netcat.
    pub fn run(namespace: &str, program: &[&str]) -> Self {
        let mut child = Command::new("ip")
            .args([&["netns", "exec", namespace], program].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if send.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, lines }
    }

    /// Starts a netcat, and joins under a name.
    pub fn join(namespace: &str, process: &Process, name: &str) -> Self {
        let mut netcat = Self::on(namespace, process);
        netcat.send(name);
        netcat.expect(&confirmation(name));
        netcat
    }

    /// Sends a signal to the process; `name` is without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Types a line.
    pub fn send(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line that was printed. Waits for at most [`DEADLINE`].
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// Checks that this line is printed next.
    #[track_caller]
    pub fn expect(&self, line: &str) {
        assert_eq!(self.line(), line);
    }
}

impl Drop for Netcat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
