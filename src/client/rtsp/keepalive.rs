//! [`Keepalive`]: when a server is asked whether a session is still there, and when it is given up. Told the time.

use std::time::Duration;

use rtsp_types::StatusCode;
use tokio::time::Instant;

use super::{Failure, connection::ANSWER_WITHIN};

/// What a server's session lasts without a word, unless it says otherwise (RFC 2326, section 12.37).
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// The shortest and the longest time between two questions.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A stream that is played and brings nothing for this long may be cut off, and the server is asked whether it is there.
/// Senders report at least every 7.5 s (RFC 3550, section 6.2), so an intact stream is rarely asked about.
const QUIET: Duration = Duration::from_secs(5);

/// The questions of one session.
pub(super) struct Keepalive {
    interval: Duration,
    /// When the server is asked next, or, after a question, by when it has to answer.
    due: Instant,
    /// When the server is asked although `due` is later, unless something comes first. `None` for a publisher, to whom
    /// nothing has to come.
    quiet: Option<Instant>,
    /// The request that was not answered yet.
    asked: Option<u32>,
}

impl Keepalive {
    /// For a session that lasts this long without a word, if the server says so.
    pub fn new(timeout: Option<Duration>, now: Instant) -> Self {
        let interval = (timeout.unwrap_or(DEFAULT_TIMEOUT) / 2).clamp(INTERVAL.0, INTERVAL.1);
        Self { interval, due: now + interval, quiet: None, asked: None }
    }

    /// The stream begins. `expects_data`: something has to come all the time.
    pub fn begin(&mut self, expects_data: bool, now: Instant) {
        self.due = now + self.interval;
        self.quiet = expects_data.then(|| now + QUIET);
    }

    /// When to ask, or to give up if the question before is not answered.
    pub fn next(&self) -> Instant {
        match self.quiet {
            Some(quiet) if self.asked.is_none() => quiet.min(self.due),
            _ => self.due,
        }
    }

    /// Something came from the server.
    pub fn came(&mut self, now: Instant) {
        if let Some(quiet) = &mut self.quiet {
            *quiet = now + QUIET;
        }
    }

    /// Whether a question waits for its answer.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// The server was asked by the request of this number. `None`: there was no room for it, and it is tried again later.
    pub fn asked(&mut self, number: Option<u32>, now: Instant) {
        self.asked = number;
        self.due = now + self.interval.min(ANSWER_WITHIN);
        self.came(now);
    }

    /// A request was answered.
    ///
    /// # Errors
    /// If the server knows the session no more.
    pub fn answered(&mut self, number: u32, status: StatusCode, now: Instant) -> Result<(), Failure> {
        if self.asked == Some(number) {
            self.asked = None;
            self.due = now + self.interval;
        }
        if status == StatusCode::SessionNotFound {
            let reason = "the session is over".to_owned();
            return Err(Failure::Refused { method: "GET_PARAMETER", status: status.into(), reason });
        }
        // Another that does not know the method answers all the same, and so it is still there.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_listener_asks_after_silence_and_a_publisher_does_not() {
        let begin = Instant::now();
        let mut keepalive = Keepalive::new(None, begin);
        keepalive.begin(true, begin);
        assert_eq!(keepalive.next(), begin + seconds(5));
        keepalive.came(begin + seconds(4));
        assert_eq!(keepalive.next(), begin + seconds(9));
        keepalive.asked(Some(7), begin + seconds(9));
        assert_eq!((keepalive.next(), keepalive.is_asked()), (begin + seconds(19), true));
        keepalive.answered(7, StatusCode::Ok, begin + seconds(10)).unwrap();
        assert!(!keepalive.is_asked());
        keepalive.came(begin + seconds(10));
        assert_eq!(keepalive.next(), begin + seconds(15));
        // It was not asked: there was no room.
        keepalive.asked(None, begin + seconds(15));
        assert_eq!((keepalive.next(), keepalive.is_asked()), (begin + seconds(20), false));
        keepalive.begin(false, begin);
        assert_eq!(keepalive.next(), begin + seconds(30));
    }
}
