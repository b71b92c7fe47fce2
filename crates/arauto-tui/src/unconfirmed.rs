//! [`Unconfirmed`]: sent messages that are not known to have arrived.
//!
//! The protocol has no confirmations. But a server carries out the requests of one sender in order: a message that
//! comes back shows that all earlier ones have arrived. A broadcast and an echo come back by themselves. After other
//! messages, the client sends an echo that marks the place ([`Unconfirmed::next_mark`]). An answer of the server to a
//! message shows the same, and whether the server carried that message out.

use std::{collections::VecDeque, time::Instant};

use arauto_protocol::{Line, Message, Operation};

use super::answers;

/// Maximum number of remembered messages and marks.
const MAX_UNCONFIRMED: usize = 1000;

/// Beginning of an echo that marks a place. Its return is not shown.
const MARK: &str = "(all before this has arrived, no. ";

/// Sent messages that are not known to have arrived, the oldest first.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    sent: VecDeque<Sent>,
    /// Number of messages so far, which is the number of the next.
    count: u64,
    /// Number of marks so far.
    marks: u64,
}

#[derive(Debug)]
struct Sent {
    at: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A message: as typed, and as sent.
    Words { number: u64, typed: String, line: Line },
    /// An echo that the client sends by itself.
    Mark(String),
}

/// The result of a sent message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The message's number.
    pub number: u64,
    /// Whether the server carried the message out. A message that should come back was not carried out if a later one
    /// came back before it.
    pub is_carried_out: bool,
}

/// The results of a text that came back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CameBack {
    /// The message that came back and all earlier ones.
    pub settled: Vec<Settled>,
    /// Number of the message that came back, if it was typed.
    pub words: Option<u64>,
}

impl Unconfirmed {
    /// Number of the next message.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.count
    }

    /// Adds a message that was typed and sent.
    pub fn words(&mut self, typed: String, line: Line, at: Instant) {
        let number = self.count;
        self.count += 1;
        self.push(Sent { at, what: What::Words { number, typed, line } });
    }

    /// Returns the text of an echo to send after messages that do not come back by themselves.
    pub fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{MARK}{})", self.marks)
    }

    /// Adds the mark that was sent.
    pub fn mark(&mut self, mark: String, at: Instant) {
        self.push(Sent { at, what: What::Mark(mark) });
    }

    /// Whether a text is a mark that [`Self::next_mark`] made.
    #[must_use]
    pub fn is_mark(&self, text: &str) -> bool {
        let number = text.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(')')?.parse::<u64>().ok());
        number.is_some_and(|number| number <= self.marks)
    }

    fn push(&mut self, sent: Sent) {
        self.sent.push_back(sent);
        if self.sent.len() > MAX_UNCONFIRMED {
            self.sent.pop_front();
        }
    }

    /// When the oldest message or mark was sent.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at)
    }

    /// Settles the message with this text, which came back, and all earlier ones: they have arrived.
    pub fn came_back(&mut self, text: &str) -> CameBack {
        // Servers differ in which blanks at the ends of a text they keep.
        let is_it = |sent: &Sent| match &sent.what {
            What::Words { line, .. } => {
                returned(&line.message()).is_some_and(|words| words.trim() == text.trim())
            }
            What::Mark(mark) => mark == text,
        };
        let Some(place) = self.sent.iter().position(is_it) else { return CameBack::default() };
        let words = match self.sent[place].what {
            What::Words { number, .. } => Some(number),
            What::Mark(_) => None,
        };
        CameBack { settled: self.settle(place, true), words }
    }

    /// Settles the message that the server answers by this operation and text, and all earlier ones. Does nothing if it
    /// is not known which message that is.
    pub fn answered(&mut self, operation: &str, text: &str, is_carried_out: bool) -> Vec<Settled> {
        let is_it = |sent: &Sent| match &sent.what {
            What::Words { line, .. } => answers::answers(&line.message(), operation, text),
            What::Mark(_) => false,
        };
        let is_of_the_last = self.sent.len() == 1 && answers::refuses_the_last(operation, text);
        let place = self.sent.iter().position(is_it).or(is_of_the_last.then_some(0));
        place.map(|place| self.settle(place, is_carried_out)).unwrap_or_default()
    }

    /// Removes the message at this place and all earlier ones. `is_carried_out`: whether the server carried out the one
    /// at this place.
    fn settle(&mut self, place: usize, is_carried_out: bool) -> Vec<Settled> {
        let settled = self.sent.drain(..=place).enumerate().filter_map(|(at, sent)| match sent.what {
            What::Words { number, line, .. } => {
                let is_carried_out =
                    if at == place { is_carried_out } else { returned(&line.message()).is_none() };
                Some(Settled { number, is_carried_out })
            }
            What::Mark(_) => None,
        });
        settled.collect()
    }

    /// Removes all messages, and returns them as typed with their numbers.
    pub fn take(&mut self) -> Vec<(u64, String)> {
        let typed = |sent: Sent| match sent.what {
            What::Words { number, typed, .. } => Some((number, typed)),
            What::Mark(_) => None,
        };
        self.sent.drain(..).filter_map(typed).collect()
    }
}

