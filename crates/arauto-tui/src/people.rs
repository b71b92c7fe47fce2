//! [`People`]: the list of connected users, kept up to date by requests. No IO: callers ask when a request is due,
//! and pass in the answers.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use arauto_client::roll::Roll;

/// Interval between two requests for the list if nothing hints at a change.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// Added to the interval for each name on the list: long lists are requested less often.
const ASK_INTERVAL_PER_PERSON: Duration = Duration::from_millis(10);
/// Minimum time between two requests where something hints at a change.
const MIN_ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Time after which a request without an answer is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Beginning of the echo that marks the end of a list. Its return is not shown.
const MARK: &str = "(end of the list of who is here, no. ";

/// The connected users, as far as they are known.
#[derive(Debug, Default)]
pub struct People {
    names: Vec<String>,
    /// Whether a list has come since the last connection began.
    known: bool,
    /// Names of the list that is coming.
    coming: Roll,
    /// The request that has no answer yet.
    asked: Option<Asked>,
    /// When to send the next request.
    next: Option<Instant>,
    last_asked: Option<Instant>,
    /// Number of requests so far.
    count: u64,
    /// Whether the user wants to see the list that is requested next.
    wanted: bool,
}

/// Changes that a new list brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Whether the user wants to see the list.
    pub for_eyes: bool,
    /// Names that are new on the list.
    pub came: Vec<String>,
    /// Names that are no longer on the list.
    pub left: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    for_eyes: bool,
}

impl People {
    /// The names, in joining order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the list belongs to the present connection.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Handles a connection whose name is confirmed: a request is due at once.
    pub fn joined(&mut self, now: Instant) {
        (self.asked, self.next) = (None, Some(now));
    }

    /// Handles the end of the connection.
    pub fn cut(&mut self) {
        (self.known, self.asked, self.next, self.wanted) = (false, None, None, false);
    }

    /// Makes a request due at once, whose list the user wants to see.
    pub fn show(&mut self, now: Instant) {
        self.wanted = true;
        self.next = Some(now);
    }

    /// Takes the name of a sender. A name that is not on the list hints at a change.
    pub fn heard(&mut self, name: &str) {
        if self.known && !self.names.iter().any(|known| known == name) {
            self.hint();
        }
    }

    /// Makes the next request due sooner, because something may have changed.
    pub fn hint(&mut self) {
        if let (Some(last), Some(next)) = (self.last_asked, self.next) {
            self.next = Some(next.min(last + MIN_ASK_INTERVAL));
        }
    }

    /// When [`Self::ask`] has to be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.asked {
            Some(asked) => Some(asked.at + ANSWER_TIMEOUT),
            None => self.next,
        }
    }

    /// Starts a request if one is due. Returns the text of the echo to send after it.
    pub fn ask(&mut self, now: Instant) -> Option<String> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let each = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.coming = Roll::default();
        self.asked = Some(Asked { at: now, for_eyes: std::mem::take(&mut self.wanted) });
        self.last_asked = Some(now);
        self.next = Some(now + ASK_INTERVAL + ASK_INTERVAL_PER_PERSON.saturating_mul(each));
        self.count += 1;
        Some(format!("{MARK}{})", self.count))
    }

    /// Takes a part of a list.
    pub fn part(&mut self, names: &[&str]) {
        // A part that was not requested belongs to no list.
        if self.asked.is_some() {
            self.coming.add(names);
        }
    }

    /// Takes an echo. Returns `None` if it marks no list, and otherwise the changes that the list brings.
    pub fn echo(&mut self, text: &str) -> Option<Fresh> {
        let number: u64 = text.strip_prefix(MARK)?.strip_suffix(')')?.parse().ok()?;
        if number > self.count {
            return None;
        }
        match self.asked.take_if(|_| number == self.count) {
            None => Some(Fresh::default()),
            Some(asked) => {
                let before =
                    std::mem::replace(&mut self.names, std::mem::take(&mut self.coming).into_names());
                // Changes while there was no connection are not reported.
                let is_news = std::mem::replace(&mut self.known, true);
                let (came, left) = if is_news { changes(&before, &self.names) } else { Default::default() };
                Some(Fresh { for_eyes: asked.for_eyes, came, left })
            }
        }
    }
}

