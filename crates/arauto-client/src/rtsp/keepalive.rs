//! [`Keepalive`]: decides when to ask the server whether a session still exists, and when to give it up. No clock;
//! the caller passes the time.

use std::time::Duration;

use rtsp_types::StatusCode;
use tokio::time::Instant;

use super::{RtspError, connection::ANSWER_TIMEOUT};

/// Lifetime of a session without requests, unless the server states another (RFC 2326, section 12.37).
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// Shortest and longest time between two requests.
const INTERVAL_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Silence after which a played stream may be cut off, so that the client asks the server whether it is still there.
/// Senders report at least every 7.5 s (RFC 3550, section 6.2), so the client rarely asks about an intact stream.
const QUIET_TIMEOUT: Duration = Duration::from_secs(5);

/// Keepalive state of one session.
pub(super) struct Keepalive {
    interval: Duration,
    /// When to send the next request or, after a request, the deadline for its answer.
    due: Instant,
    /// When to send a request before `due`, unless data arrives first. `None` for a publisher, which receives no
    /// data.
    quiet: Option<Instant>,
    /// Number of the unanswered request.
    asked: Option<u32>,
}

impl Keepalive {
    /// Creates the state for a session whose lifetime without requests is `timeout`, if the server states one.
    pub fn new(timeout: Option<Duration>, now: Instant) -> Self {
        let interval = (timeout.unwrap_or(DEFAULT_TIMEOUT) / 2).clamp(INTERVAL_RANGE.0, INTERVAL_RANGE.1);
        Self { interval, due: now + interval, quiet: None, asked: None }
    }

    /// Records that the stream begins. `expects_data`: the server has to send all the time.
    pub fn begin(&mut self, expects_data: bool, now: Instant) {
        self.due = now + self.interval;
        self.quiet = expects_data.then(|| now + QUIET_TIMEOUT);
    }

    /// Returns when to send a request or, if the last one is unanswered, when to give the session up.
    pub fn next(&self) -> Instant {
        match self.quiet {
            Some(quiet) if self.asked.is_none() => quiet.min(self.due),
            _ => self.due,
        }
    }

    /// Records that data arrived from the server.
    pub fn came(&mut self, now: Instant) {
        if let Some(quiet) = &mut self.quiet {
            *quiet = now + QUIET_TIMEOUT;
        }
    }

    /// Whether a request awaits its answer.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Records that the request of this number was sent. `None`: the write queue was full, and the client tries again
    /// later.
    pub fn asked(&mut self, number: Option<u32>, now: Instant) {
        self.asked = number;
        self.due = now + self.interval.min(ANSWER_TIMEOUT);
        self.came(now);
    }

    /// Records that the request of this number was answered.
    ///
    /// # Errors
    /// If the server no longer knows the session.
    pub fn answered(&mut self, number: u32, status: StatusCode, now: Instant) -> Result<(), RtspError> {
        if self.asked == Some(number) {
            self.asked = None;
            self.due = now + self.interval;
        }
        if status == StatusCode::SessionNotFound {
            let reason = "the session is over".to_owned();
            return Err(RtspError::Refused { method: "GET_PARAMETER", status: status.into(), reason });
        }
        // Any other status, such as that of an unknown method, shows that the server is still there.
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
        // No request was sent, because the queue was full.
        keepalive.asked(None, begin + seconds(15));
        assert_eq!((keepalive.next(), keepalive.is_asked()), (begin + seconds(20), false));
        keepalive.begin(false, begin);
        assert_eq!(keepalive.next(), begin + seconds(30));
    }
}
