//! [`Assembly`]: puts lists together that arrive in several messages. No clock; the caller passes the time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Entry,
    listing::{Listing, Part},
};

/// Maximum number of unfinished lists, one per sender. Another one displaces the list whose last part is oldest.
const MAX_SENDERS: usize = 16;
/// Maximum memory of one unfinished list, in bytes, names included. A list of Arauto's own client takes half of it.
const MAX_BYTES: usize = 1024 * 1024;
/// Time without a new part after which a list is given up. The parts of an answer arrive tens of milliseconds apart;
/// the rest is for senders that are delayed or reconnect.
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// Unfinished lists by sender.
///
/// ```
/// use std::time::Instant;
/// use arauto_client::files::{Assembled, Assembly};
/// let (mut assembly, now) = (Assembly::default(), Instant::now());
/// assert_eq!(assembly.take("ana", "files 1 to 1 of 2: a.txt (1 byte)", now), Assembled::More);
/// let Assembled::Complete(list) = assembly.take("ana", "files 2 to 2 of 2: b.txt (1 byte)", now) else { panic!() };
/// assert_eq!(list.entries.len(), 2);
/// assert_eq!(assembly.take("rui", "what files?", now), Assembled::FreeText);
/// assert_eq!(assembly.given_up(now), None);
/// ```
#[derive(Debug, Default)]
pub struct Assembly {
    /// Ordered by the arrival of the last part, the latest at the back.
    unfinished: VecDeque<Unfinished>,
    /// Lists that were given up and not yet returned by [`Self::given_up`]; at most [`MAX_SENDERS`].
    given_up: VecDeque<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    sender: String,
    /// Number of entries of the whole list.
    of: usize,
    /// Number of entries received or skipped.
    reached: usize,
    listing: Listing,
    bytes: usize,
    /// When the list is given up if no new part arrives.
    due: Instant,
}

/// The outcome of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// The list is complete.
    Complete(Listing),
    /// The list has ended, and some of its entries never arrived.
    Incomplete {
        /// The entries that arrived.
        listing: Listing,
        /// Number of entries that did not arrive.
        missing: usize,
    },
    /// A part was added, and more are expected.
    More,
    /// The message is not part of a list, but free text.
    FreeText,
}

impl Assembly {
    /// Adds a message of `sender`. Call [`Self::given_up`] afterwards: the message may have ended another list.
    pub fn take(&mut self, sender: &str, text: &str, now: Instant) -> Assembled {
        let Some(part) = Part::parse(text) else { return Assembled::FreeText };
        let mut before = self.remove(sender);
        // The first part of a list, or a part of another one, ends the unfinished list of this sender.
        if let Some(other) = before.take_if(|before| part.first == 1 || before.of != part.of) {
            self.give_up(other);
        }
        if part.first == 1 && part.last() == part.of {
            return Assembled::Complete(part.listing);
        }
        let mut list = before.unwrap_or_else(|| Unfinished {
            sender: sender.to_owned(),
            of: part.of,
            reached: 0,
            listing: Listing::default(),
            bytes: 0,
            due: now,
        });
        if list.add(part) {
            list.due = now + MAX_SILENCE;
        }
        if list.reached == list.of || list.bytes > MAX_BYTES {
            return list.end();
        }
        if self.unfinished.len() == MAX_SENDERS
            && let Some(oldest) = self.unfinished.pop_front()
        {
            self.give_up(oldest);
        }
        self.unfinished.push_back(list);
        Assembled::More
    }

    /// Returns a list that will not be finished, and its sender: another list displaced it, or it did not grow for 30
    /// s. Call this until it returns `None`, after each [`Self::take`] and at the time that [`Self::due`] returns.
    /// Lists that are not fetched are dropped after a while.
    pub fn given_up(&mut self, now: Instant) -> Option<(String, Assembled)> {
        let overdue = || self.unfinished.iter().position(|list| list.due <= now);
        let list = match self.given_up.pop_front() {
            Some(list) => list,
            None => overdue().and_then(|at| self.unfinished.remove(at))?,
        };
        Some((list.sender.clone(), list.end()))
    }

    /// Returns when the next list is given up if nothing arrives.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.unfinished.iter().chain(&self.given_up).map(|list| list.due).min()
    }

    /// Stops waiting for the rest of a sender's list, and returns the entries that arrived, if a list is unfinished.
    pub fn end(&mut self, sender: &str) -> Option<Assembled> {
        self.remove(sender).map(Unfinished::end)
    }

    fn remove(&mut self, sender: &str) -> Option<Unfinished> {
        let at = self.unfinished.iter().position(|list| list.sender == sender)?;
        self.unfinished.remove(at)
    }

    fn give_up(&mut self, list: Unfinished) {
        if self.given_up.len() == MAX_SENDERS {
            self.given_up.pop_front();
        }
        self.given_up.push_back(list);
    }
}

