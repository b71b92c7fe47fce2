//! [`Listing`]: a list of shared files, and its texts, which people can read and programs read back exactly.
//!
//! ```text
//! 2 files: song.mp3 (4213442 bytes, 3:40, audio/mpeg), "a, b.txt" (12 bytes)
//! files 1 to 40 of 173: ...
//! files 171 to 173 of 173: ...; 3 files are not listed; 1 folder is not listed
//! no files are shared
//! no folder is shared
//! ```

use std::{
    fmt::{self, Display, Formatter},
    ops::Range,
};

use super::entry::{Entry, number};

/// Maximum number of messages of one list: at the default message limit (1,024 bytes), two fifths of the burst that
/// the server's flood control allows.
pub const MAX_PARTS: usize = 200;

/// Complete text of a list without files.
const NO_FILES: &str = "no files are shared";
const NO_FOLDER: &str = "no folder is shared";
/// Maximum number of entries that a list may claim. No client lists that many, so a larger number is not from a list.
const MAX_ENTRIES: usize = 1_000_000;

/// Text for a message limit that not even a short answer fits.
const NO_ROOM: &str = "the list does not fit";

/// The files that a user shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files, in display order.
    pub entries: Vec<Entry>,
    /// Files and folders that are not listed.
    pub left_out: LeftOut,
    /// No folder is shared, so there are no entries.
    pub no_folder: bool,
}

/// Counts of what a list does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Files beyond the maximum number, or whose names are too long for a message.
    pub files: usize,
    /// Folders that could not be read, or are too deep.
    pub folders: usize,
    /// The search ended early, so some files were not even counted.
    pub uncounted: bool,
}

/// A parsed message of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of its first entry, counted from 1.
    pub first: usize,
    /// Number of entries of the whole list.
    pub of: usize,
    /// The entries of this part.
    pub listing: Listing,
}

impl Display for LeftOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (count, one, several) in
            [(self.files, "file is", "files are"), (self.folders, "folder is", "folders are")]
        {
            if count > 0 {
                write!(f, "; {count} {} not listed", if count == 1 { one } else { several })?;
            }
        }
        f.write_str(if self.uncounted { "; not all was looked at" } else { "" })
    }
}

impl LeftOut {
    fn parse(text: &str) -> Option<Self> {
        let mut left_out = Self::default();
        for clause in text.strip_prefix("; ").into_iter().flat_map(|clauses| clauses.split("; ")) {
            match clause.split_once(' ') {
                Some((count, "file is not listed" | "files are not listed")) => {
                    left_out.files = number(count)?;
                }
                Some((count, "folder is not listed" | "folders are not listed")) => {
                    left_out.folders = number(count)?;
                }
                _ if clause == "not all was looked at" => left_out.uncounted = true,
                _ => return None,
            }
        }
        // Only the canonical text is accepted.
        (left_out.to_string() == text).then_some(left_out)
    }
}

impl Listing {
    /// Returns the listing of a user who shares no folder.
    #[must_use]
    pub fn no_folder() -> Self {
        Self { no_folder: true, ..Self::default() }
    }

    /// Returns the texts of the list, each of at most `room` bytes, and at most [`MAX_PARTS`] of them. The last text
    /// counts the entries that found no room.
    #[must_use]
    pub fn texts(&self, room: usize) -> Vec<String> {
        if self.no_folder {
            return vec![fitting(NO_FOLDER.to_owned(), room)];
        }
        let entries: Vec<_> = self.entries.iter().map(Entry::to_string).collect();
        // Upper bound of the length of this list's headers.
        let header = header(&(entries.len()..entries.len() + 1), entries.len() + 1).len();
        let mut left_out = self.left_out;
        let mut packed = pack(&entries, room.saturating_sub(header + left_out.to_string().len()));
        if packed.without > 0 {
            left_out.files = left_out.files.saturating_add(entries.len());
            packed = pack(&entries, room.saturating_sub(header + left_out.to_string().len()));
            left_out.files = self.left_out.files.saturating_add(packed.without);
        }
        let of = entries.len() - packed.without;
        if of == 0 {
            return vec![fitting(format!("{NO_FILES}{left_out}"), room)];
        }
        let (mut texts, mut first) = (Vec::new(), 0);
        for part in packed.parts {
            let numbers = first..first + part.len();
            first = numbers.end;
            let tail = if first == of { left_out.to_string() } else { String::new() };
            texts.push(format!("{}{}{tail}", self::header(&numbers, of), part.join(", ")));
        }
        texts
    }
}

/// Returns the text, or [`NO_ROOM`] if it is longer than `room` bytes.
fn fitting(text: String, room: usize) -> String {
    if text.len() <= room { text } else { NO_ROOM.to_owned() }
}

