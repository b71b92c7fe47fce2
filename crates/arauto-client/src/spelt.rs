//! [`Spelt`]: escapes the text of other users for a terminal, a pipe or a log.

use std::fmt::{self, Display, Formatter, Write};

use arauto_protocol::hidden::hidden;

/// Displays a text with its control characters and [hidden](arauto_protocol::hidden) characters as escapes, such as
/// `\n` and `\u{202e}`. Joiners that a script or an emoji needs are kept.
///
/// ```
/// use arauto_client::spelt::{Keep, Spelt};
/// assert_eq!(Spelt("a\u{202e}\tb \\", Keep::Tabs).to_string(), "a\\u{202e}\tb \\");
/// assert_eq!(Spelt("a\u{202e}\tb \\", Keep::Nothing).to_string(), "a\\u{202e}\\tb \\\\");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spelt<'a>(pub &'a str, pub Keep);

/// Characters that are kept although they could be escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Tabs and backslashes: for programs, which get the text as it was sent as far as that is harmless.
    Tabs,
    /// Backslashes: for text that may have been escaped before.
    Backslashes,
    /// None: different texts never look the same.
    Nothing,
}

impl Display for Spelt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(text, keep) = *self;
        if is_plain(text, keep) {
            return f.write_str(text);
        }
        let mut hidden = hidden(text).map(|(at, _)| at).peekable();
        for (at, c) in text.char_indices() {
            let is_hidden = hidden.next_if_eq(&at).is_some();
            match c {
                '\t' if keep == Keep::Tabs => f.write_char(c)?,
                '\n' => f.write_str(r"\n")?,
                '\r' => f.write_str(r"\r")?,
                '\t' => f.write_str(r"\t")?,
                '\\' if keep == Keep::Nothing => f.write_str(r"\\")?,
                c if is_hidden || c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether the text needs no escapes. That holds for nearly all texts, and checking bytes is faster than checking
/// characters.
fn is_plain(text: &str, keep: Keep) -> bool {
    let is_spelt = |byte: u8| match byte {
        b'\t' => keep != Keep::Tabs,
        b'\\' => keep == Keep::Nothing,
        // 0xC2 may be the first byte of a C1 control character.
        byte => matches!(byte, 0..b' ' | 0x7f | 0xc2),
    };
    !text.bytes().any(is_spelt) && hidden(text).next().is_none()
}

#[cfg(test)]
mod tests {
    use arauto_settings::strategies::anything;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_spelt_and_what_is_not() {
        for (text, spelt) in [
            ("\u{1b}[2J\u{9b}\r\n", r"\u{1b}[2J\u{9b}\r\n"),
            (
                "\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{e0041}",
                r"\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{e0041}",
            ),
            ("a\u{200d}b", r"a\u{200d}b"),
            ("می\u{200c}خواهم 👩\u{200d}💻 שלום", "می\u{200c}خواهم 👩\u{200d}💻 שלום"),
            (r"C:\dir", r"C:\dir"),
        ] {
            assert_eq!(Spelt(text, Keep::Backslashes).to_string(), spelt);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_could_do_harm_is_left(text in anything()) {
            for keep in [Keep::Tabs, Keep::Backslashes, Keep::Nothing] {
                let spelt = Spelt(&text, keep).to_string();
                let is_harmful = |c: char| c.is_control() && !(c == '\t' && keep == Keep::Tabs);
                prop_assert!(!spelt.contains(is_harmful));
                prop_assert_eq!(hidden(&spelt).next(), None);
            }
        }
    }
}
