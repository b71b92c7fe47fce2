//! Escapes untrusted text for terminals and for single lines of a log.

use std::fmt::{self, Display, Formatter, Write};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Untrusted text, as it may be logged. Control, bidirectional, invisible and line-breaking characters are escaped, and
/// a backslash is doubled, so that no two texts look the same.
///
/// ```
/// use arauto_settings::escape::Escaped;
/// assert_eq!(Escaped("one\ntwo\u{202e}\\").to_string(), r"one\ntwo\u{202e}\\");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

/// As [`Escaped`], but a backslash is kept: for text that may already be escaped.
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, backslash: true }, "{}", self.0)
    }
}

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, backslash: false }, "{}", self.0)
    }
}

impl<T: Display> slog::Value for Escaped<T> {
    fn serialize(
        &self,
        _record: &slog::Record<'_>,
        key: slog::Key,
        serializer: &mut dyn slog::Serializer,
    ) -> slog::Result {
        serializer.emit_arguments(key, &format_args!("{self}"))
    }
}

/// Whether a character could affect a terminal in more ways than taking up space: categories Cc, Cf, Zl and Zp.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

/// Escapes text while it is written, without buffering it.
struct Escaping<'a, W> {
    out: &'a mut W,
    backslash: bool,
}

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| is_unsafe(c) || (self.backslash && c == '\\')) {
            let (fine, tail) = rest.split_at(at);
            self.out.write_str(fine)?;
            let mut tail = tail.chars();
            match tail.next() {
                Some('\\') => self.out.write_str(r"\\")?,
                Some('\n') => self.out.write_str(r"\n")?,
                Some('\r') => self.out.write_str(r"\r")?,
                Some('\t') => self.out.write_str(r"\t")?,
                Some(c) => write!(self.out, "\\u{{{:x}}}", u32::from(c))?,
                None => {}
            }
            rest = tail.as_str();
        }
        self.out.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::strategies::anything;

    /// The inverse of [`Escaped`]. That an inverse exists shows that escaping is unambiguous.
    fn unescape(text: &str) -> String {
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                plain.push(c);
                continue;
            }
            plain.push(match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
                }
                other => panic!("no such escape: {other:?}"),
            });
        }
        plain
    }

    #[test]
    fn what_is_escaped() {
        for (raw, escaped) in [
            ("\0\u{7}\t\r\n\u{1b}[31m\u{7f}", r"\u{0}\u{7}\t\r\n\u{1b}[31m\u{7f}"),
            ("\u{85}\u{9b}\u{a0}é", "\\u{85}\\u{9b}\u{a0}é"),
            (
                "\u{200b}\u{200e}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}",
                r"\u{200b}\u{200e}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}",
            ),
            ("\u{ad}\u{e0041}", r"\u{ad}\u{e0041}"),
            (r"a\nb", r"a\\nb"),
            ("olá, mundo 👋", "olá, mundo 👋"),
        ] {
            assert_eq!(Escaped(raw).to_string(), escaped);
        }
        assert_eq!(Printable("a\\n\nb").to_string(), r"a\n\nb");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_nothing_is_lost(text in anything()) {
            let escaped = Escaped(&text).to_string();
            prop_assert!(!escaped.chars().any(is_unsafe));
            prop_assert_eq!(unescape(&escaped), text);
            // The log's drains escape escaped text once more; that must not change it.
            prop_assert_eq!(Printable(&escaped).to_string(), escaped);
        }
    }
}
