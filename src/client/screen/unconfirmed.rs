//! [`Unconfirmed`]: what was sent and is not known to have arrived.
//!
//! The protocol confirms nothing. But a server carries out what one sender asks for in turn: whatever comes back shows
//! that all before it has arrived. A broadcast and an echo come back by themselves. Behind everything else an echo is sent
//! that marks the place ([`Unconfirmed::next_mark`]).

use std::{collections::VecDeque, time::Instant};

/// The most that is remembered.
const MOST: usize = 1000;

/// What begins an echo that marks a place. Its answer is shown to nobody.
const MARK: &str = "(all before this has arrived, no. ";

/// What was sent and is not known to have arrived, the oldest first.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    sent: VecDeque<Sent>,
    /// How many were remembered so far, which numbers them.
    count: u64,
    /// How many marks were made.
    marks: u64,
}

#[derive(Debug)]
struct Sent {
    at: Instant,
    what: What,
}

#[derive(Debug)]
enum What {
    /// As typed. `returns`: it comes back, with this text.
    Words { number: u64, typed: String, returns: Option<String> },
    /// An echo that nobody typed.
    Mark(String),
}

/// What became of words that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Their number.
    pub number: u64,
    /// Whether the server carried them out. It did not if they come back and what was sent after them came back first.
    pub is_carried_out: bool,
}

/// What a text that came back says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CameBack {
    /// What became of all up to it.
    pub settled: Vec<Settled>,
    /// The words that it is, if they were typed.
    pub words: Option<u64>,
}

impl Unconfirmed {
    /// The number of the words that are sent next.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.count
    }

    /// This was typed and sent. `returns`: what the sender gets to hear of it, if anything.
    pub fn words(&mut self, typed: String, returns: Option<String>, at: Instant) {
        let number = self.count;
        self.count += 1;
        self.push(Sent { at, what: What::Words { number, typed, returns } });
    }

    /// An echo to send behind words that do not come back by themselves.
    pub fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{MARK}{})", self.marks)
    }

    /// This echo was sent after it.
    pub fn mark(&mut self, mark: String, at: Instant) {
        self.push(Sent { at, what: What::Mark(mark) });
    }

    /// Whether a text is a mark of this.
    #[must_use]
    pub fn is_mark(&self, text: &str) -> bool {
        let number = text.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(')')?.parse::<u64>().ok());
        number.is_some_and(|number| number <= self.marks)
    }

    fn push(&mut self, sent: Sent) {
        self.sent.push_back(sent);
        if self.sent.len() > MOST {
            self.sent.pop_front();
        }
    }

    /// When the oldest was sent.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at)
    }

    /// This came back: all up to it has arrived.
    pub fn came_back(&mut self, text: &str) -> CameBack {
        // Servers differ in which blanks at the ends they keep.
        let is_it = |sent: &Sent| match &sent.what {
            What::Words { returns, .. } => returns.as_ref().is_some_and(|words| words.trim() == text.trim()),
            What::Mark(mark) => mark == text,
        };
        let Some(place) = self.sent.iter().position(is_it) else { return CameBack::default() };
        let mut came_back = CameBack::default();
        for (at, sent) in self.sent.drain(..=place).enumerate() {
            if let What::Words { number, returns, .. } = sent.what {
                let is_carried_out = at == place || returns.is_none();
                came_back.settled.push(Settled { number, is_carried_out });
                if at == place {
                    came_back.words = Some(number);
                }
            }
        }
        came_back
    }

    /// Forgets it all, and gives what was typed, with its numbers.
    pub fn take(&mut self) -> Vec<(u64, String)> {
        let typed = |sent: Sent| match sent.what {
            What::Words { number, typed, .. } => Some((number, typed)),
            What::Mark(_) => None,
        };
        self.sent.drain(..).filter_map(typed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_confirms_all_before_it() {
        let now = Instant::now();
        let mut unconfirmed = Unconfirmed::default();
        let settled = |number, is_carried_out| Settled { number, is_carried_out };
        unconfirmed.words("/msg ana one".to_owned(), None, now);
        unconfirmed.words("two".to_owned(), Some("two".to_owned()), now);
        unconfirmed.words("/msg ana three".to_owned(), None, now);
        unconfirmed.words("refused".to_owned(), Some("refused".to_owned()), now);
        let mark = unconfirmed.next_mark();
        assert!(unconfirmed.is_mark(&mark));
        assert!(!unconfirmed.is_mark("hi"));
        unconfirmed.mark(mark.clone(), now);
        unconfirmed.words("/msg ana four".to_owned(), None, now);
        assert_eq!(unconfirmed.came_back("something else"), CameBack::default());
        let back = unconfirmed.came_back("two ");
        assert_eq!(back, CameBack { settled: vec![settled(0, true), settled(1, true)], words: Some(1) });
        let back = unconfirmed.came_back(&mark);
        assert_eq!(back, CameBack { settled: vec![settled(2, true), settled(3, false)], words: None });
        assert_eq!(unconfirmed.since(), Some(now));
        assert_eq!(unconfirmed.take(), [(4, "/msg ana four".to_owned())]);
        assert!(unconfirmed.take().is_empty());
        assert_eq!(unconfirmed.since(), None);
        for number in 0..=MOST {
            unconfirmed.words(number.to_string(), None, now);
        }
        assert_eq!(unconfirmed.take().len(), MOST);
    }
}