/// Returns the header of the entries with these numbers, from 0, of a list of `of` entries.
fn header(numbers: &Range<usize>, of: usize) -> String {
    if *numbers == (0..of) {
        return format!("{of} {}: ", if of == 1 { "file" } else { "files" });
    }
    format!("files {} to {} of {of}: ", numbers.start + 1, numbers.end)
}

struct Packed<'a> {
    parts: Vec<Vec<&'a str>>,
    /// Number of entries that found no room.
    without: usize,
}

/// Packs entries into as few messages as possible, each with `room` bytes for entries.
fn pack(entries: &[String], room: usize) -> Packed<'_> {
    let mut packed = Packed { parts: Vec::new(), without: 0 };
    let mut used = 0;
    for entry in entries {
        if entry.len() > room {
            packed.without += 1;
            continue;
        }
        let is_full = packed.parts.len() == MAX_PARTS;
        match packed.parts.last_mut() {
            Some(part) if used + 2 + entry.len() <= room => {
                part.push(entry);
                used += 2 + entry.len();
            }
            _ if !is_full => {
                packed.parts.push(vec![entry]);
                used = entry.len();
            }
            _ => {
                packed.without += 1;
                // A shorter entry must not displace one that precedes it.
                used = room;
            }
        }
    }
    packed
}

impl Part {
    /// Parses one message of a list. `None` if it is free text, such as that of a person or of another client.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == NO_FOLDER {
            return Some(Self { first: 1, of: 0, listing: Listing::no_folder() });
        }
        if let Some(tail) = text.strip_prefix(NO_FILES) {
            let listing = Listing { left_out: LeftOut::parse(tail)?, ..Listing::default() };
            return Some(Self { first: 1, of: 0, listing });
        }
        let (header, mut rest) = text.split_once(": ")?;
        let (first, last, of) = numbers(header)?;
        let mut entries = Vec::new();
        let left_out = loop {
            let (entry, tail) = Entry::split(rest)?;
            entries.push(entry);
            let Some(more) = tail.strip_prefix(", ") else { break LeftOut::parse(tail)? };
            rest = more;
        };
        let is_last = last == of || left_out == LeftOut::default();
        (is_last && last - first + 1 == entries.len()).then_some(Self {
            first,
            of,
            listing: Listing { entries, left_out, no_folder: false },
        })
    }

    /// Returns the number of its last entry, counted from 1; 0 if it has none.
    #[must_use]
    pub fn last(&self) -> usize {
        self.first - 1 + self.listing.entries.len()
    }
}

