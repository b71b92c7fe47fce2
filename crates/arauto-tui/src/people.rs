//! [`People`]: the list of connected users. A server that knows `watch` keeps it up to date; others are asked for it again
//! and again. No IO: callers ask when a request is due, and pass in the answers.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use arauto_client::{meaning::ListPart, roll::Roll};

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
    names: Roll,
    /// Whether a list has come since the last connection began.
    known: bool,
    source: Source,
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

/// How the list is kept up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// Not known yet: the server is asked whether it knows `watch`.
    #[default]
    Unknown,
    /// The server sends changes.
    Watch,
    /// The list is requested again and again.
    Lists,
}

/// A request for the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `watch`.
    Watch,
    /// `list_clients`.
    List,
}

/// Changes that a new list or the server brings.
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
    request: Request,
    /// A part of the answer has come, or the refusal of `watch`.
    is_answered: bool,
}

impl People {
    /// The names, in joining order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.names.names()
    }

    /// Whether the list belongs to the present connection.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Handles a connection whose name is confirmed: a request is due at once.
    pub fn joined(&mut self, now: Instant) {
        (self.asked, self.next, self.source) = (None, Some(now), Source::Unknown);
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
        if self.known && self.source == Source::Lists && !self.names().iter().any(|known| known == name) {
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

    /// Starts a request if one is due. Returns it, and the text of the echo to send after it.
    pub fn ask(&mut self, now: Instant) -> Option<(Request, String)> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let request = if self.source == Source::Unknown { Request::Watch } else { Request::List };
        let each = u32::try_from(self.names().len()).unwrap_or(u32::MAX);
        self.coming = Roll::default();
        let for_eyes = std::mem::take(&mut self.wanted);
        self.asked = Some(Asked { at: now, for_eyes, request, is_answered: false });
        self.last_asked = Some(now);
        self.next = Some(now + ASK_INTERVAL + ASK_INTERVAL_PER_PERSON.saturating_mul(each));
        self.count += 1;
        Some((request, format!("{MARK}{})", self.count)))
    }

    /// Takes a part of a list.
    pub fn part(&mut self, names: &[&str]) {
        // A part that was not requested belongs to no list.
        if self.asked.is_some_and(|asked| asked.request == Request::List) {
            self.coming.add(names);
        }
    }

    /// Takes an answer to `watch`, or a list that the server sends in place of changes. Returns the changes that a complete
    /// list brings.
    pub fn watched(&mut self, names: &[&str], part: Option<ListPart>) -> Fresh {
        let asked = self.asked.as_mut().filter(|asked| asked.request == Request::Watch);
        let was_answered = asked.is_some_and(|asked| std::mem::replace(&mut asked.is_answered, true));
        // A list without numbers may have further messages before the echo that marks its end.
        if !part.map_or(was_answered, |part| part.first > 1) {
            self.coming = Roll::default();
        }
        self.coming.add(names);
        if part.is_some_and(|part| part.last < part.of) {
            return Fresh::default();
        }
        self.source = Source::Watch;
        self.replace(self.coming.clone())
    }

    /// Whether the server's message with this operation says that it does not know `watch`.
    pub fn is_watch_refused(&mut self, operation: &str) -> bool {
        let asked = self.asked.as_mut().filter(|asked| asked.request == Request::Watch);
        let is_first = |asked: &mut Asked| !std::mem::replace(&mut asked.is_answered, true);
        operation == "Unknown_operation" && asked.is_some_and(is_first)
    }

    /// Takes the names of clients that have joined. Returns those that are new.
    pub fn came(&mut self, names: &[&str]) -> Fresh {
        let new: Vec<&str> = {
            let known: HashSet<&str> = self.names().iter().map(String::as_str).collect();
            names.iter().copied().filter(|name| !known.contains(name)).collect()
        };
        self.names.add(&new);
        Fresh { came: new.into_iter().map(str::to_owned).collect(), ..Fresh::default() }
    }

    /// Takes the names of clients that have left. Returns those that were known.
    pub fn departed(&mut self, names: &[&str]) -> Fresh {
        let before: HashSet<&str> = self.names().iter().map(String::as_str).collect();
        let left =
            names.iter().filter(|name| before.contains(*name)).map(|name| (*name).to_owned()).collect();
        self.names.remove(names);
        Fresh { left, ..Fresh::default() }
    }

    /// Takes an echo. Returns `None` if it marks no list, and otherwise the changes that the list brings.
    pub fn echo(&mut self, text: &str) -> Option<Fresh> {
        let number: u64 = text.strip_prefix(MARK)?.strip_suffix(')')?.parse().ok()?;
        if number > self.count {
            return None;
        }
        let Some(asked) = self.asked.take_if(|_| number == self.count) else { return Some(Fresh::default()) };
        let mut fresh = Fresh::default();
        if asked.request == Request::List {
            let list = std::mem::take(&mut self.coming);
            fresh = self.replace(list);
        } else if self.source == Source::Unknown {
            // The server does not know `watch`.
            (self.source, self.next) = (Source::Lists, self.last_asked);
            self.wanted |= asked.for_eyes;
            return Some(fresh);
        }
        self.coming = Roll::default();
        if self.source == Source::Watch && !self.wanted {
            self.next = None;
        }
        Some(Fresh { for_eyes: asked.for_eyes, ..fresh })
    }

    /// Replaces the names. Returns the changes, unless there was no connection meanwhile.
    fn replace(&mut self, names: Roll) -> Fresh {
        let before = std::mem::replace(&mut self.names, names);
        let is_news = std::mem::replace(&mut self.known, true);
        let (came, left) =
            if is_news { changes(before.names(), self.names.names()) } else { Default::default() };
        Fresh { for_eyes: false, came, left }
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
mod tests;
