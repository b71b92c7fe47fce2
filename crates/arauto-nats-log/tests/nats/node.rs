//! [`Node`]: a log, and what it has reported.

use std::{
    collections::VecDeque,
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use arauto_cluster::Instance;
use arauto_nats_log::{Command, Log, Options, Refusal, Report, SendError, Warning};

use crate::server::Server;

/// Longest time that a report takes to come, beside other tests.
const TIMEOUT: Duration = Duration::from_secs(20);

/// From a question for the end of the log to the next.
const ASK_INTERVAL: Duration = Duration::from_secs(3);

/// The instance that writes all frames of a [`Node`].
pub const INSTANCE: Instance = Instance(0xa1);

/// A log, and its reports that no test has looked at.
pub struct Node {
    log: Log,
    reports: mpsc::Receiver<Report>,
    skipped: VecDeque<String>,
}

/// Options for the node `n1` of the cluster `c` on this server.
pub fn options(server: &Server) -> Options {
    options_of("n1", server.url())
}

/// Options for a node on the server at this address.
pub fn options_of(node: &str, url: String) -> Options {
    Options::new(vec![url], "c".parse().expect("a name"), node.parse().expect("a name"))
}

/// Options for the user `n1` with the password `n1`.
pub fn options_of_user(server: &Server) -> Options {
    Options { credentials: Some(server.file("password", "n1:n1")), ..options(server) }
}

/// A frame of [`INSTANCE`].
pub fn frame(number: u64, length: usize) -> Vec<u8> {
    frame_of(INSTANCE, number, length)
}

/// A frame with a head and bytes that tell its number, of this length in all.
pub fn frame_of(instance: Instance, number: u64, length: usize) -> Vec<u8> {
    let mut frame = vec![b'A', 1, 0, 0];
    frame.extend(instance.0.to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.resize(length, u8::try_from(number % 251).expect("a byte"));
    frame
}

impl Node {
    /// Starts a log.
    pub fn start(options: Options) -> Self {
        let (sender, reports) = mpsc::channel();
        let deliver = move |report| {
            let _ = sender.send(report);
        };
        let log = arauto_nats_log::start(options, deliver).expect("a log");
        Self { log, reports, skipped: VecDeque::new() }
    }

    /// Starts a log, and waits until it knows the end of the log.
    pub fn join(options: Options) -> Self {
        let mut node = Self::start(options);
        node.end();
        node
    }

    /// Sends a command.
    pub fn send(&self, command: Command) {
        self.try_send(command).expect("room");
    }

    /// Sends a command, if the log takes it.
    pub fn try_send(&self, command: Command) -> Result<(), SendError> {
        self.log.send(command)
    }

    /// Appends a frame of [`INSTANCE`].
    pub fn append(&self, number: u64, length: usize) {
        self.send(Command::Append(frame(number, length)));
    }

    /// The first report of which `pick` makes something. Skips those before it.
    pub fn wait<T>(&mut self, what: &str, pick: impl FnMut(Report) -> Option<T>) -> T {
        self.wait_for(what, TIMEOUT, pick)
    }

    /// As [`Self::wait`], with the longest time that it may take.
    pub fn wait_for<T>(&mut self, what: &str, timeout: Duration, pick: impl FnMut(Report) -> Option<T>) -> T {
        let picked = self.try_wait(timeout, pick);
        picked.unwrap_or_else(|| panic!("{what} does not come, after {:#?}", self.skipped))
    }

    /// As [`Self::wait_for`]; nothing, if it does not come.
    pub fn try_wait<T>(&mut self, timeout: Duration, mut pick: impl FnMut(Report) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(report) => {
                    let shown = format!("{report:.300?}").chars().take(300).collect();
                    if let Some(picked) = pick(report) {
                        return Some(picked);
                    }
                    self.skipped.push_back(shown);
                }
                Err(_) => return None,
            }
        }
    }

    /// Waits until the log is connected, or is not any more.
    pub fn connection(&mut self, expected: bool) {
        self.wait(&format!("connected: {expected}"), |report| {
            matches!(report, Report::Connected(is) if is == expected).then_some(())
        });
    }

    /// Asks for the end of the log, as often as a node would, and returns its position and age.
    pub fn end(&mut self) -> (u64, Duration) {
        self.end_within(TIMEOUT)
    }

    /// As [`Self::end`], with the longest time that it may take.
    pub fn end_within(&mut self, timeout: Duration) -> (u64, Duration) {
        self.end_with(timeout, ASK_INTERVAL, |_| true)
    }

    /// Asks for the end of the log once in each interval, until its age fits.
    pub fn end_with(
        &mut self,
        timeout: Duration,
        interval: Duration,
        fits: impl Fn(Duration) -> bool,
    ) -> (u64, Duration) {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            self.send(Command::AskForEnd);
            let end = self.try_wait(interval, |report| match report {
                Report::End { age, .. } if !fits(age) => None,
                Report::End { position, age } => Some((position, age)),
                Report::Refused(refusal) => panic!("{refusal}"),
                _ => None,
            });
            if let Some(end) = end {
                return end;
            }
        }
        panic!("no end, after {:#?}", self.skipped);
    }

    /// The next message: its position, its node, and its bytes.
    pub fn message(&mut self) -> (u64, String, Vec<u8>) {
        self.wait("a message", |report| match report {
            Report::Message(message) => {
                let (position, node, bytes) = message.into_parts();
                Some((position, node.to_string(), bytes))
            }
            _ => None,
        })
    }

    /// The next acknowledgement: a number of [`INSTANCE`], and its position.
    pub fn acknowledgement(&mut self) -> (u64, u64) {
        self.wait("an acknowledgement", |report| match report {
            Report::Acknowledged { instance: INSTANCE, number, position } => Some((number, position)),
            _ => None,
        })
    }

    /// Why the program has to end.
    pub fn refusal(&mut self) -> Refusal {
        self.wait("a refusal", |report| match report {
            Report::Refused(refusal) => Some(refusal),
            _ => None,
        })
    }

    /// The next warning that fits.
    pub fn warning(&mut self, fits: impl Fn(&Warning) -> bool) -> Warning {
        self.wait("a warning", |report| match report {
            Report::Warning(warning) if fits(&warning) => Some(warning),
            _ => None,
        })
    }

    /// Waits until the log's thread has ended, and with it the last owner of the channel's other side. The log is
    /// dropped first, unless it has ended by itself.
    pub fn ended(self) {
        let Self { log, reports, .. } = self;
        drop(log);
        wait_for_end(&reports);
    }

    /// Waits until the log's thread has ended by itself.
    pub fn ended_by_itself(self) {
        wait_for_end(&self.reports);
        assert_eq!(self.log.send(Command::AskForEnd), Err(SendError::Ended));
    }
}

fn wait_for_end(reports: &mpsc::Receiver<Report>) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => panic!("the thread does not end"),
        }
    }
}
