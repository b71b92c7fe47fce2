//! [`Dialogue`]: which questions, messages and replies make up the dialogue, and in which order. No IO.

use std::time::Duration;

use arauto_protocol::{Line, Message, Name, Operation, message::NO_DATA, reply::ALL_CLIENTS};
use zeroize::Zeroizing;

use super::{
    awaited::{Awaited, MARK, Marks},
    question::{self, Question},
    reply::reply,
};
use crate::{
    OwnedMessage,
    joining::{JOIN_TIMEOUT, Joining, LetsNobodyIn, SERVER},
    limits,
    logout::{LEAVE_TIMEOUT, exit_in_words},
    meaning::Meaning,
    script::ScriptError,
    text::{MESSAGE_BYTES, Unfit, fit_data},
};

/// Maximum wait for an answer that has to come. After it, the dialogue asks for the next operation; later answers are
/// printed all the same.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time that all parts of an answer may take together. Longer than [`JOIN_TIMEOUT`].
pub(super) const MAX_ANSWER: Duration = Duration::from_secs(40);

/// Maximum wait for a refusal where nothing else comes back. The report's client waits as long.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(300);

/// An action for the caller. Actions are carried out in the order in which the dialogue returns them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    Print(String),
    Send(Line),
    /// Answer this user's request for the list of files.
    Answer(String),
    /// Play a file: the name of the user who asks for it, and DATA of the server's message.
    Publish(String, String),
    /// The server refuses something, for this reason.
    Refused(String),
    /// The server accepts messages of at most this many bytes.
    Limited(usize),
}

/// The dialogue of one connection, from the name request to the end.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// The user's name, as the server spells it.
    name: String,
    state: State,
    /// Counts changes of state and parts of an answer. The caller starts its timer anew when this changes.
    turn: u64,
    /// Counts changes of state only.
    question: u64,
    acts: Vec<Act>,
    marks: Marks,
    /// The password to send if the server asks for one, and the file it was read from.
    password: Option<(Zeroizing<String>, String)>,
    limits: MessageLimit,
    /// The user typed a word that is no operation: the operations are printed before the next question.
    shows_operations: bool,
}

/// The server's message limit, as far as it is known.
#[derive(Debug)]
struct MessageLimit {
    message_bytes: usize,
    /// Whether the server may be asked for its limit.
    may_ask: bool,
    /// Whether the server was asked and has not answered. The answer is not shown.
    is_asked: bool,
}

#[derive(Debug)]
enum State {
    Joining(Joining),
    /// Until the user types a line. While joining, the line is a password.
    Asking(Question, Option<Joining>),
    /// Until this answer has come.
    Waiting(Awaited),
    /// Until the server confirms `exit`.
    Leaving,
    Over(Result<(), ScriptError>),
}

impl Dialogue {
    pub(super) fn new(name: &str, password: Option<(Zeroizing<String>, String)>) -> Self {
        let state = State::Joining(Joining::new(name));
        Self {
            name: name.to_owned(),
            state,
            turn: 0,
            question: 0,
            acts: Vec::new(),
            marks: Marks::default(),
            password,
            limits: MessageLimit { message_bytes: MESSAGE_BYTES, may_ask: false, is_asked: false },
            shows_operations: false,
        }
    }

    /// Takes the actions that are to be carried out now.
    pub(super) fn acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// Sets whether the server is asked for its message limit once it has confirmed the name.
    pub(super) fn asks_limits(&mut self, may_ask: bool) {
        self.limits.may_ask = may_ask;
    }

    /// Maximum size of a message in bytes, as far as it is known.
    pub(super) fn message_bytes(&self) -> usize {
        self.limits.message_bytes
    }

    /// The name by which the server knows the user.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// A counter like [`Self::turn`] that does not count the parts of an answer.
    pub(super) fn question(&self) -> u64 {
        self.question
    }

    /// Whether the dialogue waits for a typed line.
    pub(super) fn wants_line(&self) -> bool {
        matches!(self.state, State::Asking(..))
    }

    /// Whether that line is a password, which must not be shown.
    pub(super) fn wants_secret(&self) -> bool {
        matches!(self.state, State::Asking(Question::Password, _))
    }

