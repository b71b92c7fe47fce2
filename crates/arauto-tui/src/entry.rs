//! [`LogEntry`]: an entry of the conversation, and the rows in which it is drawn.

use ratatui::style::Style;

use super::{
    clock::Clock,
    text::{Row, glyphs, glyphs_of_blanks, wrap},
    theme::Theme,
};
use arauto_client::display_name::before_text;

/// Below this width in columns, times are left out.
const COLUMNS_FOR_TIMES: usize = 30;

/// Kind of an entry. Each kind has a sign in a column of its own, where no text from others can appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A user's message.
    Said {
        /// The sender.
        by: String,
        /// The receiver, if not all clients.
        to: Option<String>,
        /// Whether it is a private message.
        private: bool,
        /// Whether the user of this client sent it.
        own: bool,
    },
    /// An echo of the user's own text.
    Echo,
    /// The heading of a user's list of files, or the user's answer in other words.
    Files {
        /// The user.
        of: String,
    },
    /// A file of that list.
    File,
    /// A notice from the server or this program.
    Notice,
    /// An error reported by the server or this program.
    Error,
}

/// Whether the server is known to have carried out the user's own message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryState {
    /// The server carried the message out. Entries that are not the user's messages have this standing too.
    #[default]
    Settled,
    /// The message was sent, under this number of [`super::unconfirmed::Unconfirmed`].
    Waiting(u64),
    /// The connection broke before the message was confirmed.
    Unknown,
    /// The server did not carry the message out.
    Refused,
}

/// An entry of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Time at which the entry was made.
    pub clock: Clock,
    /// Its kind.
    pub kind: EntryKind,
    /// The text, as it came.
    pub text: String,
    /// Whether the server is known to have carried the message out.
    pub standing: DeliveryState,
}

impl LogEntry {
    /// Approximate memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = match &self.kind {
            EntryKind::Said { by, to, .. } => by.len() + to.as_ref().map_or(0, String::len),
            EntryKind::Files { of } => of.len(),
            EntryKind::Echo | EntryKind::File | EntryKind::Notice | EntryKind::Error => 0,
        };
        size_of::<Self>() + names + self.text.len()
    }

    /// Returns the rows of the entry, at most `columns` columns wide.
    #[must_use]
    pub fn rows(&self, columns: usize, theme: Theme) -> Vec<Row> {
        let mut row = Row::new();
        if columns >= COLUMNS_FOR_TIMES {
            row.extend(glyphs(&self.clock.to_string(), theme.quiet()));
            row.extend(glyphs_of_blanks(1));
        }
        let (sign, style) = self.sign(theme);
        row.extend(glyphs(sign, style));
        row.extend(glyphs_of_blanks(1));
        let indent = row.len();
        let text_style = self.head(&mut row, theme);
        row.extend(glyphs(&self.text, text_style));
        wrap(row, columns, indent)
    }

    fn sign(&self, theme: Theme) -> (&'static str, Style) {
        match self.standing {
            DeliveryState::Settled => {}
            DeliveryState::Waiting(_) => return ("…", theme.quiet()),
            DeliveryState::Unknown => return ("?", theme.error()),
            DeliveryState::Refused => return ("!", theme.error()),
        }
        match &self.kind {
            EntryKind::Said { private: true, .. } => ("*", theme.private()),
            EntryKind::Said { .. } => (" ", Style::new()),
            EntryKind::Echo => ("=", theme.quiet()),
            EntryKind::Files { .. } | EntryKind::File => ("#", theme.quiet()),
            EntryKind::Notice => ("-", theme.quiet()),
            EntryKind::Error => ("!", theme.error()),
        }
    }

    /// Appends sender and receiver to `row`. Returns the style of the text that follows.
    fn head(&self, row: &mut Row, theme: Theme) -> Style {
        let quiet = theme.quiet();
        match &self.kind {
            EntryKind::Said { by, to, private, own } => {
                row.extend(glyphs(&before_text(by), theme.name(by, *own)));
                if let Some(to) = to {
                    row.extend(glyphs(" → ", quiet));
                    let style = if *private { theme.name(to, !*own) } else { quiet };
                    row.extend(glyphs(&before_text(to), style));
                }
                row.extend(glyphs(": ", quiet));
                if *private { theme.private() } else { Style::new() }
            }
            EntryKind::Echo => {
                row.extend(glyphs("echo: ", quiet));
                Style::new()
            }
            EntryKind::Files { of } => {
                row.extend(glyphs("files of ", quiet));
                row.extend(glyphs(&before_text(of), theme.name(of, false)));
                row.extend(glyphs(": ", quiet));
                Style::new()
            }
            EntryKind::File => {
                row.extend(glyphs_of_blanks(2));
                Style::new()
            }
            EntryKind::Notice => quiet,
            EntryKind::Error => theme.error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(kind: EntryKind, text: &str, columns: usize) -> Vec<String> {
        let (clock, text, standing) = (Clock { hour: 9, minute: 5 }, text.to_owned(), DeliveryState::Settled);
        let entry = LogEntry { clock, kind, text, standing };
        let rows = entry.rows(columns, Theme::new(true));
        rows.iter().map(|row| row.iter().map(|glyph| glyph.symbol.as_str()).collect()).collect()
    }

    fn said(to: Option<&str>, private: bool) -> EntryKind {
        EntryKind::Said { by: "ana".to_owned(), to: to.map(str::to_owned), private, own: false }
    }

    #[test]
    fn each_kind_has_its_sign() {
        for (kind, shown) in [
            (said(None, false), "09:05   ana: hi"),
            (said(Some("others"), false), "09:05   ana → others: hi"),
            (said(Some("rui"), true), "09:05 * ana → rui: hi"),
            (EntryKind::Echo, "09:05 = echo: hi"),
            (EntryKind::Files { of: "ana".to_owned() }, "09:05 # files of ana: hi"),
            (EntryKind::Notice, "09:05 - hi"),
            (EntryKind::Error, "09:05 ! hi"),
        ] {
            assert_eq!(drawn(kind, "hi", 40), [shown]);
        }
    }

    #[test]
    fn nobody_is_made_to_speak_by_anothers_name() {
        let by = |by: &str| EntryKind::Said { by: by.to_owned(), to: None, private: false, own: false };
        for (kind, shown) in [
            (by("Ana Maria"), "09:05   Ana Maria: no"),
            (by("ana: yes"), "09:05   \"ana: yes\": no"),
            (by("ana → rui"), "09:05   \"ana → rui\": no"),
            (EntryKind::Files { of: "ana: a".to_owned() }, "09:05 # files of \"ana: a\": no"),
        ] {
            assert_eq!(drawn(kind, "no", 40), [shown]);
        }
    }

    #[test]
    fn long_ones_are_indented_and_narrow_ones_lose_their_time() {
        assert_eq!(
            drawn(said(None, false), "the quick brown fox jumps", 30),
            ["09:05   ana: the quick brown ", "        fox jumps"]
        );
        assert_eq!(drawn(said(None, false), "the quick brown fox", 16), ["  ana: the quick", "  brown fox"]);
    }
}
