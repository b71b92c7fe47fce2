//! [`Server`]: a nats-server that a test starts, kills, stops and starts again.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest time that a server takes to start, beside other tests.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The subjects on which a node may publish.
pub const PUBLISH: [&str; 6] = [
    "arauto.c.log.n1",
    "arauto.c.state.*.n1",
    "$JS.API.STREAM.INFO.ARAUTO_c",
    "$JS.API.STREAM.CREATE.ARAUTO_c",
    "$JS.API.STREAM.MSG.GET.ARAUTO_c",
    "$JS.API.DIRECT.GET.ARAUTO_c",
];

/// The subjects that a node may subscribe to.
pub const SUBSCRIBE: [&str; 3] = ["arauto.c.tail.>", "arauto.c.state.>", "_INBOX.arauto.c.n1.>"];

/// The users of a server: `root`, with the password `root`, may do all; `n1` with `n1` only these.
pub fn users(publish: &[&str], subscribe: &[&str]) -> String {
    users_with(r#"user: "n1", password: "n1""#, publish, subscribe)
}

/// As [`users`], with something else in place of the name and the password of `n1`.
pub fn users_with(n1: &str, publish: &[&str], subscribe: &[&str]) -> String {
    format!(
        r#"authorization {{ users: [
            {{ user: "root", password: "root" }}
            {{ {n1}, permissions: {{ publish: {publish:?}, subscribe: {subscribe:?} }} }}
        ] }}"#
    )
}

/// A running nats-server. Dropping it kills it.
pub struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// Starts a server with these settings beside its address and its store.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(folder, settings, 0)
    }

    /// Starts a server on this port, or on a free one if it is 0.
    pub fn start_in(folder: TempDir, settings: &str, port: u16) -> Self {
        configure(folder.path(), settings);
        let (child, port) = spawn(folder.path(), port);
        Self { folder, port, child }
    }

    /// Changes the settings with which the server starts the next time.
    pub fn configure(&self, settings: &str) {
        configure(self.folder.path(), settings);
    }

    /// The address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file in the server's folder.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
    }

    /// Starts a killed server again, on the same port and with the same store.
    pub fn restart(&mut self) {
        (self.child, _) = spawn(self.folder.path(), self.port);
    }

    /// Copies the store of a killed server to a folder.
    pub fn copy_store(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a folder");
        copy_folder(&self.folder.path().join("store"), &copy.path().join("store"));
        copy
    }

    /// Gives a killed server the store of an earlier copy.
    pub fn replace_store(&self, copy: &TempDir) {
        let store = self.folder.path().join("store");
        std::fs::remove_dir_all(&store).expect("the store");
        copy_folder(&copy.path().join("store"), &store);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a process");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a file");
        }
    }
}

fn configure(folder: &Path, settings: &str) {
    let store = folder.join("store");
    let config = format!("{settings}\njetstream {{ store_dir: \"{}\" }}\n", store.display());
    std::fs::write(folder.join("rest.conf"), config).expect("a file");
}

/// Starts nats-server and waits until it is ready. Returns it with its port.
fn spawn(folder: &Path, port: u16) -> (Child, u16) {
    let listen = if port == 0 { "-1".to_owned() } else { port.to_string() };
    let config = format!("listen: \"127.0.0.1:{listen}\"\ninclude \"rest.conf\"\n");
    let path = folder.join("nats.conf");
    std::fs::write(&path, config).expect("a file");
    let mut child = Command::new("nats-server")
        .arg("-c")
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nats-server");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    let (sender, lines) = mpsc::channel();
    // Reads on for as long as the server runs: a full pipe would stop it.
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut seen = Vec::new();
    let mut listening = None;
    loop {
        let Ok(line) = lines.recv_timeout(START_TIMEOUT) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("nats-server does not start: {seen:#?}");
        };
        if let Some((_, port)) = line.split_once("Listening for client connections on 127.0.0.1:") {
            listening = port.trim().parse().ok();
        }
        if line.contains("Server is ready") {
            return (child, listening.expect("the server tells its port"));
        }
        seen.push(line);
    }
}
