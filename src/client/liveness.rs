//! [`Liveness`]: whether the server still answers. No IO; it is told the time.
//!
//! The kernel notices a network that is gone (`dial.rs`: keepalive, `TCP_USER_TIMEOUT`). It does not notice a server process
//! that is stopped or stuck, because that machine's kernel goes on acknowledging. So a connection on which nothing has come
//! for [`ASK_AFTER`] sends an echo, and is given up if nothing at all comes within [`ANSWER_WITHIN`] after it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Received, joining::SERVER};
use crate::protocol::{Line, Message, Operation};

/// After this much silence the client sends an echo. Ten seconds cost an idle client 0.1 messages a second, far below any
/// flood limit.
pub const ASK_AFTER: Duration = Duration::from_secs(10);

/// How long the server may stay silent after the echo. Together with [`ASK_AFTER`], 25 s.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A server that holds a sender back for a slow receiver takes at least this much of it, in bytes a second. Data sent
/// before the echo extends the wait by its size divided by this rate.
const SLOWEST_RATE: u64 = 4 * 1024;

/// Bytes that need no more time than [`ANSWER_WITHIN`]: what a person types.
const FREE_BYTES: u64 = 16 * 1024;

/// What begins the echo. Its answer is shown to nobody.
const MARK: &str = "(is the server still there? no. ";

/// The action that a silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send [`Liveness::question`].
    Ask,
    /// Give the connection up: nothing has come for this long.
    Gone(Duration),
}

/// Whether the server of one connection still answers.
#[derive(Debug)]
pub struct Liveness {
    /// As the server spells it; before it is confirmed, a server answers no echo.
    name: Option<String>,
    heard_at: Instant,
    /// The question that waits for an answer: when it was sent, and when the server is given up.
    asked: Option<Instant>,
    /// When the next attempt to ask may be made, after one that failed because the socket had no room.
    not_before: Option<Instant>,
    /// How many questions were made.
    count: u64,
}

/// How many bytes may still be on the way to the server if it takes no more than `SLOWEST_RATE`.
#[derive(Debug)]
pub struct Backlog {
    bytes: u64,
    at: Instant,
}

impl Liveness {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { name: None, heard_at: now, asked: None, not_before: None, count: 0 }
    }

    /// Something came, whatever it was.
    pub fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        (self.asked, self.not_before) = (None, None);
    }

    /// Looks at a message. Whether it is the answer to a question, and to be shown to nobody.
    pub fn is_answer(&mut self, message: &Received) -> bool {
        if message.sender == SERVER {
            if message.operation == "connection_confirmation" {
                self.name = Some(message.destination.clone());
            }
            return false;
        }
        let number = || message.data.strip_prefix(MARK)?.strip_suffix(')')?.parse::<u64>().ok();
        message.operation == Operation::Echo.wire() && number().is_some_and(|number| number <= self.count)
    }

    /// When [`Self::due`] is to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.name.as_ref()?;
        self.asked.or(self.not_before).or_else(|| Some(self.heard_at + ASK_AFTER))
    }

    /// Returns the action that is due at `now`. `None` if there is none.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        Some(if self.asked.is_some() { Due::Gone(now - self.heard_at) } else { Due::Ask })
    }

    /// The echo to send, if the name is confirmed.
    pub fn question(&mut self) -> Option<Line> {
        let name = self.name.as_ref()?;
        self.count += 1;
        let data = format!("{MARK}{})", self.count);
        let operation = Operation::Echo.wire();
        // A name that no message can carry is none that a server confirms.
        Line::new(&Message { sender: name, destination: name, operation, data: &data }).ok()
    }

    /// The question was sent behind this much else.
    pub fn asked(&mut self, now: Instant, backlog: Duration) {
        self.asked = Some(now + ANSWER_WITHIN + backlog);
    }

    /// The question could not be sent now: the socket has no room, for which the kernel has a time limit of its own.
    pub fn ask_later(&mut self, then: Instant) {
        self.not_before = Some(then);
    }
}

impl Backlog {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { bytes: 0, at: now }
    }

    /// Counts `bytes` that the client sends.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        self.bytes = self.left(now).saturating_add(bytes as u64);
        self.at = now;
    }

    /// How much longer than usual an answer may take because of what was sent before.
    #[must_use]
    pub fn time(&self, now: Instant) -> Duration {
        Duration::from_secs(self.left(now).saturating_sub(FREE_BYTES) / SLOWEST_RATE)
    }

    fn left(&self, now: Instant) -> u64 {
        self.bytes
            .saturating_sub(now.saturating_duration_since(self.at).as_secs().saturating_mul(SLOWEST_RATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(line: &str) -> Received {
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
        let mut backlog = Backlog::new(start);
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
