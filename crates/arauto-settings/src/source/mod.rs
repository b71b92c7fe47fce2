//! Files that an operator writes: their text, positions in it, and errors that point at them.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use crate::escape::{Escaped, Printable, is_unsafe};

pub mod nearest;
pub mod rows;

/// Why a file is refused. The error text never contains raw control characters, whatever the file holds.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file's path, escaped for printing.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The file is larger than any file of its kind.
    #[error("{path} has more than {most} bytes: not {kind}")]
    TooLarge {
        /// The file's path, escaped for printing.
        path: String,
        /// The largest size allowed, in bytes.
        most: u64,
        /// The kind of file expected, with its article.
        kind: &'static str,
    },
    /// The file has a fault.
    #[error("{path}:{line}:{column}: {message}\n{excerpt}")]
    Wrong {
        /// The file's path, escaped for printing.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// The fault, and what is allowed instead.
        message: String,
        /// The line, with carets under the faulty text.
        excerpt: String,
    },
}

/// Largest file that is read: far above any real one, so that a mistaken path does not fill the memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// Characters shown of a long line: before the faulty text, and from its beginning on.
const SHOWN: (usize, usize) = (40, 60);

/// A file's name and text.
pub struct Source {
    /// The file's path, escaped for printing.
    pub path: String,
    /// The text, without a byte order mark.
    pub text: String,
}

impl Source {
    /// Reads the file. `kind` is the kind of file expected, in words that complete "not", such as "a configuration".
    ///
    /// # Errors
    /// If the file cannot be read, has more than 1 MiB, or is not UTF-8.
    pub fn read(path: &Path, kind: &'static str) -> Result<Self, SourceError> {
        let name = Escaped(path.display()).to_string();
        match read_bounded(path) {
            Ok(bytes) if bytes.len() as u64 > MAX_BYTES => {
                Err(SourceError::TooLarge { path: name, most: MAX_BYTES, kind })
            }
            Ok(bytes) => Self::decode(name, bytes),
            Err(source) => Err(SourceError::Unreadable { path: name, source }),
        }
    }

    /// Decodes a file that was read from `path`.
    ///
    /// # Errors
    /// If the text is not UTF-8.
    pub fn decode(path: String, bytes: Vec<u8>) -> Result<Self, SourceError> {
        match String::from_utf8(bytes) {
            Ok(text) => {
                // Some Windows editors write a byte order mark; it is not part of the text.
                let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
                Ok(Self { path, text })
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(Self { path, text }.complaint(&(at..at + 1), "not UTF-8 text".to_owned()))
            }
        }
    }

    /// The line of a byte offset, counted from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        let end = self.text.floor_char_boundary(offset);
        1 + self.text[..end].matches('\n').count()
    }

    /// An error that points at a range of bytes of the file.
    #[must_use]
    pub fn complaint(&self, at: &Range<usize>, message: String) -> SourceError {
        let start = self.text.floor_char_boundary(at.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |length| start + length);
        let end = self.text.ceil_char_boundary(at.end.max(start + 1)).clamp(start, line_end);
        let before = &self.text[line_start..start];
        let line = self.line(start);
        SourceError::Wrong {
            path: self.path.clone(),
            line,
            column: before.chars().count() + 1,
            message,
            excerpt: excerpt(line, before, &self.text[start..end], &self.text[end..line_end]),
        }
    }
}

/// The first of several faults.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn first<T>(mut faults: Vec<T>) -> T {
    faults.swap_remove(0)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The line, shortened if it is long, with carets under `at_fault`.
fn excerpt(line: usize, before: &str, at_fault: &str, after: &str) -> String {
    let (before, at_fault, after) = (shown(before), shown(at_fault), shown(after.trim_end()));
    let skipped = before.chars().count().saturating_sub(SHOWN.0);
    let before: String = before.chars().skip(skipped).collect();
    let rest: String = at_fault.chars().chain(after.chars()).take(SHOWN.1).collect();

    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(before.chars().count());
    let carets = "^".repeat(at_fault.chars().count().clamp(1, SHOWN.1));
    format!("{margin} |\n{number} | {before}{rest}\n{margin} | {indent}{carets}")
}

/// A text as a quoted TOML string, on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Escapes a text so that each character takes one column, as far as that can be known here.
fn shown(text: &str) -> String {
    Printable(text.replace('\t', " ")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str, at: Range<usize>) -> String {
        let source = Source { path: "a.toml".to_owned(), text: text.to_owned() };
        source.complaint(&at, "wrong".to_owned()).to_string()
    }

    #[test]
    fn carets_stand_under_the_text_at_fault() {
        assert_eq!(
            complaint("[log]\n\tlevel = \"loud\" # x\r\n", 15..21),
            "a.toml:2:10: wrong\n  |\n2 |  level = \"loud\" # x\n  |          ^^^^^^"
        );
    }

    #[test]
    fn the_end_of_the_file_has_one_caret() {
        assert_eq!(complaint("a =", 3..3), "a.toml:1:4: wrong\n  |\n1 | a =\n  |    ^");
        assert_eq!(complaint("", 0..0), "a.toml:1:1: wrong\n  |\n1 | \n  | ^");
        assert_eq!(complaint("a\n", 9..12), "a.toml:2:1: wrong\n  |\n2 | \n  | ^");
    }

    #[test]
    fn carets_stop_at_the_end_of_the_line() {
        assert_eq!(complaint("a = [\n1]", 4..8), "a.toml:1:5: wrong\n  |\n1 | a = [\n  |     ^");
    }

    #[test]
    fn control_characters_are_shown_not_sent() {
        let text = "k = \"\u{1b}[2J\u{202e}é\" #\u{9b}";
        assert_eq!(
            complaint(text, 4..text.len() - 4),
            "a.toml:1:5: wrong\n  |\n1 | k = \"\\u{1b}[2J\\u{202e}é\" #\\u{9b}\n  |     ^^^^^^^^^^^^^^^^^^^^"
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in crate::strategies::anything()) {
            let written = format!("key = {}\n", quoted(&text));
            proptest::prop_assert!(!written.trim_end_matches('\n').contains(is_unsafe));
            let table = toml::de::DeTable::parse(&written).unwrap();
            proptest::prop_assert_eq!(table.get_ref()["key"].get_ref().as_str(), Some(text.as_str()));
        }
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = format!("{} = {}", "k".repeat(500), "9".repeat(500));
        let shown = complaint(&text, 503..1003);
        let expected = format!("{} = {}", "k".repeat(37), "9".repeat(60));
        assert_eq!(
            shown,
            format!("a.toml:1:504: wrong\n  |\n1 | {expected}\n  | {}{}", " ".repeat(40), "^".repeat(60))
        );
    }
}
