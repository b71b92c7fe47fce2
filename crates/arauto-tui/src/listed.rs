//! Lists of files, as they are shown: a line with the number of files, and a line for each.

use std::fmt::{self, Display, Formatter};

use super::{app::App, clock::Now, entry::EntryKind};
use arauto_client::{
    display_name::in_sentence,
    files::{Assembled, Clock, Entry, Listing, Quoted},
};

/// Maximum number of files of a list that are shown: more would displace the conversation.
const MAX_SHOWN: usize = 500;

impl App {
    /// Takes a user's answer to a request for the list of files.
    pub(super) fn files(&mut self, of: &str, text: &str, now: Now) {
        match self.lists.take(of, text, now.at) {
            Assembled::FreeText => self.say(now, EntryKind::Files { of: of.to_owned() }, text),
            whole => self.show_files(of, whole, now),
        }
        self.show_given_up_files(now);
    }

    /// Shows the received part of lists that will not be completed.
    pub(super) fn show_given_up_files(&mut self, now: Now) {
        while let Some((of, rest)) = self.lists.given_up(now.at) {
            self.show_files(&of, rest, now);
        }
    }

    fn show_files(&mut self, of: &str, list: Assembled, now: Now) {
        let (Listing { entries, left_out, no_folder }, missing) = match list {
            Assembled::Complete(listing) => (listing, 0),
            Assembled::Incomplete { listing, missing } => (listing, missing),
            Assembled::More | Assembled::FreeText => return,
        };
        self.know_files(of, &entries);
        let mut head = match entries.len() {
            _ if no_folder => "no folder is shared".to_owned(),
            0 => "none".to_owned(),
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        head += &left_out.to_string();
        self.say(now, EntryKind::Files { of: of.to_owned() }, &head);
        for entry in entries.iter().take(MAX_SHOWN) {
            self.say(now, EntryKind::File, &Shown(entry).to_string());
        }
        if let more @ 1.. = entries.len().saturating_sub(MAX_SHOWN) {
            self.note(now, &format!("and {more} more; in a shell, arauto files shows all of them"));
        }
        if missing > 0 {
            let files = if missing == 1 { "file" } else { "files" };
            self.error(
                now,
                &format!("{missing} more {files} of {} did not come; ask again with /files", in_sentence(of)),
            );
        }
    }
}

/// Shows a file with its size in a readable unit.
struct Shown<'a>(&'a Entry);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Entry { name, bytes, seconds, kind } = self.0;
        write!(f, "{} ({}", Quoted(name), Size(*bytes))?;
        if let Some(seconds) = seconds {
            write!(f, ", {}", Clock(*seconds))?;
        }
        if let Some(kind) = kind {
            write!(f, ", {kind}")?;
        }
        f.write_str(")")
    }
}

/// Shows a number of bytes in the SI unit that leaves one to three digits before the point.
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        // In tenths, rounded half up; u128, so that rounding cannot overflow.
        let (mut tenths, mut unit) = (u128::from(self.0) * 10, "B");
        for larger in UNITS {
            tenths = (tenths + 500) / 1000;
            unit = larger;
            if tenths < 10_000 {
                break;
            }
        }
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_people_do() {
        let said = |bytes| Size(bytes).to_string();
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_049, "1.0 kB"),
            (1_050, "1.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (4_213_442, "4.2 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(said(bytes), words, "{bytes}");
        }
    }
}
