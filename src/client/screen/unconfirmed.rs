//! [`Unconfirmed`]: what was sent and is not known to have arrived.
//!
//! The protocol confirms nothing. But a server carries out what one sender asks for in turn: whatever comes back shows
//! that all before it has arrived.

use std::collections::VecDeque;

/// The most that is remembered.
const MOST: usize = 1000;

/// What was sent and is not known to have arrived, the oldest first.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    sent: VecDeque<Sent>,
}

#[derive(Debug)]
enum Sent {
    /// As typed. `returns`: it comes back, with this text.
    Words { typed: String, returns: Option<String> },
    /// An echo that nobody typed.
    Mark(String),
}

impl Unconfirmed {
    /// This was typed and sent. `returns`: what the sender gets to hear of it, if anything.
    pub fn words(&mut self, typed: String, returns: Option<String>) {
        self.push(Sent::Words { typed, returns });
    }

    /// This echo was sent after it.
    pub fn mark(&mut self, mark: String) {
        self.push(Sent::Mark(mark));
    }

    fn push(&mut self, sent: Sent) {
        self.sent.push_back(sent);
        if self.sent.len() > MOST {
            self.sent.pop_front();
        }
    }

    /// This came back: all up to it has arrived.
    pub fn came_back(&mut self, text: &str) {
        let place = self.sent.iter().position(|sent| match sent {
            Sent::Words { returns, .. } => returns.as_deref() == Some(text),
            Sent::Mark(mark) => mark == text,
        });
        if let Some(place) = place {
            self.sent.drain(..=place);
        }
    }

    /// Forgets it all, and gives what was typed.
    pub fn take(&mut self) -> Vec<String> {
        let typed = |sent| match sent {
            Sent::Words { typed, .. } => Some(typed),
            Sent::Mark(_) => None,
        };
        self.sent.drain(..).filter_map(typed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_confirms_all_before_it() {
        let mut unconfirmed = Unconfirmed::default();
        unconfirmed.words("/msg ana one".to_owned(), None);
        unconfirmed.words("two".to_owned(), Some("two".to_owned()));
        unconfirmed.words("/msg ana three".to_owned(), None);
        unconfirmed.mark("mark".to_owned());
        unconfirmed.words("/msg ana four".to_owned(), None);
        unconfirmed.came_back("something else");
        unconfirmed.came_back("two");
        unconfirmed.came_back("mark");
        assert_eq!(unconfirmed.take(), ["/msg ana four"]);
        assert!(unconfirmed.take().is_empty());
        for number in 0..=MOST {
            unconfirmed.words(number.to_string(), None);
        }
        assert_eq!(unconfirmed.take().len(), MOST);
    }
}
