//! [`Lines`]: standard input as messages, one per line, and how lines that cannot be sent are treated.

use std::{fmt::Write, io};

use arauto_protocol::{Line, hidden::hidden};
use tokio::sync::mpsc::Receiver;

use super::ScriptError;
use crate::{
    input, output,
    spelt::{Keep, Spelt},
    text::{To, Unfit, fit},
};

/// How a line of standard input that cannot be sent is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadLine {
    /// Sending ends: neither the line nor later lines are sent.
    #[default]
    Fail,
    /// The line is skipped.
    Skip,
    /// The line is sent with escapes for what cannot be sent, and cut to the limit.
    Escape,
}

/// The lines of standard input.
pub(super) struct Lines {
    input: Receiver<io::Result<input::TypedLine>>,
    /// Number of lines read so far.
    number: u64,
    to: To,
    /// Maximum size of a message in bytes.
    limit: usize,
    on_bad_line: OnBadLine,
    bad: BadLines,
}

/// Lines that could not be sent as they are.
#[derive(Default)]
struct BadLines {
    count: u64,
    /// Number of the first, counted from 1, and why it could not be sent.
    first: Option<(u64, Unfit)>,
}

impl Lines {
    /// Starts to read lines, for messages of at most `limit` bytes.
    ///
    /// # Errors
    /// If the thread that reads cannot be started.
    pub(super) fn spawn(to: To, limit: usize, on_bad_line: OnBadLine) -> Result<Self, ScriptError> {
        let input = input::lines().map_err(ScriptError::Input)?;
        Ok(Self { input, number: 0, to, limit, on_bad_line, bad: BadLines::default() })
    }

    /// Returns the message made of the next line, or `None` at the end.
    /// Cancel safe: dropping the future loses no line.
    ///
    /// # Errors
    /// If standard input fails, or a line cannot be sent and that ends sending.
    pub(super) async fn next(&mut self, name: &str) -> Result<Option<Line>, ScriptError> {
        loop {
            let line = match self.input.recv().await {
                None => return Ok(None),
                Some(line) => line.map_err(ScriptError::Input)?,
            };
            self.number += 1;
            let read = match line.text(self.limit) {
                Ok("") => continue,
                Ok(text) => fit(name, &self.to, text, self.limit),
                Err(why) => Err(why),
            };
            let why = match read {
                Ok(line) => return Ok(Some(line)),
                Err(why) => why,
            };
            if self.on_bad_line == OnBadLine::Fail {
                return Err(ScriptError::Line { number: self.number, why });
            }
            self.bad.count += 1;
            self.bad.first.get_or_insert((self.number, why));
            if self.on_bad_line == OnBadLine::Escape {
                // Escapes do not help where the header alone is too long.
                let escaped = escaped(line.bytes());
                return shortened(name, &self.to, &escaped, self.limit)
                    .map(Some)
                    .map_err(|why| ScriptError::Line { number: self.number, why });
            }
        }
    }

    /// Reports on standard error how many lines could not be sent as they are.
    pub(super) fn tell_of_bad_ones(&self) {
        let Some((number, why)) = self.bad.first else { return };
        let what = match self.on_bad_line {
            OnBadLine::Escape => "sent with escapes",
            OnBadLine::Fail | OnBadLine::Skip => "not sent",
        };
        let lines =
            if self.bad.count == 1 { "1 line was" } else { &format!("{} lines were", self.bad.count) };
        output::say(&format!("{lines} {what}; the first is line {number} of standard input, which {why}"));
    }
}

/// Returns a line as text that can be sent. Bytes that are not UTF-8 become escapes such as `\xff`, characters that
/// no message can carry become escapes such as `\u{1b}`. Backslashes stay.
fn escaped(line: &[u8]) -> String {
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        // Writing to a string does not fail.
        let _ = write!(text, "{}", Spelt(chunk.valid(), Keep::Tabs));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns the message with this text, cut to the limit and ended with `…` if it is too long.
fn shortened(name: &str, to: &To, text: &str, limit: usize) -> Result<Line, Unfit> {
    let over = match fit(name, to, text, limit) {
        Err(Unfit::TooLong { over, .. }) => over,
        done => return done,
    };
    let room = text.len().saturating_sub(over + '…'.len_utf8());
    let mut kept = &text[..text.floor_char_boundary(room)];
    // The cut may leave a joiner with nothing to join.
    while let Some((at, _)) = hidden(kept).next() {
        kept = &kept[..at];
    }
    fit(name, to, &format!("{kept}…"), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_escaped() {
        for (line, text) in [
            (&b"a\x1b[2J\tb\\"[..], "a\\u{1b}[2J\tb\\"),
            (b"ol\xe1 mundo \xff\xfe", "ol\\xe1 mundo \\xff\\xfe"),
            ("a\u{202e}b\u{200d}".as_bytes(), "a\\u{202e}b\\u{200d}"),
        ] {
            assert_eq!(escaped(line), text);
            assert_eq!(
                fit("ana", &To::All, text, 1024).unwrap(),
                shortened("ana", &To::All, text, 1024).unwrap()
            );
        }
    }

    #[test]
    fn what_is_too_long_is_cut_to_the_limit() {
        let room = 1024 - "ana | all clients | broadcast | ".len();
        for text in ["x".repeat(room + 1), "é".repeat(room), "👩\u{200d}".repeat(room / 7) + &"👩".repeat(20)]
        {
            let line = shortened("ana", &To::All, &text, 1024).unwrap();
            assert!((1024 - 9..=1024).contains(&line.text().len()), "{}", line.text().len());
            assert!(line.text().ends_with('…'));
        }
    }
}
