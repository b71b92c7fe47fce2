//! `arauto listen`: prints received messages, one per line.

use std::time::{Duration, SystemTime};

use arauto_protocol::{Line, NameKey};
use tokio::{
    select,
    sync::mpsc::Sender,
    time::{Instant, sleep_until},
};

use super::{
    OneShot, ScriptError,
    backlog::Backlog,
    show::{self, Form},
};
use crate::{
    OwnedMessage,
    again::{ConnectionEnd, Retry},
    deadline::sleep_until_opt,
    decoder::Item,
    dial::Dialer,
    display_name::in_sentence,
    files::Sharer,
    joining::SERVER,
    logout::{LEAVE_TIMEOUT, exit},
    meaning::Meaning,
    output::{Noise, say},
    signals::Signals,
    wire,
};

/// The messages to print, and how.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// The output form.
    pub form: Form,
    /// Print only messages from this sender.
    pub from: Option<String>,
    /// Leave after this many printed messages.
    pub count: Option<u64>,
    /// Whether to report on standard error the name under which the client joined.
    pub verbose: bool,
    /// Whether to connect again after the connection ends, where [`Retry`] allows it.
    pub reconnects: bool,
}

/// Prints received messages until enough are printed, the connection ends for good, standard output is closed, or
/// SIGINT or SIGTERM comes. Requests for files are answered and not printed.
///
/// Messages are read even while standard output is not, up to `backlog::MAX_BYTES` of lines that wait.
///
/// # Errors
/// If no connection can be made, or it breaks or the server ends it, and no other is made.
pub async fn listen(dialer: &Dialer, name: &str, wanted: ListenOptions) -> Result<(), ScriptError> {
    let signals = Signals::new().map_err(ScriptError::Input)?;
    let backlog = Backlog::spawn().map_err(ScriptError::Output)?;
    let reconnects = wanted.reconnects;
    let mut listening =
        Listening { name: name.to_owned(), wanted, backlog, signals, noise: Noise::default() };
    let mut retry = Retry::default();
    let mut was_joined = false;
    let end = loop {
        let end = match listening.connect(dialer).await {
            Ok(None) => break Ok(()),
            Ok(Some(one_shot)) => {
                was_joined = true;
                retry.joined();
                listening.converse(one_shot).await
            }
            Err(failure) => Err(failure),
        };
        let Err(failure) = end else { break end };
        let wait = if reconnects && was_joined { wait_after(&mut retry, &failure) } else { None };
        let Some(wait) = wait else { break Err(failure) };
        say(&format!("{failure}; connecting again in {:.1} s", wait.as_secs_f32()));
        match listening.pause(wait).await {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    listening.finish(end).await
}

/// Returns how long to wait before the next connection. `None`: no connection is made, because the server refused or
/// sent away the client, or because another connection would change nothing.
fn wait_after(retry: &mut Retry, failure: &ScriptError) -> Option<Duration> {
    match failure {
        ScriptError::ServerClosed => retry.after(&ConnectionEnd::Closed),
        ScriptError::NoConnection(_)
        | ScriptError::Broken(_)
        | ScriptError::Ended
        | ScriptError::NotLetIn(_)
        | ScriptError::Unread { .. } => retry.after(&ConnectionEnd::Cut),
        ScriptError::Refused(why) => retry.after_refusal(why),
        _ => None,
    }
}

struct Listening {
    /// The name, as the server spells it.
    name: String,
    wanted: ListenOptions,
    backlog: Backlog,
    signals: Signals,
    noise: Noise,
}

/// State of one connection.
struct Session {
    outgoing: Sender<Line>,
    sharer: Sharer,
    /// Set once `exit` was sent: how long to wait for its confirmation.
    leaving: Option<Instant>,
    /// The server's last message, if it was an error. At the end of the connection it gives the reason.
    last_words: Option<String>,
    /// Whether reading ever stopped because too much waited to be printed.
    was_full: bool,
}

impl Listening {
    /// Joins. Returns `None` if a signal came first.
    async fn connect(&mut self, dialer: &Dialer) -> Result<Option<OneShot>, ScriptError> {
        let joining = OneShot::join(dialer, self.name.as_str());
        tokio::pin!(joining);
        let one_shot = loop {
            select! {
                one_shot = &mut joining => break one_shot?,
                printed = self.backlog.print() => printed.map_err(ScriptError::Output)?,
                () = self.signals.next() => return Ok(None),
            }
        };
        if self.wanted.verbose {
            say(&format!("joined as {}", one_shot.name));
        }
        Ok(Some(one_shot))
    }

    /// Waits, and prints meanwhile. Returns `false` if a signal ended the wait.
    async fn pause(&mut self, wait: Duration) -> Result<bool, ScriptError> {
        let until = Instant::now() + wait;
        loop {
            select! {
                () = sleep_until(until) => return Ok(true),
                printed = self.backlog.print() => printed.map_err(ScriptError::Output)?,
                () = self.signals.next() => return Ok(false),
            }
        }
    }

    /// Prints all lines that are left, whatever the end was, so that no earlier message is lost. A signal ends the
    /// wait for a reader.
    async fn finish(mut self, end: Result<(), ScriptError>) -> Result<(), ScriptError> {
        if matches!(end, Err(ScriptError::Output(_))) {
            return end;
        }
        select! {
            written = self.backlog.finish() => written.map_err(ScriptError::Output)?,
            () = self.signals.next() => {}
        }
        end
    }

    /// Prints messages until the connection ends.
    async fn converse(&mut self, one_shot: OneShot) -> Result<(), ScriptError> {
        let (name, mut receiver, sender) = one_shot.into_parts();
        self.name = name;
        let outgoing = wire::queue(sender);
        let sharer = Sharer::spawn(None, outgoing.clone());
        let mut session = Session { outgoing, sharer, leaving: None, last_words: None, was_full: false };
        loop {
            if self.wanted.count == Some(0) && session.leaving.is_none() {
                session.leave(&self.name);
            }
            let has_room = self.backlog.has_room();
            session.was_full |= !has_room;
            select! {
                item = receiver.next(), if has_room => {
                    let ended = match item {
                        Ok(Some(item)) => self.take(item, &mut session)?,
                        Ok(None) => return session.ended(ScriptError::Ended),
                        Err(error) => return session.ended(error.into()),
                    };
                    if ended {
                        return Ok(());
                    }
                }
                printed = self.backlog.print() => printed.map_err(ScriptError::Output)?,
                () = self.signals.next() => {
                    if session.leaving.is_some() {
                        return Ok(());
                    }
                    session.leave(&self.name);
                }
                () = sleep_until_opt(session.leaving) => return Ok(()),
            }
        }
    }

    /// Takes an item. Returns whether it was the last.
    fn take(&mut self, item: Item, session: &mut Session) -> Result<bool, ScriptError> {
        let received = match item {
            Item::Noise(text) => {
                self.noise.tell(&text);
                return Ok(false);
            }
            Item::Message(received) => received,
        };
        session.note_error(&received);
        let meaning = received.meaning();
        match meaning {
            Meaning::FilesWanted { by } => {
                session.answer(&self.name, by);
                return Ok(false);
            }
            Meaning::Left if session.leaving.is_some() => return Ok(true),
            Meaning::NotLetIn(why) => return Err(ScriptError::Refused(why.to_owned())),
            Meaning::Refusal { why, .. } => session.sharer.refused(why),
            _ => {}
        }
        self.print(&received);
        match meaning {
            Meaning::ServerClosed if self.wanted.count == Some(0) || session.leaving.is_some() => Ok(true),
            Meaning::ServerClosed => Err(ScriptError::ServerClosed),
            _ => Ok(false),
        }
    }

    fn print(&mut self, received: &OwnedMessage) {
        let is_wanted =
            self.wanted.from.as_ref().is_none_or(|from| NameKey::of(from) == NameKey::of(&received.sender));
        if self.wanted.count != Some(0) && is_wanted {
            self.backlog.push(show::message(self.wanted.form, received, SystemTime::now()));
            if let Some(count) = &mut self.wanted.count {
                *count -= 1;
            }
        }
    }
}

impl Session {
    fn leave(&mut self, name: &str) {
        self.leaving = Some(Instant::now() + LEAVE_TIMEOUT);
        // If `exit` cannot be queued, the end of the connection replaces it.
        let _ = self.outgoing.try_send(exit(name));
    }

    fn note_error(&mut self, received: &OwnedMessage) {
        let is_error = received.sender == SERVER && received.operation == "error_message";
        self.last_words = is_error.then(|| received.data.clone());
    }

    /// Returns why the connection ended. While leaving, that is no failure.
    fn ended(&mut self, how: ScriptError) -> Result<(), ScriptError> {
        if self.leaving.is_some() {
            return Ok(());
        }
        match self.last_words.take() {
            words if self.was_full && words.as_ref().is_none_or(|words| words.contains("unread")) => {
                Err(ScriptError::Unread { words: words.unwrap_or_else(|| how.to_string()) })
            }
            Some(words) => Err(ScriptError::Refused(words)),
            None => Err(how),
        }
    }

    fn answer(&self, name: &str, asker: &str) {
        if let Err(why) = self.sharer.asked(name, asker) {
            say(&format!("{} asked for the list of files and gets no answer: {why}", in_sentence(asker)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cut_is_mended() {
        let refused = |why: &str| ScriptError::Refused(why.to_owned());
        for (failure, mended) in [
            (ScriptError::Ended, true),
            (ScriptError::ServerClosed, true),
            (refused("You were disconnected: you sent nothing for 1h"), true),
            (refused("You were disconnected by alan: being rude"), false),
            (refused("You were banned by alan for good"), false),
            (refused("This username is already taken"), false),
            (ScriptError::PasswordMissing("ana".to_owned()), false),
        ] {
            assert_eq!(wait_after(&mut Retry::default(), &failure).is_some(), mended, "{failure}");
        }
    }
}
