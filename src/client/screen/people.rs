//! [`People`]: who is here, kept fresh by asking. No IO; it says when to ask, and is told what came.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use crate::client::roll::Roll;

/// How long a list is good, at least.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// The same for each who is on it: long lists are asked for less often.
const ASK_EVERY_EACH: Duration = Duration::from_millis(10);
/// How soon it is asked again where something hints at a change.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// After so long a list that was asked for is given up.
const GIVE_UP: Duration = Duration::from_secs(20);

/// What begins the echo that marks the end of a list. Not shown to anyone.
const MARK: &str = "(end of the list of who is here, no. ";

/// Who is here.
#[derive(Debug, Default)]
pub struct People {
    names: Vec<String>,
    /// A list has come since the last connection began.
    known: bool,
    /// The parts of the list that is coming.
    coming: Roll,
    /// Asked for and not come yet.
    asked: Option<Asked>,
    /// When to ask next.
    next: Option<Instant>,
    last_asked: Option<Instant>,
    /// How many were asked for.
    count: u64,
    /// Someone wants to see the next list that is asked for.
    wanted: bool,
}

/// What a list brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Someone wants to see it.
    pub for_eyes: bool,
    /// Who is on it and was not on the one before.
    pub came: Vec<String>,
    /// And the other way round.
    pub left: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    for_eyes: bool,
}

impl People {
    /// The names, in the order in which they joined.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the list is of this connection.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// A connection has a name now.
    pub fn joined(&mut self, now: Instant) {
        (self.asked, self.next) = (None, Some(now));
    }

    /// There is no connection any more.
    pub fn cut(&mut self) {
        (self.known, self.asked, self.next, self.wanted) = (false, None, None, false);
    }

    /// Someone wants to see the list.
    pub fn show(&mut self, now: Instant) {
        self.wanted = true;
        self.next = Some(now);
    }

    /// Someone said something.
    pub fn heard(&mut self, name: &str) {
        if self.known && !self.names.iter().any(|known| known == name) {
            self.hint();
        }
    }

    /// Something may have changed.
    pub fn hint(&mut self) {
        if let (Some(last), Some(next)) = (self.last_asked, self.next) {
            self.next = Some(next.min(last + ASK_AGAIN));
        }
    }

    /// When to look again whether to ask.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.asked {
            Some(asked) => Some(asked.at + GIVE_UP),
            None => self.next,
        }
    }

    /// If it is time to ask: what the echo has to say that is to be sent after the question.
    pub fn ask(&mut self, now: Instant) -> Option<String> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let each = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.coming = Roll::default();
        self.asked = Some(Asked { at: now, for_eyes: std::mem::take(&mut self.wanted) });
        self.last_asked = Some(now);
        self.next = Some(now + ASK_EVERY + ASK_EVERY_EACH.saturating_mul(each));
        self.count += 1;
        Some(format!("{MARK}{})", self.count))
    }

    /// A part of a list came.
    pub fn part(&mut self, names: &[&str]) {
        // A part that nobody asked for is of no list.
        if self.asked.is_some() {
            self.coming.add(names);
        }
    }

    /// An echo came. `None`: it marks no list. Otherwise, what the list it ends brings.
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
                // What changed while there was no connection is no news.
                let is_news = std::mem::replace(&mut self.known, true);
                let (came, left) = if is_news { changes(&before, &self.names) } else { Default::default() };
                Some(Fresh { for_eyes: asked.for_eyes, came, left })
            }
        }
    }
}

/// Who is in the second and not in the first, and the other way round.
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
        assert_eq!(people.ask(now + ASK_EVERY), None, "one at a time");
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
        assert_eq!(people.deadline(), Some(now + ASK_EVERY));
        people.heard("ana");
        assert_eq!(people.deadline(), Some(now + ASK_EVERY));
        people.heard("eva");
        assert_eq!(people.deadline(), Some(now + ASK_AGAIN));
        assert!(people.ask(now + ASK_AGAIN).is_some());
        assert_eq!(people.deadline(), Some(now + ASK_AGAIN + GIVE_UP));
        assert!(
            people.ask(now + ASK_AGAIN + GIVE_UP).is_some(),
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
