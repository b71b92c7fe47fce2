//! The dialogue until the server confirms the name: name, password, and the request for the message limit.

use super::{Act, Awaited, Dialogue, Question, State};
use crate::{
    OwnedMessage,
    joining::{Joining, Step},
    limits::{self, Limits},
    plain::reply::reply,
    script::ScriptError,
};

impl Dialogue {
    /// Takes the server's answer to the request for its message limit. Returns whether `received` is that answer.
    pub(super) fn hear_limits(&mut self, received: &OwnedMessage) -> bool {
        let answer = if self.limits.is_asked { limits::answer(received) } else { None };
        let Some(Limits { message_bytes }) = answer else { return false };
        self.limits.is_asked = false;
        if let Some(limit) = message_bytes {
            self.limits.message_bytes = limit;
            self.acts.push(Act::Limited(limit));
        }
        if matches!(self.state, State::Waiting(Awaited::Limits)) {
            self.ask(Question::Operation);
        }
        true
    }

    /// Takes a message that comes before the server confirms the name.
    pub(super) fn hear_joining(&mut self, received: OwnedMessage) {
        let (State::Joining(joining) | State::Asking(_, Some(joining))) = &mut self.state else { return };
        let shown = reply(&received);
        match joining.take(received) {
            Step::Introduce => match joining.introduction() {
                Ok(introduction) => self.acts.push(Act::Send(introduction)),
                Err(why) => self.end(Err(ScriptError::Argument { what: "NAME", why })),
            },
            Step::AskPassword { complaint } if self.password.is_some() => {
                let Some((text, file)) = &self.password else { return };
                match (complaint, joining.password(text)) {
                    (None, Ok(password)) => self.acts.push(Act::Send(password)),
                    (None, Err(why)) => {
                        let name = joining.name().to_owned();
                        self.end(Err(ScriptError::PasswordUnfit { name, why }));
                    }
                    (Some(complaint), _) => {
                        let file = file.clone();
                        self.end(Err(ScriptError::PasswordWrong { file, complaint }));
                    }
                }
            }
            // The server's complaint about the previous password was printed when it came.
            Step::AskPassword { .. } => {
                let joining = std::mem::replace(joining, Joining::new(&self.name));
                self.print(Question::Password.text());
                self.turn_to(State::Asking(Question::Password, Some(joining)));
            }
            Step::Joined(name) => {
                self.name = name;
                self.print(shown);
                if self.limits.may_ask {
                    self.limits.is_asked = true;
                    self.acts.push(Act::Send(limits::request(&self.name)));
                    self.turn_to(State::Waiting(Awaited::Limits));
                } else {
                    self.ask(Question::Operation);
                }
            }
            Step::Refused(why) => {
                self.print(shown);
                self.end(Err(ScriptError::Refused(why)));
            }
            Step::ServerClosed => {
                self.print(shown);
                self.end(Ok(()));
            }
            Step::Wait => self.print(shown),
        }
    }

    /// Sends a typed password, or asks again if no message can carry it.
    pub(super) fn give_password(&mut self, joining: Joining, password: &str) {
        match joining.password(password) {
            Ok(message) => {
                self.acts.push(Act::Send(message));
                self.turn_to(State::Joining(joining));
            }
            Err(why) => {
                self.print(format!("The password {why}\n{}", Question::Password.text()));
                self.turn_to(State::Asking(Question::Password, Some(joining)));
            }
        }
    }
}
