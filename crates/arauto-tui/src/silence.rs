//! Whether sent messages have arrived: the echo that confirms them, and the silence of a server that does not answer.

use std::time::{Duration, Instant};

use super::{
    app::{App, ConnectionState},
    clock::Now,
    typed,
};

/// Time after a message that does not come back until the client sends an echo that confirms it. A single echo
/// confirms all that is typed or pasted within this time.
const CONFIRM_AFTER: Duration = Duration::from_millis(300);

/// How long the server may send nothing, while a message is unconfirmed, before its silence is shown.
const SHOW_SILENCE_AFTER: Duration = Duration::from_secs(3);

impl App {
    /// Since when the server has sent nothing although a message waits for its confirmation.
    fn silent_since(&self) -> Option<Instant> {
        let sent = self.unconfirmed.since().filter(|_| self.connection == ConnectionState::Joined);
        sent.map(|sent| sent.max(self.heard_at))
    }

    /// Duration of that silence, if it is long enough to be shown.
    #[must_use]
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = self.silent_since().map(|since| now.saturating_duration_since(since));
        silence.filter(|silence| *silence >= SHOW_SILENCE_AFTER)
    }

    /// Schedules the echo that confirms sent messages.
    pub(super) fn confirm_soon(&mut self, now: Instant) {
        self.confirm_at.get_or_insert(now + CONFIRM_AFTER);
    }

    /// When the silence has to be shown with another number.
    pub(super) fn next_silence(&self, now: Instant) -> Option<Instant> {
        self.silent_since().map(|since| {
            let whole = Duration::from_secs(now.saturating_duration_since(since).as_secs() + 1);
            since + whole.max(SHOW_SILENCE_AFTER)
        })
    }

    /// Sends the echo that confirms earlier messages, if it is due.
    pub(super) fn confirm(&mut self, now: Now) {
        if self.connection == ConnectionState::Joined && self.confirm_at.take_if(|at| now.at >= *at).is_some()
        {
            let mark = self.unconfirmed.next_mark();
            self.send(typed::echo(&self.name, &mark));
            self.unconfirmed.mark(mark, now.at);
        }
    }
}
