//! [`Liveness`]: detects a server that no longer answers. No IO; the caller passes the time.
//!
//! The kernel detects a broken network (`dial.rs`: keepalive, `TCP_USER_TIMEOUT`). It does not detect a server
//! process that is stopped or stuck, because the kernel of that machine still acknowledges data. Therefore the client
//! sends an echo on a connection that was silent for [`ECHO_INTERVAL`], and gives the connection up if nothing at all
//! arrives within [`ANSWER_TIMEOUT`] after that.

use std::time::Duration;

use arauto_protocol::{Line, Message, Operation};
use tokio::time::Instant;

use super::{OwnedMessage, joining::SERVER};

/// Silence after which the client sends an echo. At 10 s, an idle client sends 0.1 messages per second, far below any
/// flood limit.
pub const ECHO_INTERVAL: Duration = Duration::from_secs(10);

/// Time that the server may stay silent after the echo. Together with [`ECHO_INTERVAL`], 25 s.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Rate, in bytes per second, that a server takes at least from a sender that it holds back for a slow receiver. Data
/// sent before the echo extends the wait by its size divided by this rate.
const MIN_RATE: u64 = 4 * 1024;

/// Bytes that extend the wait by nothing: about as much as a person types.
const FREE_BYTES: u64 = 16 * 1024;

/// Prefix of the echo's text. User interfaces do not show its answer.
const MARK: &str = "(is the server still there? no. ";

/// The action that is due after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send [`Liveness::question`].
    Ask,
    /// Give up the connection, on which nothing has arrived for this long.
    Gone(Duration),
}

/// Watches one connection for signs that the server still answers.
#[derive(Debug)]
pub struct Liveness {
    /// The name as the server spells it. Before the server confirms it, it answers no echo.
    name: Option<String>,
    heard_at: Instant,
    /// When the server is given up, if an echo is unanswered.
    asked: Option<Instant>,
    /// When the next echo may be tried, after one for which the socket had no room.
    not_before: Option<Instant>,
    /// Number of echoes made.
    count: u64,
}

/// Bytes that may still be on the way to the server if it takes only `MIN_RATE`.
#[derive(Debug)]
pub struct InFlightBytes {
    bytes: u64,
    at: Instant,
}

impl Liveness {
    /// Starts watching a connection made at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { name: None, heard_at: now, asked: None, not_before: None, count: 0 }
    }

    /// Records that bytes of any kind arrived.
    pub fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        (self.asked, self.not_before) = (None, None);
    }

    /// Processes a message. Returns whether it is the answer to an echo, which user interfaces do not show.
    pub fn is_answer(&mut self, message: &OwnedMessage) -> bool {
        if message.sender == SERVER {
            if message.operation == "connection_confirmation" {
                self.name = Some(message.destination.clone());
            }
            return false;
        }
        let number = || message.data.strip_prefix(MARK)?.strip_suffix(')')?.parse::<u64>().ok();
        message.operation == Operation::Echo.wire() && number().is_some_and(|number| number <= self.count)
    }

    /// Returns when to call [`Self::due`] next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.name.as_ref()?;
        self.asked.or(self.not_before).or_else(|| Some(self.heard_at + ECHO_INTERVAL))
    }

    /// Returns the action that is due at `now`, or `None`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        Some(if self.asked.is_some() { Due::Gone(now - self.heard_at) } else { Due::Ask })
    }

    /// Returns the echo to send, or `None` before the name is confirmed.
    pub fn question(&mut self) -> Option<Line> {
        let name = self.name.as_ref()?;
        self.count += 1;
        let data = format!("{MARK}{})", self.count);
        let operation = Operation::Echo.wire();
        // A server confirms no name that a message cannot carry.
        Line::new(&Message { sender: name, destination: name, operation, data: &data }).ok()
    }

    /// Records that the echo was sent. `backlog`: the time that the data before it may take.
    pub fn asked(&mut self, now: Instant, backlog: Duration) {
        self.asked = Some(now + ANSWER_TIMEOUT + backlog);
    }

    /// Records that the echo could not be sent now, because the socket has no room. The kernel has its own time limit
    /// for that.
    pub fn ask_later(&mut self, then: Instant) {
        self.not_before = Some(then);
    }
}

impl InFlightBytes {
    /// Returns a backlog of zero bytes.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { bytes: 0, at: now }
    }

    /// Adds `bytes` that the client sends.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        self.bytes = self.left(now).saturating_add(bytes as u64);
        self.at = now;
    }

    /// Returns how much longer than usual an answer may take because of the data sent before.
    #[must_use]
    pub fn time(&self, now: Instant) -> Duration {
        Duration::from_secs(self.left(now).saturating_sub(FREE_BYTES) / MIN_RATE)
    }

    fn left(&self, now: Instant) -> u64 {
        self.bytes.saturating_sub(now.saturating_duration_since(self.at).as_secs().saturating_mul(MIN_RATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(line: &str) -> OwnedMessage {
        Message::parse(line).unwrap().into()
    }

    #[test]
    fn a_silence_is_asked_about_and_then_given_up() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::new(start);
        assert_eq!((liveness.deadline(), liveness.question()), (None, None), "no name yet");
        assert!(!liveness.is_answer(&received("server | Ana | connection_confirmation | hello")));
        assert_eq!(liveness.due(after(9)), None);
        assert_eq!(liveness.due(after(10)), Some(Due::Ask));
        let question = liveness.question().unwrap();
        assert_eq!(question.text(), "Ana | Ana | echo | (is the server still there? no. 1)");
        let question = received(question.text());
        liveness.asked(after(10), Duration::ZERO);
        assert_eq!(liveness.due(after(24)), None);
        assert_eq!(liveness.due(after(25)), Some(Due::Gone(Duration::from_secs(25))));
        liveness.heard(after(25));
        assert!(liveness.is_answer(&question));
        assert_eq!(liveness.deadline(), Some(after(35)));
        assert!(!liveness.is_answer(&received("Ana | Ana | echo | hi")), "typed by a person");
        assert!(!liveness.is_answer(&received("Ana | Ana | echo | (is the server still there? no. 7)")));
        liveness.ask_later(after(40));
        assert_eq!(liveness.due(after(39)), None);
        assert_eq!(liveness.due(after(40)), Some(Due::Ask));
    }

    #[test]
    fn what_is_on_the_way_is_given_time() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut backlog = InFlightBytes::new(start);
        backlog.add(16 * 1024, start);
        assert_eq!(backlog.time(start), Duration::ZERO);
        backlog.add(400 * 1024, start);
        assert_eq!(backlog.time(start), Duration::from_secs(100));
        assert_eq!(backlog.time(after(60)), Duration::from_secs(40));
        assert_eq!(backlog.time(after(1000)), Duration::ZERO);
        backlog.add(20 * 1024, after(1000));
        assert_eq!(backlog.time(after(1000)), Duration::from_secs(1));
    }
}
