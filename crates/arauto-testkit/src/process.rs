//! [`Process`]: the program, run as a user runs it, with its log read line by line.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
};

use serde_json::Value;

use crate::{Client, DEADLINE, NAME_REQUEST, arauto, confirmation, wait_until};

/// A running `arauto serve`. Dropping it kills the process.
pub struct Process {
    child: Child,
    log: Receiver<Value>,
    addresses: Vec<SocketAddr>,
    tls_address: Option<SocketAddr>,
    web_address: Option<SocketAddr>,
    secure_web_address: Option<SocketAddr>,
    monitoring_address: Option<SocketAddr>,
    /// The log so far, as text.
    transcript: Arc<Mutex<String>>,
}

impl Process {
    /// Runs `arauto serve` on free ports with these settings (environment variables).
    pub fn serve(settings: &[(&str, &str)]) -> Self {
        Self::run(arauto(["serve"]), settings)
    }

    /// Runs a command that becomes or starts `arauto serve`.
    pub fn run(command: Command, settings: &[(&str, &str)]) -> Self {
        Self::run_with_input(command, settings, Stdio::null())
    }

    /// As [`Self::run`], with `input` as the standard input.
    pub fn run_with_input(mut command: Command, settings: &[(&str, &str)], input: Stdio) -> Self {
        command
            .env("ARAUTO_LOG_FORMAT", "json")
            .env("ARAUTO_SERVER_LISTEN", "127.0.0.1:0")
            .env("ARAUTO_WEB_LISTEN", "127.0.0.1:0")
            .env("ARAUTO_MEDIA_LISTEN", "127.0.0.1:0")
            .env("ARAUTO_MONITORING_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied());
        let mut child = command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, log) = channel();
        let transcript = Arc::<Mutex<String>>::default();
        let written = Arc::clone(&transcript);
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                written.lock().unwrap().extend([line.as_str(), "\n"]);
                let record = serde_json::from_str(&line).unwrap_or(Value::String(line));
                // Fails if the receiver is dropped; the transcript still continues.
                let _ = send.send(record);
            }
        });
        let mut process = Self {
            child,
            log,
            transcript,
            addresses: Vec::new(),
            tls_address: None,
            web_address: None,
            secure_web_address: None,
            monitoring_address: None,
        };
        process.await_start();
        process
    }

    /// Reads the addresses from the log until the server has started.
    fn await_start(&mut self) {
        let mut passed = Vec::new();
        loop {
            match self.log.recv_timeout(DEADLINE) {
                Ok(record) if record["msg"] == "started" => break,
                Ok(record) if record["msg"] == "listening" => {
                    self.addresses.push(record["address"].as_str().unwrap().parse().unwrap());
                }
                Ok(record) if record["msg"] == "listening for tls" => {
                    self.tls_address = Some(record["address"].as_str().unwrap().parse().unwrap());
                }
                Ok(record) if record["msg"] == "the page is at" => {
                    let url = record["url"].as_str().unwrap();
                    let address = url.split("//").nth(1).unwrap().trim_end_matches('/');
                    let address = Some(address.parse().unwrap());
                    if url.starts_with("https") {
                        self.secure_web_address = address;
                    } else {
                        self.web_address = address;
                    }
                }
                Ok(record) if record["msg"] == "monitoring is at" => {
                    let url = record["url"].as_str().unwrap();
                    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
                    self.monitoring_address = Some(address.parse().unwrap());
                }
                Ok(record) => passed.push(record),
                Err(error) => panic!("not started ({error}) after {passed:#?}"),
            }
        }
    }

    /// The next record with this message; skips the records before it.
    #[track_caller]
    pub fn logged(&self, message: &str) -> Value {
        let mut passed = Vec::new();
        loop {
            match self.log.recv_timeout(DEADLINE) {
                Ok(record) if record["msg"] == message => return record,
                Ok(record) => passed.push(record),
                Err(error) => panic!("no {message:?} ({error}) after {passed:#?}"),
            }
        }
    }

    /// Waits until the program has ended, and returns its whole log.
    pub fn whole_log(&self) -> String {
        // The program's end closes the pipe: the channel closes after the last line.
        while self.log.recv_timeout(DEADLINE).is_ok() {}
        self.transcript.lock().unwrap().clone()
    }

    /// Whether an outbox has been full so far, according to the counters that SIGUSR1 logs.
    pub fn has_logged_full_outbox(&self) -> bool {
        self.signal("USR1");
        self.logged("counters")["outboxes_full"] != 0
    }

    /// The first address for clients without TLS.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses for clients without TLS.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All records not read yet. Blocks until the program ends.
    pub fn rest_of_log(&self) -> Vec<Value> {
        self.log.iter().collect()
    }

    /// The address for clients with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls_address.expect("an address for TLS")
    }

    /// The address of the page by HTTPS.
    pub fn secure_web_address(&self) -> SocketAddr {
        self.secure_web_address.expect("an address for the page by https")
    }

    /// The address of the page by HTTP, which is also that of WebSockets.
    pub fn web_address(&self) -> SocketAddr {
        self.web_address.expect("an address for the page")
    }

    /// The address of monitoring.
    pub fn monitoring_address(&self) -> SocketAddr {
        self.monitoring_address.expect("an address for monitoring")
    }

    /// Connects a line client, and gives it a name.
    pub fn join(&self, name: &str) -> Client {
        let mut client = Client::to(self.address());
        client.expect(NAME_REQUEST);
        client.ask(name, &confirmation(name));
        client
    }

    /// Sends a signal to the process; `name` is without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        row.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until the process has ended, and returns its exit status.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

/// Sends a signal to a process; `name` is without `SIG`.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status();
    assert!(sent.unwrap().success());
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
