//! How the state follows the connection: joined, cut, ended.

use std::time::Duration;

use tui_input::Input;
use zeroize::Zeroizing;

use super::{
    app::{App, ConnectionState, Prompt},
    clock::Now,
    entry::DeliveryState,
    exit_reason::ExitReason,
    sentences::without_codes,
};
use arauto_client::link;

impl App {
    /// Takes an event of the conversation.
    pub fn event(&mut self, event: link::Event, now: Now) {
        match event {
            link::Event::Connecting => self.connection = ConnectionState::Connecting,
            link::Event::PasswordWanted { name, complaint } => {
                if let Some(complaint) = complaint {
                    self.error(now, &complaint);
                } else if let Some(exposure) = self.server_info.exposure {
                    self.error(now, &format!("Warning: {exposure}"));
                }
                self.put_paste_into_line();
                self.hint = Some(format!("{name} has a password. It is not shown as you type"));
                self.prompt = Prompt::Password { name, typed: Zeroizing::new(String::new()) };
            }
            link::Event::Joined { name, server, with_kept_password } => {
                self.server_info.server = server;
                self.joined(name, with_kept_password, now);
            }
            link::Event::MessageBytes(limit) => self.message_bytes = limit,
            link::Event::Received(item) => self.received(item, now),
            link::Event::Cut { why, retry_in } => self.cut(&why, retry_in, now),
            link::Event::Closed { retry_in } => self.closed(retry_in, now),
            link::Event::Ended(end) => self.ended(end, now),
        }
    }

    fn joined(&mut self, name: String, with_kept_password: bool, now: Now) {
        (self.no_connection, self.is_closed) = (None, false);
        let server = &self.server_info.server;
        let text = if with_kept_password {
            // A user who expects to be asked for the password would type it into the talk.
            format!(
                "You are {name} on {server} again. The client gave your password itself; you need not type it."
            )
        } else {
            format!("You are {name} on {server}. /help shows what you can do.")
        };
        self.note(now, &text);
        self.name = name;
        (self.refused, self.hint) = (None, None);
        self.connection = ConnectionState::Joined;
        self.heard_at = now.at;
        if !matches!(self.prompt, Prompt::Paste(_)) {
            self.prompt = Prompt::Talk;
        }
        self.people.joined(now.at);
        self.tick(now);
    }

    fn cut(&mut self, why: &str, retry_in: Duration, now: Now) {
        let why = without_codes(why);
        if self.connection == ConnectionState::Joined {
            self.error(now, &format!("The connection broke: {why}. The client reconnects."));
        } else if self.no_connection.as_ref() != Some(&why) {
            // Reported once, not at each attempt.
            self.error(now, &format!("No connection: {why}"));
        }
        self.no_connection = Some(why);
        self.lost(retry_in, now);
    }

    fn closed(&mut self, retry_in: Duration, now: Now) {
        self.error(now, "The server closed. The client reconnects; Ctrl-C leaves.");
        self.is_closed = true;
        self.lost(retry_in, now);
    }

    /// Handles the loss of a connection, until the next is made.
    fn lost(&mut self, retry_in: Duration, now: Now) {
        if self.leaving.is_some() {
            self.exit_reason = Some(ExitReason::Left);
        }
        if matches!(self.prompt, Prompt::Password { .. } | Prompt::Close) {
            self.prompt = Prompt::Talk;
        }
        self.put_away_unconfirmed(now);
        self.connection = ConnectionState::Cut(now.at + retry_in);
    }

    /// Shows which messages may not have arrived. None of them is sent again.
    fn put_away_unconfirmed(&mut self, now: Now) {
        self.forget_sending();
        self.confirm_at = None;
        self.people.cut();
        for (number, text) in self.unconfirmed.take() {
            self.log.settle(number, DeliveryState::Unknown);
            self.error(now, &format!("Not known whether this arrived: {text}"));
        }
    }

    fn ended(&mut self, end: link::End, now: Now) {
        let was_joined = self.connection == ConnectionState::Joined;
        let is_said = matches!(end, link::End::SentAway(_));
        self.connection = ConnectionState::Over;
        self.put_away_unconfirmed(now);
        self.help = None;
        let why = match end {
            link::End::Left => ExitReason::Left,
            link::End::NoConnection(why) => ExitReason::NoConnection(without_codes(&why.to_string())),
            link::End::LetsNobodyIn(why) => ExitReason::NoConnection(why.to_string()),
            link::End::ServerClosed => ExitReason::ServerClosed,
            link::End::SentAway(why) => ExitReason::Refused(why),
            link::End::NotLetIn(why) if was_joined => ExitReason::Refused(why),
            link::End::NotLetIn(why) => {
                if self.leaving.is_some() {
                    self.exit_reason = Some(ExitReason::Refused(why));
                } else {
                    self.ask_name_again(&why, now);
                }
                return;
            }
        };
        match &why {
            ExitReason::ServerClosed => self.error(now, "The server closed."),
            ExitReason::Refused(_) if is_said => self.note(now, "You stay out until you press Enter."),
            ExitReason::Refused(why) => self.error(now, &format!("The server sent you away: {why}")),
            ExitReason::Left | ExitReason::NoConnection(_) => self.exit_reason = Some(why.clone()),
        }
        if self.leaving.is_some() {
            self.exit_reason = Some(why.clone());
        }
        self.put_paste_into_line();
        self.prompt = Prompt::Over(why);
    }

    /// Puts pasted lines that wait for a decision into the input line, because another prompt replaces the question.
    fn put_paste_into_line(&mut self) {
        if let Prompt::Paste(pasted) = std::mem::replace(&mut self.prompt, Prompt::Talk) {
            self.paste_as_one_line(&pasted.into_whole());
        }
    }

    /// Handles the end of the queue of events. The last event should have said why the conversation ended.
    pub fn conversation_is_gone(&mut self) {
        if !matches!(self.connection, ConnectionState::None | ConnectionState::Over) {
            self.go(ExitReason::NoConnection("the conversation ended for no known reason".to_owned()));
        }
    }

    fn ask_name_again(&mut self, why: &str, now: Now) {
        self.error(now, why);
        self.note(now, "Type another name, or the same to try it again, and Enter.");
        self.refused = Some(why.to_owned());
        self.connection = ConnectionState::None;
        self.put_paste_into_line();
        self.prompt = Prompt::Name(Input::new(self.name.clone()));
        self.is_name_refused = true;
    }
}