/// Parses a header into the number of the first entry, that of the last, and the total.
fn numbers(header: &str) -> Option<(usize, usize, usize)> {
    if let Some(numbers) = header.strip_prefix("files ") {
        let (first, numbers) = numbers.split_once(" to ")?;
        let (last, of) = numbers.split_once(" of ")?;
        let (first, last, of) = (number(first)?, number(last)?, number(of)?);
        return (0 < first && first <= last && last <= of && last - first + 1 < of && of <= MAX_ENTRIES)
            .then_some((first, last, of));
    }
    let (of, unit) = header.split_once(' ')?;
    let of = number(of)?;
    (0 < of && of <= MAX_ENTRIES && unit == if of == 1 { "file" } else { "files" }).then_some((1, of, of))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{super::entry::tests::entries, *};

    pub fn file(name: &str) -> Entry {
        Entry { name: name.into(), bytes: 1, seconds: None, kind: None }
    }

    fn files(count: usize) -> Listing {
        Listing { entries: (1..=count).map(|n| file(&format!("{n}"))).collect(), ..Listing::default() }
    }

    #[test]
    fn texts() {
        let left_out = LeftOut { files: 3, folders: 1, uncounted: true };
        let tail = "; 3 files are not listed; 1 folder is not listed; not all was looked at";
        let one = LeftOut { files: 1, folders: 2, uncounted: false };
        for (listing, text) in [
            (files(0), "no files are shared".to_owned()),
            (Listing::no_folder(), "no folder is shared".to_owned()),
            (Listing { left_out, ..files(0) }, format!("no files are shared{tail}")),
            (files(1), "1 file: 1 (1 byte)".to_owned()),
            (Listing { left_out, ..files(2) }, format!("2 files: 1 (1 byte), 2 (1 byte){tail}")),
            (
                Listing { left_out: one, ..files(1) },
                "1 file: 1 (1 byte); 1 file is not listed; 2 folders are not listed".to_owned(),
            ),
        ] {
            assert_eq!(listing.texts(1000), [text.as_str()]);
            let of = listing.entries.len();
            assert_eq!(Part::parse(&text), Some(Part { first: 1, of, listing }));
        }
    }

    #[test]
    fn in_parts() {
        let listing = Listing { left_out: LeftOut { files: 2, ..LeftOut::default() }, ..files(5) };
        assert_eq!(
            listing.texts(68),
            [
                "files 1 to 2 of 5: 1 (1 byte), 2 (1 byte)",
                "files 3 to 4 of 5: 3 (1 byte), 4 (1 byte)",
                "files 5 to 5 of 5: 5 (1 byte); 2 files are not listed",
            ]
        );
    }

    #[test]
    fn what_fits_no_message_is_counted() {
        let mut listing = files(3);
        listing.entries[1].name = "n".repeat(80).into();
        assert_eq!(listing.texts(80), ["2 files: 1 (1 byte), 3 (1 byte); 1 file is not listed"]);
        listing.entries.remove(2);
        listing.entries.remove(0);
        assert_eq!(listing.texts(80), ["no files are shared; 1 file is not listed"]);
        assert_eq!(listing.texts(21), ["the list does not fit"]);
    }

    #[test]
    fn no_more_than_the_most_parts() {
        let texts = files(1000).texts(70);
        assert_eq!(texts.len(), MAX_PARTS);
        assert_eq!(texts[1], "files 2 to 2 of 200: 2 (1 byte)");
        assert_eq!(texts[199], "files 200 to 200 of 200: 200 (1 byte); 800 files are not listed");
    }

    #[test]
    fn free_text() {
        for text in [
            "",
            "no data",
            "none",
            "['File 1', 'File 2']",
            "no files are shared today",
            "no files are shared; 0 files are not listed",
            "no files are shared; 01 files are not listed",
            "no files are shared; 1 files are not listed",
            "no files are shared; 1 folder is not listed; 2 files are not listed",
            "no folder is shared; 1 folder is not listed",
            "0 files: ",
            "files 18446744073709551615 to 18446744073709551615 of 18446744073709551615: a (1 byte)",
            "files 1000001 to 1000001 of 1000001: a (1 byte)",
            "1 file: ",
            "1 files: a (1 byte)",
            "2 files: a (1 byte)",
            "1 file: a (1 byte), b (1 byte)",
            "1 file: a (1 byte),",
            "1 file: a (1 byte); ",
            "1 file: a (1 byte) ",
            "1 file: a",
            "files 1 to 1 of 1: a (1 byte)",
            "files 0 to 0 of 2: a (1 byte)",
            "files 2 to 1 of 2: a (1 byte)",
            "files 3 to 3 of 2: a (1 byte)",
            "files 1 to 99999999999999999999 of 99999999999999999999: a (1 byte)",
            "files 1 to 18446744073709551615 of 18446744073709551615: a (1 byte)",
            "files 1 to 1 of 2: a (1 byte); 1 file is not listed",
        ] {
            assert_eq!(Part::parse(text), None, "{text}");
        }
    }

    fn listings() -> impl Strategy<Value = Listing> {
        let left_out = (0..3_usize, 0..3_usize, any::<bool>());
        (prop::collection::vec(entries(), 0..40), left_out).prop_map(
            |(entries, (files, folders, uncounted))| Listing {
                entries,
                left_out: LeftOut { files, folders, uncounted },
                no_folder: false,
            },
        )
    }

    proptest! {
        #[test]
        fn every_listing_reads_back(listing in listings(), room in 27..1200_usize) {
            let texts = listing.texts(room);
            prop_assert!(texts.len() <= MAX_PARTS);
            prop_assert!(texts.iter().all(|text| text.len() <= room), "{:?}", texts);
            if texts == [NO_ROOM] {
                return Ok(());
            }
            let parts: Vec<_> = texts.iter().map(|text| Part::parse(text).unwrap()).collect();
            let mut next = 1;
            let mut read = Listing::default();
            for part in parts {
                prop_assert_eq!(part.first, next);
                next += part.listing.entries.len();
                read.entries.extend(part.listing.entries);
                read.left_out = part.listing.left_out;
            }
            // Missing entries are counted, and all others are there, in order.
            let missing = listing.entries.len() - read.entries.len();
            prop_assert_eq!(read.left_out, LeftOut { files: listing.left_out.files + missing, ..listing.left_out });
            let mut all = listing.entries.iter();
            prop_assert!(read.entries.iter().all(|entry| all.any(|other| other == entry)));
            if room > 1100 {
                prop_assert_eq!(missing, 0);
            }
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "(2 files|files 1 to 2 of 3): .{0,20}\\(1 byte\\), .{0,20}") {
            if let Some(part) = Part::parse(&text) {
                prop_assert!(part.last() <= part.of);
            }
        }
    }
}