impl Unfinished {
    /// Adds the new entries of a part. Returns whether the list has grown. Entries before the part that never arrived
    /// count as missing; entries that arrived before are skipped.
    fn add(&mut self, part: Part) -> bool {
        let (last, known) = (part.last(), (self.reached + 1).saturating_sub(part.first));
        for entry in part.listing.entries.into_iter().skip(known) {
            self.bytes += size_of::<Entry>() + entry.name.len() + entry.kind.as_ref().map_or(0, String::len);
            self.listing.entries.push(entry);
        }
        if last <= self.reached {
            return false;
        }
        (self.reached, self.listing.left_out) = (last, part.listing.left_out);
        true
    }

    fn end(self) -> Assembled {
        match self.of - self.listing.entries.len() {
            0 => Assembled::Complete(self.listing),
            missing => Assembled::Incomplete { listing: self.listing, missing },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::{super::listing::tests::file, *};

    fn listing(names: &[&str]) -> Listing {
        Listing { entries: names.iter().map(|name| file(name)).collect(), ..Listing::default() }
    }

    fn text(first: usize, of: usize, names: &[&str]) -> String {
        let entries: Vec<_> = names.iter().map(|name| file(name).to_string()).collect();
        format!("files {first} to {} of {of}: {}", first + names.len() - 1, entries.join(", "))
    }

    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn take(assembly: &mut Assembly, sender: &str, text: &str) -> Assembled {
        assembly.take(sender, text, *NOW)
    }

    fn incomplete(names: &[&str], missing: usize) -> Assembled {
        Assembled::Incomplete { listing: listing(names), missing }
    }

    #[test]
    fn whole_lists_and_other_words() {
        let mut assembly = Assembly::default();
        assert_eq!(take(&mut assembly, "bob", "['File 1', 'File 2']"), Assembled::FreeText);
        assert_eq!(take(&mut assembly, "bob", "no files are shared"), Assembled::Complete(listing(&[])));
        assert_eq!(
            take(&mut assembly, "bob", "no folder is shared"),
            Assembled::Complete(Listing::no_folder())
        );
        assert_eq!(take(&mut assembly, "bob", "1 file: a (1 byte)"), Assembled::Complete(listing(&["a"])));
        assert_eq!(assembly.end("bob"), None);
    }

    #[test]
    fn parts_of_several_senders() {
        let mut assembly = Assembly::default();
        assert_eq!(take(&mut assembly, "bob", &text(1, 3, &["a", "b"])), Assembled::More);
        assert_eq!(take(&mut assembly, "eva", &text(1, 2, &["x"])), Assembled::More);
        // Free text between two parts does not disturb the list.
        assert_eq!(take(&mut assembly, "bob", "wait"), Assembled::FreeText);
        assert_eq!(
            take(&mut assembly, "bob", &text(3, 3, &["c"])),
            Assembled::Complete(listing(&["a", "b", "c"]))
        );
        let last = text(2, 2, &["y"]) + "; 1 file is not listed";
        let Assembled::Complete(whole) = take(&mut assembly, "eva", &last) else { panic!("not whole") };
        assert_eq!(whole.entries, listing(&["x", "y"]).entries);
        assert_eq!(whole.left_out.files, 1);
    }

    #[test]
    fn a_new_list_takes_the_place_of_one_under_way() {
        let mut assembly = Assembly::default();
        let given_up = Some(("bob".to_owned(), incomplete(&["old"], 2)));
        take(&mut assembly, "bob", &text(1, 3, &["old"]));
        assert_eq!(take(&mut assembly, "bob", &text(1, 3, &["a", "b"])), Assembled::More);
        assert_eq!(assembly.given_up(*NOW), given_up);
        assert_eq!(assembly.given_up(*NOW), None);
        let whole = Assembled::Complete(listing(&["a", "b", "c"]));
        assert_eq!(take(&mut assembly, "bob", &text(3, 3, &["c"])), whole);
        assert_eq!(assembly.given_up(*NOW), None);
        take(&mut assembly, "bob", &text(1, 3, &["old"]));
        assert_eq!(take(&mut assembly, "bob", "1 file: a (1 byte)"), Assembled::Complete(listing(&["a"])));
        assert_eq!(assembly.given_up(*NOW), given_up);
        assert_eq!(assembly.end("bob"), None);
    }

    #[test]
    fn what_does_not_get_on_is_given_up() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.due(), None);
        let at = |seconds| *NOW + Duration::from_secs(seconds);
        assembly.take("bob", &text(1, 9, &["a"]), at(0));
        assembly.take("eva", &text(1, 9, &["x"]), at(1));
        assembly.take("bob", &text(2, 9, &["b"]), at(20));
        assembly.take("eva", &text(1, 8, &["x"]), at(21));
        assert_eq!(assembly.given_up(at(21)), Some(("eva".to_owned(), incomplete(&["x"], 8))));
        // A part without new entries does not postpone the deadline.
        assembly.take("bob", &text(2, 9, &["b"]), at(49));
        assert_eq!(assembly.due(), Some(at(50)));
        assert_eq!(assembly.given_up(at(49)), None);
        assert_eq!(assembly.given_up(at(50)), Some(("bob".to_owned(), incomplete(&["a", "b"], 7))));
        assert_eq!(assembly.due(), Some(at(51)));
        assert_eq!(assembly.given_up(at(51)), Some(("eva".to_owned(), incomplete(&["x"], 7))));
        assert_eq!((assembly.due(), assembly.given_up(at(999))), (None, None));
    }