/// The text with which a message comes back to its sender, if it does.
#[must_use]
pub fn returned<'a>(message: &Message<'a>) -> Option<&'a str> {
    match Operation::from_wire(message.operation)? {
        Operation::Broadcast | Operation::Echo => Some(message.data),
        Operation::PrivateMessage if message.destination == message.sender => Some(message.data),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::new(&Message::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn what_comes_back_confirms_all_before_it() {
        let now = Instant::now();
        let mut unconfirmed = Unconfirmed::default();
        let settled = |number, is_carried_out| Settled { number, is_carried_out };
        let to_ana = || line("rui | ana | private_message | hi");
        let to_all = |text: &str| line(&format!("rui | all clients | broadcast | {text}"));
        unconfirmed.words("/msg ana one".to_owned(), to_ana(), now);
        unconfirmed.words("two".to_owned(), to_all("two"), now);
        unconfirmed.words("/msg ana three".to_owned(), to_ana(), now);
        unconfirmed.words("refused".to_owned(), to_all("refused"), now);
        let mark = unconfirmed.next_mark();
        assert!(unconfirmed.is_mark(&mark));
        assert!(!unconfirmed.is_mark("hi"));
        unconfirmed.mark(mark.clone(), now);
        unconfirmed.words("/msg ana four".to_owned(), to_ana(), now);
        assert_eq!(unconfirmed.came_back("something else"), CameBack::default());
        let back = unconfirmed.came_back("two ");
        assert_eq!(back, CameBack { settled: vec![settled(0, true), settled(1, true)], words: Some(1) });
        let back = unconfirmed.came_back(&mark);
        assert_eq!(back, CameBack { settled: vec![settled(2, true), settled(3, false)], words: None });
        assert_eq!(unconfirmed.since(), Some(now));
        assert_eq!(unconfirmed.take(), [(4, "/msg ana four".to_owned())]);
        assert!(unconfirmed.take().is_empty());
        assert_eq!(unconfirmed.since(), None);
        for number in 0..=MAX_UNCONFIRMED {
            unconfirmed.words(number.to_string(), to_ana(), now);
        }
        assert_eq!(unconfirmed.take().len(), MAX_UNCONFIRMED);
    }

    #[test]
    fn an_answer_confirms_all_before_it() {
        let now = Instant::now();
        let mut unconfirmed = Unconfirmed::default();
        let settled = |number, is_carried_out| Settled { number, is_carried_out };
        let not_found = |name| format!("Destination client ({name}) not found!");
        let too_much = ("error_message", "Your message was not sent: you may send 1 messages a second");
        for (typed, sent) in [
            ("to all", "rui | all clients | broadcast | to all"),
            ("/msg ana hi", "rui | ana | private_message | hi"),
            ("/msg bob hi", "rui | bob | private_message | hi"),
            ("/msg eva hi", "rui | eva | private_message | hi"),
        ] {
            unconfirmed.words(typed.to_owned(), line(sent), now);
        }
        assert_eq!(unconfirmed.answered("private_message", &not_found("zoe"), false), []);
        assert_eq!(unconfirmed.answered(too_much.0, too_much.1, false), [], "which of them is not known");
        // A broadcast that has not come back by now was refused.
        let answered = unconfirmed.answered("private_message", &not_found("bob"), false);
        assert_eq!(answered, [settled(0, false), settled(1, true), settled(2, false)]);
        assert_eq!(unconfirmed.answered(too_much.0, too_much.1, false), [settled(3, false)]);
        assert_eq!(unconfirmed.since(), None);
    }
}
