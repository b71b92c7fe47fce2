//! Whether what was sent has arrived: the echo that shows it, and the silence of a server that does not answer.

use std::time::{Duration, Instant};

use super::{
    app::{App, Connection},
    clock::Now,
    typed,
};

/// How long after words that do not come back an echo is sent that shows that they arrived. One echo does for all that is
/// typed or pasted within this time.
const CONFIRM_AFTER: Duration = Duration::from_millis(300);

/// How long the server may say nothing while something unconfirmed was sent before that is shown.
const SHOW_SILENCE_AFTER: Duration = Duration::from_secs(3);

impl App {
    /// Since when the server has said nothing although something was sent that it has to confirm.
    fn silent_since(&self) -> Option<Instant> {
        let sent = self.unconfirmed.since().filter(|_| self.connection == Connection::Joined);
        sent.map(|sent| sent.max(self.heard_at))
    }

    /// For how long that has been so, if it is worth showing.
    #[must_use]
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = self.silent_since().map(|since| now.saturating_duration_since(since));
        silence.filter(|silence| *silence >= SHOW_SILENCE_AFTER)
    }

    /// Has what was sent confirmed soon.
    pub(super) fn confirm_soon(&mut self, now: Instant) {
        self.confirm_at.get_or_insert(now + CONFIRM_AFTER);
    }

    /// When the silence is to be shown with another number.
    pub(super) fn next_silence(&self, now: Instant) -> Option<Instant> {
        self.silent_since().map(|since| {
            let whole = Duration::from_secs(now.saturating_duration_since(since).as_secs() + 1);
            since + whole.max(SHOW_SILENCE_AFTER)
        })
    }

    /// Sends the echo that confirms what was sent before, if it is time.
    pub(super) fn confirm(&mut self, now: Now) {
        if self.connection == Connection::Joined && self.confirm_at.take_if(|at| now.at >= *at).is_some() {
            let mark = self.unconfirmed.next_mark();
            self.send(typed::echo(&self.name, &mark));
            self.unconfirmed.mark(mark, now.at);
        }
    }
}
