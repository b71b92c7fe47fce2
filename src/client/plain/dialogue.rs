//! [`Dialogue`]: what is asked, said and printed, in which order. No IO.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{
    awaited::{Awaited, MARK, Marks},
    question::{self, Question},
    reply::reply,
};
use crate::{
    client::{
        Received,
        joining::{JOIN_WITHIN, Joining, LetsNobodyIn, SERVER},
        leaving::{LEAVE_WITHIN, exit_in_words},
        limits,
        meaning::Meaning,
        script::Failure,
        text::{MESSAGE_BYTES, Unfit, fit_data},
    },
    protocol::{Line, Message, Name, Operation, message::NO_DATA, reply::ALL_CLIENTS},
};

/// How long an answer is waited for that has to come, before the next operation is asked for. Later ones are printed
/// too.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long all parts of an answer may take together; longer than joining may.
pub(super) const MAX_ANSWER: Duration = Duration::from_secs(40);

/// How long a refusal is waited for where nothing else comes back. As long as the report's client waits.
const REFUSAL_WITHIN: Duration = Duration::from_millis(300);

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    Print(String),
    Send(Line),
    /// Someone asks for the list of files.
    Answer(String),
    /// Someone wants to hear a file: who, and what the server says of it.
    Publish(String, String),
    /// The server refuses something, for this reason.
    Refused(String),
    /// The server takes messages of at most so many bytes.
    Limited(usize),
}

/// A dialogue from the name request to its end.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// As the server spells it.
    name: String,
    state: State,
    /// Counts changes of state and parts of an answer: what waits for one knows by it whether it is still the same.
    turn: u64,
    /// Counts changes of state alone.
    question: u64,
    acts: Vec<Act>,
    marks: Marks,
    /// To be given if one is asked for, and the file it is from.
    password: Option<(Zeroizing<String>, String)>,
    limits: Limits,
    /// A word was typed that is no operation: the operations are shown before the next question.
    shows_operations: bool,
}

/// The message limit, as far as the dialogue knows it.
#[derive(Debug)]
struct Limits {
    message_bytes: usize,
    /// Whether the server is one that may be asked.
    may_ask: bool,
    /// It was asked, and its answer, which is not shown, has not come.
    is_asked: bool,
}

#[derive(Debug)]
enum State {
    Joining(Joining),
    /// Until a line is typed. A password goes on with joining.
    Asking(Question, Option<Joining>),
    /// Until there is an answer to this.
    Waiting(Awaited),
    /// `exit` was said.
    Leaving,
    Over(Result<(), Failure>),
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
            limits: Limits { message_bytes: MESSAGE_BYTES, may_ask: false, is_asked: false },
            shows_operations: false,
        }
    }

    /// What is to be done now.
    pub(super) fn acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// Whether the server is asked how long messages may be, once it has confirmed the name.
    pub(super) fn asks_limits(&mut self, may_ask: bool) {
        self.limits.may_ask = may_ask;
    }

    /// The most bytes of a message, as far as is known.
    pub(super) fn message_bytes(&self) -> usize {
        self.limits.message_bytes
    }

    /// By which name the server knows us.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Counts as [`Self::turn`] does, but not the parts of an answer.
    pub(super) fn question(&self) -> u64 {
        self.question
    }

    /// Whether the next line that is typed is wanted.
    pub(super) fn wants_line(&self) -> bool {
        matches!(self.state, State::Asking(..))
    }

    /// Whether it must not be seen.
    pub(super) fn wants_secret(&self) -> bool {
        matches!(self.state, State::Asking(Question::Password, _))
    }

    /// How long this turn may take before [`Self::waited`] is to be called.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Joining(_) => Some(JOIN_WITHIN),
            State::Waiting(Awaited::Refusal) => Some(REFUSAL_WITHIN),
            State::Waiting(Awaited::Limits) => Some(limits::ANSWER_WITHIN),
            State::Waiting(_) => Some(ANSWER_WITHIN),
            State::Leaving => Some(LEAVE_WITHIN),
            State::Asking(..) | State::Over(_) => None,
        }
    }

    /// Whether nothing is to be heard or typed any more, but what is to be done be done.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// How it ended.
    pub(super) fn outcome(self) -> Result<(), Failure> {
        match self.state {
            State::Over(outcome) => outcome,
            _ => Ok(()),
        }
    }

    /// This turn has taken as long as it may.
    pub(super) fn waited(&mut self) {
        match self.state {
            State::Joining(_) => self.end(Err(LetsNobodyIn.into())),
            State::Waiting(_) => self.ask(Question::Operation),
            State::Leaving => self.end(Ok(())),
            State::Asking(..) | State::Over(_) => {}
        }
    }

    /// The connection is gone.
    pub(super) fn cut(&mut self, why: Failure) {
        if matches!(self.state, State::Leaving) {
            return self.end(Ok(()));
        }
        self.print(format!("Error with client connection | {}\n", crate::escape::Printable(&why)));
        self.end(Err(why));
    }

    /// Whoever is here wants to go: nothing more will be typed.
    pub(super) fn leave(&mut self) {
        match &self.state {
            // Leaving: asked once more, and waits no longer.
            State::Joining(_) | State::Leaving => self.end(Ok(())),
            State::Asking(_, Some(joining)) => {
                let missing = Failure::PasswordMissing(joining.name().to_owned());
                self.end(Err(missing));
            }
            State::Asking(_, None) | State::Waiting(_) => self.exit(),
            State::Over(_) => {}
        }
    }

    /// A message came.
    pub(super) fn hear(&mut self, received: Received) {
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
            Meaning::NotLetIn(why) => Some(Err(Failure::Refused(why.to_owned()))),
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
            // The next part has as long as the first.
            (None, State::Waiting(awaited)) if awaited.is_begun_by(&received) => self.turn += 1,
            _ => {}
        }
    }

    /// A line was typed that is no text.
    pub(super) fn typed_unfit(&mut self, why: Unfit) {
        if let State::Asking(question, _) = &self.state {
            let again = question.text();
            self.print(format!("The line {why}\n"));
            self.print(again);
        }
    }

    /// A line was typed.
    pub(super) fn typed(&mut self, line: &str) {
        // Until it is known what it leads to.
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
            // Without a name the server says so.
            Question::FilesOf if line.trim().is_empty() => {
                self.say("", Operation::ListFiles, NO_DATA, Awaited::Files);
            }
            Question::FilesOf => match Name::parse(line, usize::MAX) {
                Ok(name) => self.say(name.as_str(), Operation::ListFiles, NO_DATA, Awaited::Files),
                Err(why) => self.refuse(&format!("{why}\n")),
            },
            // Asked only while joining.
            Question::Password => {}
        }
    }

    fn choose(&mut self, typed: &str) {
        // Blanks, hyphens and underscores are the same, and so are capitals and small letters.
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
        // Comes after the whole list, in however many messages that is.
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

    /// What was typed cannot be sent.
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

    fn end(&mut self, outcome: Result<(), Failure>) {
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
