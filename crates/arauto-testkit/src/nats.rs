//! [`Nats`]: a nats-server with JetStream, on a free port of this machine.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{process::signal, wait_until};

/// A running nats-server, which needs no credentials. Dropping it kills the process.
pub struct Nats {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Nats {
    /// Starts a server, and waits until it takes connections.
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let child = run(port, &folder);
        Self { port, folder, child }
    }

    /// The address in the form of `cluster.servers`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the server again, with what it has stored.
    pub fn restart(&mut self) {
        self.child = run(self.port, &self.folder);
    }

    /// Sends a signal to the server; `name` is without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }
}

fn run(port: u16, folder: &TempDir) -> Child {
    let child = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-js", "-p", &port.to_string(), "-sd"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("nats-server to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