/// The names only in `after`, and those only in `before`.
fn changes(before: &[String], after: &[String]) -> (Vec<String>, Vec<String>) {
    let missing = |from: &[String], of: &[String]| -> Vec<String> {
        let from: HashSet<_> = from.iter().collect();
        of.iter().filter(|name| !from.contains(name)).cloned().collect()
    };
    (missing(before, after), missing(after, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_longer_than_a_name_can_be() {
        let now = Instant::now();
        let mut people = People::default();
        people.joined(now);
        let mark = people.ask(now).unwrap();
        people.part(&[&"é".repeat(100_000)]);
        people.echo(&mark);
        assert_eq!(people.names(), ["é".repeat(128)]);
    }

    #[test]
    fn a_list_in_parts_ends_with_its_mark() {
        let now = Instant::now();
        let mut people = People::default();
        assert_eq!((people.deadline(), people.ask(now)), (None, None));
        people.joined(now);
        let mark = people.ask(now).unwrap();
        assert_eq!(people.ask(now + ASK_INTERVAL), None, "one at a time");
        people.part(&["ana", "rui"]);
        assert!(!people.is_known());
        people.part(&["eva"]);
        assert_eq!(people.echo("hi"), None);
        assert_eq!(people.echo(&mark), Some(Fresh::default()), "the first is no news");
        assert_eq!(people.names(), ["ana", "rui", "eva"]);
        assert!(people.is_known());
        assert_eq!(people.echo(&mark), Some(Fresh::default()), "again: still no word to show");
        assert_eq!(people.names(), ["ana", "rui", "eva"]);
    }

    #[test]
    fn asked_again_after_a_while_and_sooner_on_a_hint() {
        let now = Instant::now();
        let mut people = People::default();
        people.joined(now);
        let mark = people.ask(now).unwrap();
        people.part(&["ana"]);
        people.echo(&mark);
        assert_eq!(people.deadline(), Some(now + ASK_INTERVAL));
        people.heard("ana");
        assert_eq!(people.deadline(), Some(now + ASK_INTERVAL));
        people.heard("eva");
        assert_eq!(people.deadline(), Some(now + MIN_ASK_INTERVAL));
        assert!(people.ask(now + MIN_ASK_INTERVAL).is_some());
        assert_eq!(people.deadline(), Some(now + MIN_ASK_INTERVAL + ANSWER_TIMEOUT));
        assert!(
            people.ask(now + MIN_ASK_INTERVAL + ANSWER_TIMEOUT).is_some(),
            "an answer that never comes is not waited for"
        );
    }

    #[test]
    fn a_list_for_eyes_is_one_asked_for_after_the_wish() {
        let now = Instant::now();
        let mut people = People::default();
        people.joined(now);
        let first = people.ask(now).unwrap();
        people.show(now);
        assert!(!people.echo(&first).unwrap().for_eyes);
        let second = people.ask(now).unwrap();
        assert!(people.echo(&second).unwrap().for_eyes);
    }

    #[test]
    fn who_came_and_who_left() {
        let now = Instant::now();
        let mut people = People::default();
        let mut list = |names: &[&str]| {
            people.joined(now);
            let mark = people.ask(now).unwrap();
            people.part(names);
            let Fresh { came, left, .. } = people.echo(&mark).unwrap();
            (came.join(" "), left.join(" "))
        };
        assert_eq!(list(&["ana", "rui"]), (String::new(), String::new()));
        assert_eq!(list(&["rui", "eva", "bob"]), ("eva bob".to_owned(), "ana".to_owned()));
        people.cut();
        people.joined(now);
        let mark = people.ask(now).unwrap();
        people.part(&["zoe"]);
        assert_eq!(
            people.echo(&mark),
            Some(Fresh::default()),
            "after a cut there is nothing to compare with"
        );
    }
}