    #[test]
    fn gaps_and_repetitions() {
        let mut assembly = Assembly::default();
        take(&mut assembly, "bob", &text(1, 6, &["a", "b"]));
        assert_eq!(take(&mut assembly, "bob", &text(2, 6, &["B", "c"])), Assembled::More);
        let all = incomplete(&["a", "b", "c", "f"], 2);
        assert_eq!(take(&mut assembly, "bob", &text(6, 6, &["f"])), all);
        assert_eq!(take(&mut assembly, "bob", &text(3, 3, &["c"])), incomplete(&["c"], 2));
        take(&mut assembly, "bob", &text(1, 3, &["a"]));
        assert_eq!(assembly.end("bob"), Some(incomplete(&["a"], 2)));
        // A part of another list ends the first list, and is not mixed with it.
        take(&mut assembly, "bob", &text(1, 3, &["a"]));
        assert_eq!(take(&mut assembly, "bob", &text(4, 4, &["z"])), incomplete(&["z"], 3));
        assert_eq!(assembly.given_up(*NOW), Some(("bob".to_owned(), incomplete(&["a"], 2))));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut assembly = Assembly::default();
        for sender in 0..1000 {
            take(&mut assembly, &sender.to_string(), &text(1, 9, &["a"]));
        }
        assert_eq!((assembly.unfinished.len(), assembly.given_up.len()), (MAX_SENDERS, MAX_SENDERS));
        assert_eq!(assembly.end("983"), None);
        assert!(assembly.end("984").is_some());
        // Displaced lists are kept until fetched; the earliest were dropped because the queue is bounded.
        let made_room = std::iter::from_fn(|| assembly.given_up(*NOW)).map(|(sender, _)| sender);
        assert_eq!(made_room.collect::<Vec<_>>(), (968..984).map(|n| n.to_string()).collect::<Vec<_>>());

        for name in ["n".repeat(MAX_BYTES / 4), String::new()] {
            let mut assembly = Assembly::default();
            let part = |first| text(first, 1_000_000, &[name.as_str(); 4]);
            let ended =
                (0..MAX_BYTES).find(|n| take(&mut assembly, "bob", &part(1 + 4 * n)) != Assembled::More);
            let each = size_of::<Entry>() + name.len();
            assert_eq!(ended, Some(MAX_BYTES / (4 * each)));
            assert_eq!(assembly.due(), None);
        }
    }

    proptest! {
        #[test]
        fn every_list_is_put_together_again(count in 0..300_usize, room in 64..400_usize) {
            let names: Vec<_> = (0..count).map(|at| format!("{at}, x")).collect();
            let whole = listing(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let mut assembly = Assembly::default();
            let texts = whole.texts(room);
            let (last, parts) = texts.split_last().unwrap();
            for text in parts {
                prop_assert_eq!(take(&mut assembly, "bob", text), Assembled::More);
            }
            let Assembled::Complete(read) = take(&mut assembly, "bob", last) else { panic!("not whole") };
            prop_assert_eq!(read.entries.len() + read.left_out.files, count);
            prop_assert_eq!(&read.entries[..], &whole.entries[..read.entries.len()]);
        }
    }
}
