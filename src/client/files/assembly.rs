//! [`Assembly`]: lists that come in parts, put together again.

use std::collections::VecDeque;

use super::listing::{Listing, Part};

/// The most senders of whom a list is under way; the one who began first makes room for a new one.
const MOST_SENDERS: usize = 32;
/// The most bytes of text that are kept of one list. What Arauto's own client writes has a fifth of it.
const MOST_BYTES: usize = 1024 * 1024;

/// Lists under way, by who sends them.
#[derive(Debug, Default)]
pub struct Assembly {
    unfinished: VecDeque<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    sender: String,
    /// How many entries the whole list has.
    of: usize,
    /// How many of them came or were passed over.
    reached: usize,
    listing: Listing,
    bytes: usize,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A whole list.
    Complete(Listing),
    /// The list has ended, and some of it never came.
    Incomplete {
        /// What there is.
        listing: Listing,
        /// How many entries did not come.
        missing: usize,
    },
    /// A part; more is to come.
    More,
    /// No list, but what someone says in other words.
    FreeText,
}

impl Assembly {
    /// Takes an answer in.
    pub fn take(&mut self, sender: &str, text: &str) -> Assembled {
        let Some(part) = Part::parse(text) else { return Assembled::FreeText };
        let before = self.remove(sender);
        if part.first == 1 && part.last() == part.of {
            return Assembled::Complete(part.listing);
        }
        // The first part of a list, or a part of another one, puts an end to what was under way.
        let mut unfinished =
            before.filter(|before| part.first > 1 && before.of == part.of).unwrap_or_else(|| {
                let listing = Listing::default();
                Unfinished { sender: sender.to_owned(), of: part.of, reached: 0, listing, bytes: 0 }
            });
        unfinished.add(part, text.len());
        if unfinished.reached >= unfinished.of || unfinished.bytes > MOST_BYTES {
            return unfinished.end();
        }
        if self.unfinished.len() == MOST_SENDERS {
            self.unfinished.pop_front();
        }
        self.unfinished.push_back(unfinished);
        Assembled::More
    }

    /// Waits no longer for the rest of someone's list, and gives what there is of it, if one is under way.
    pub fn end(&mut self, sender: &str) -> Option<Assembled> {
        self.remove(sender).map(Unfinished::end)
    }

    fn remove(&mut self, sender: &str) -> Option<Unfinished> {
        let at = self.unfinished.iter().position(|unfinished| unfinished.sender == sender)?;
        self.unfinished.remove(at)
    }
}

impl Unfinished {
    /// Adds what is new in a part. Entries between the parts are missed; those that came before are not taken twice.
    fn add(&mut self, part: Part, bytes: usize) {
        let (last, known) = (part.last(), (self.reached + 1).saturating_sub(part.first));
        self.listing.entries.extend(part.listing.entries.into_iter().skip(known));
        self.listing.left_out = part.listing.left_out;
        self.reached = self.reached.max(last);
        self.bytes += bytes;
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
    use proptest::prelude::*;

    use super::{super::listing::tests::file, *};

    fn listing(names: &[&str]) -> Listing {
        Listing { entries: names.iter().map(|name| file(name)).collect(), ..Listing::default() }
    }

    fn text(first: usize, of: usize, names: &[&str]) -> String {
        let entries: Vec<_> = names.iter().map(|name| file(name).to_string()).collect();
        format!("files {first} to {} of {of}: {}", first + names.len() - 1, entries.join(", "))
    }

    #[test]
    fn whole_lists_and_other_words() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.take("bob", "['File 1', 'File 2']"), Assembled::FreeText);
        assert_eq!(assembly.take("bob", "no files are shared"), Assembled::Complete(listing(&[])));
        assert_eq!(assembly.take("bob", "no folder is shared"), Assembled::Complete(Listing::no_folder()));
        assert_eq!(assembly.take("bob", "1 file: a (1 byte)"), Assembled::Complete(listing(&["a"])));
        assert_eq!(assembly.end("bob"), None);
    }

    #[test]
    fn parts_of_several_senders() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.take("bob", &text(1, 3, &["a", "b"])), Assembled::More);
        assert_eq!(assembly.take("eva", &text(1, 2, &["x"])), Assembled::More);
        // In between someone says something; that is no part.
        assert_eq!(assembly.take("bob", "wait"), Assembled::FreeText);
        assert_eq!(assembly.take("bob", &text(3, 3, &["c"])), Assembled::Complete(listing(&["a", "b", "c"])));
        let last = text(2, 2, &["y"]) + "; 1 file is not listed";
        let Assembled::Complete(whole) = assembly.take("eva", &last) else { panic!("not whole") };
        assert_eq!(whole.entries, listing(&["x", "y"]).entries);
        assert_eq!(whole.left_out.files, 1);
    }

    #[test]
    fn a_new_list_takes_the_place_of_one_under_way() {
        let mut assembly = Assembly::default();
        assembly.take("bob", &text(1, 3, &["old"]));
        assert_eq!(assembly.take("bob", &text(1, 3, &["a", "b"])), Assembled::More);
        assert_eq!(assembly.take("bob", &text(3, 3, &["c"])), Assembled::Complete(listing(&["a", "b", "c"])));
        assembly.take("bob", &text(1, 3, &["old"]));
        assert_eq!(assembly.take("bob", "1 file: a (1 byte)"), Assembled::Complete(listing(&["a"])));
        assert_eq!(assembly.end("bob"), None);
    }

    #[test]
    fn gaps_and_repetitions() {
        let mut assembly = Assembly::default();
        assembly.take("bob", &text(1, 6, &["a", "b"]));
        assert_eq!(assembly.take("bob", &text(2, 6, &["B", "c"])), Assembled::More);
        let incomplete = Assembled::Incomplete { listing: listing(&["a", "b", "c", "f"]), missing: 2 };
        assert_eq!(assembly.take("bob", &text(6, 6, &["f"])), incomplete);
        let incomplete = Assembled::Incomplete { listing: listing(&["c"]), missing: 2 };
        assert_eq!(assembly.take("bob", &text(3, 3, &["c"])), incomplete);
        assembly.take("bob", &text(1, 3, &["a"]));
        let incomplete = Assembled::Incomplete { listing: listing(&["a"]), missing: 2 };
        assert_eq!(assembly.end("bob"), Some(incomplete));
        // Another list's part: the first is not mixed with it.
        assembly.take("bob", &text(1, 3, &["a"]));
        let incomplete = Assembled::Incomplete { listing: listing(&["z"]), missing: 3 };
        assert_eq!(assembly.take("bob", &text(4, 4, &["z"])), incomplete);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut assembly = Assembly::default();
        for sender in 0..1000 {
            assembly.take(&sender.to_string(), &text(1, 9, &["a"]));
        }
        assert_eq!(assembly.unfinished.len(), MOST_SENDERS);
        assert_eq!(assembly.end("967"), None);
        assert!(assembly.end("968").is_some());

        let long = "n".repeat(MOST_BYTES / 4);
        let kept = (1..=9).map(|at| assembly.take("bob", &text(at, 1_000_000, &[&long])));
        let ends: Vec<_> = kept.map(|kept| kept != Assembled::More).collect();
        assert_eq!(ends, [false, false, false, true, false, false, false, true, false]);
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
                prop_assert_eq!(assembly.take("bob", text), Assembled::More);
            }
            let Assembled::Complete(read) = assembly.take("bob", last) else { panic!("not whole") };
            prop_assert_eq!(read.entries.len() + read.left_out.files, count);
            prop_assert_eq!(&read.entries[..], &whole.entries[..read.entries.len()]);
        }
    }
}