    /// How long this turn may last before the caller has to call [`Self::waited`]; `None` if without limit.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.state {
            State::Joining(_) => Some(JOIN_TIMEOUT),
            State::Waiting(Awaited::Refusal) => Some(REFUSAL_TIMEOUT),
            State::Waiting(Awaited::Limits) => Some(limits::ANSWER_TIMEOUT),
            State::Waiting(_) => Some(ANSWER_TIMEOUT),
            State::Leaving => Some(LEAVE_TIMEOUT),
            State::Asking(..) | State::Over(_) => None,
        }
    }

    /// Whether the dialogue has ended. It takes no more lines and messages then, but may still return
    /// actions.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// The result of the dialogue.
    pub(super) fn outcome(self) -> Result<(), ScriptError> {
        match self.state {
            State::Over(outcome) => outcome,
            _ => Ok(()),
        }
    }

    /// Ends a turn that has lasted as long as [`Self::timeout`] allows.
    pub(super) fn waited(&mut self) {
        match self.state {
            State::Joining(_) => self.end(Err(LetsNobodyIn.into())),
            State::Waiting(_) => self.ask(Question::Operation),
            State::Leaving => self.end(Ok(())),
            State::Asking(..) | State::Over(_) => {}
        }
    }

    /// Whether the user is leaving: `exit` is sent, and its answer has not come.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving)
    }

    /// Handles the end of the connection. It is no failure while the user is leaving.
    pub(super) fn cut(&mut self, why: ScriptError) {
        if self.is_leaving() {
            return self.end(Ok(()));
        }
        self.print(format!("Error with client connection | {}\n", arauto_settings::escape::Printable(&why)));
        self.end(Err(why));
    }

    /// Leaves because of a signal or the end of standard input: nothing more will be typed.
    pub(super) fn leave(&mut self) {
        match &self.state {
            // Before the name is confirmed, no `exit` is sent. A second request to leave does not wait for the
            // confirmation.
            State::Joining(_) | State::Leaving => self.end(Ok(())),
            State::Asking(_, Some(joining)) => {
                let missing = ScriptError::PasswordMissing(joining.name().to_owned());
                self.end(Err(missing));
            }
            State::Asking(_, None) | State::Waiting(_) => self.exit(),
            State::Over(_) => {}
        }
    }

    /// Takes a message from the server.
    pub(super) fn hear(&mut self, received: OwnedMessage) {
        if matches!(self.state, State::Joining(_) | State::Asking(_, Some(_))) {
            return self.hear_joining(received);
        }
        if self.hear_limits(&received) {
            return;
        }
        if self.marks.came_back(&received, &self.name) {
            if matches!(self.state, State::Waiting(Awaited::Clients)) {
                self.ask(Question::Operation);
            }
            return;
        }
        let outcome = match received.meaning() {
            Meaning::FilesWanted { by } => {
                let by = by.to_owned();
                return self.acts.push(Act::Answer(by));
            }
            Meaning::FileWanted { by, data } => {
                let wanted = Act::Publish(by.to_owned(), data.to_owned());
                return self.acts.push(wanted);
            }
            Meaning::NotLetIn(why) => Some(Err(ScriptError::Refused(why.to_owned()))),
            Meaning::Left | Meaning::ServerClosed => Some(Ok(())),
            Meaning::Refusal { why, .. } => {
                let why = why.to_owned();
                self.acts.push(Act::Refused(why));
                None
            }
            _ => None,
        };
        self.print(reply(&received));
        match (outcome, &self.state) {
            (Some(outcome), _) => self.end(outcome),
            (None, State::Waiting(awaited)) if awaited.is_answered_by(&received, &self.name) => {
                self.ask(Question::Operation);
            }
            // Each further part may take as long as the first.
            (None, State::Waiting(awaited)) if awaited.is_begun_by(&received) => self.turn += 1,
            _ => {}
        }
    }

    /// Handles a typed line that is not valid text: the question is asked again.
    pub(super) fn typed_unfit(&mut self, why: Unfit) {
        if let State::Asking(question, _) = &self.state {
            let again = question.text();
            self.print(format!("The line {why}\n"));
            self.print(again);
        }
    }

    /// Takes a typed line.
    pub(super) fn typed(&mut self, line: &str) {
        // A placeholder until the line is handled.
        match std::mem::replace(&mut self.state, State::Leaving) {
            State::Asking(Question::Password, Some(joining)) => self.give_password(joining, line),
            State::Asking(question, _) => self.answered(question, line),
            other => self.state = other,
        }
    }

    fn answered(&mut self, question: Question, line: &str) {
        match question {
            Question::Operation => self.choose(line.trim()),
            Question::Echo => {
                let me = self.name.clone();
                self.say(&me, Operation::Echo, line, Awaited::Own(Operation::Echo));
            }
            Question::Except => self.ask(Question::Broadcast { except: line.trim() == "y" }),
            Question::Broadcast { except: true } => {
                self.say(ALL_CLIENTS, Operation::BroadcastNotMe, line, Awaited::Refusal);
            }
            Question::Broadcast { except: false } => {
                let awaited = Awaited::Own(Operation::Broadcast);
                self.say(ALL_CLIENTS, Operation::Broadcast, line, awaited);
            }
            Question::PrivateTo => match Name::parse(line, usize::MAX) {
                Ok(name) => self.ask(Question::Private { to: name.as_str().to_owned() }),
                Err(why) => self.refuse(&format!("{why}\n")),
            },
            Question::Private { to } => self.say(&to, Operation::PrivateMessage, line, Awaited::Refusal),
            // The server itself refuses a request without a name.
            Question::FilesOf if line.trim().is_empty() => {
                self.say("", Operation::ListFiles, NO_DATA, Awaited::Files);
            }
            Question::FilesOf => match Name::parse(line, usize::MAX) {
                Ok(name) => self.say(name.as_str(), Operation::ListFiles, NO_DATA, Awaited::Files),
                Err(why) => self.refuse(&format!("{why}\n")),
            },
            // A password is asked for only while joining.
            Question::Password => {}
        }
    }

    fn choose(&mut self, typed: &str) {
        // Blanks, hyphens and underscores are equivalent, and so are capital and small letters.
        let mut word = typed.to_lowercase().replace([' ', '-'], "_");
        while word.contains("__") {
            word = word.replace("__", "_");
        }
        match word.as_str() {
            "" => self.ask(Question::Operation),
            "echo" => self.ask(Question::Echo),
            "broadcast" => self.ask(Question::Except),
            "broadcast_not_me" => self.ask(Question::Broadcast { except: true }),
            "private_message" => self.ask(Question::PrivateTo),
            "list_clients" => self.list_clients(),
            "list_files" => self.ask(Question::FilesOf),
            "exit" => self.exit(),
            "close_server" => {
                self.say(SERVER, Operation::CloseServer, "close server", Awaited::Server);
            }
            "help" | "?" => {
                self.print(question::OPERATIONS);
                self.ask(Question::Operation);
            }
            _ => {
                self.shows_operations = true;
                self.send(SERVER, "Unknown operation", typed, Awaited::Server);
            }
        }
    }

    fn list_clients(&mut self) {
        self.say(SERVER, Operation::ListClients, NO_DATA, Awaited::Clients);
        // The echo comes back after the whole list, in however many messages the list comes.
        let me = self.name.as_str();
        let mark = Message { sender: me, destination: me, operation: Operation::Echo.wire(), data: MARK };
        self.acts.push(Act::Send(Line::lossy(&mark)));
        self.marks.sent();
    }

    fn exit(&mut self) {
        self.acts.push(Act::Send(exit_in_words(&self.name)));
        self.turn_to(State::Leaving);
    }

    fn say(&mut self, destination: &str, operation: Operation, data: &str, awaited: Awaited) {
        self.send(destination, operation.wire(), data, awaited);
    }

    fn send(&mut self, destination: &str, operation: &str, data: &str, awaited: Awaited) {
        let message = Message { sender: &self.name, destination, operation, data };
        match fit_data(message, self.limits.message_bytes) {
            Ok(message) => {
                self.acts.push(Act::Send(message));
                self.turn_to(State::Waiting(awaited));
            }
            Err(why) => self.refuse(&format!("The message {why}\n")),
        }
    }

    /// Reports that the typed text cannot be sent, and asks for the next operation.
    fn refuse(&mut self, why: &str) {
        self.print(why);
        self.ask(Question::Operation);
    }

    fn ask(&mut self, question: Question) {
        if std::mem::take(&mut self.shows_operations) {
            self.print(question::OPERATIONS);
        }
        self.print(question.text());
        self.turn_to(State::Asking(question, None));
    }

    fn end(&mut self, outcome: Result<(), ScriptError>) {
        self.print("Closing client...\n");
        self.turn_to(State::Over(outcome));
    }

    fn print(&mut self, text: impl Into<String>) {
        self.acts.push(Act::Print(text.into()));
    }

    fn turn_to(&mut self, state: State) {
        self.state = state;
        self.turn += 1;
        self.question += 1;
    }
}

mod joining;
#[cfg(test)]
mod tests;
