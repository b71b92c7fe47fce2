//! [`lines`]: standard input line by line, from a thread of its own, so that nothing else waits for it.

use std::{
    io::{self, BufRead, Read},
    thread,
};

use tokio::sync::mpsc::{Receiver, channel};

use super::text::Unfit;

/// Lines that were read and not taken yet.
const LINES: usize = 64;

/// The most bytes of a line that are kept; no message is as long.
pub const MOST_BYTES: usize = 128 * 1024;

/// A line, its ending taken off.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// As it was read.
    Bytes(Vec<u8>),
    /// More than [`MOST_BYTES`]: so many of its bytes. The rest was dropped to its end.
    TooLong(Vec<u8>),
}

impl Line {
    /// The bytes that were kept of the line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::TooLong(bytes) => bytes,
        }
    }

    /// The line's text, for a message of at most `limit` bytes.
    ///
    /// # Errors
    /// If it is no text, or too long to be looked at.
    pub fn text(&self, limit: usize) -> Result<&str, Unfit> {
        match self {
            Self::TooLong(_) => Err(Unfit::Endless { most: MOST_BYTES, limit }),
            Self::Bytes(bytes) => {
                std::str::from_utf8(bytes).map_err(|error| Unfit::NotUtf8 { byte: error.valid_up_to() + 1 })
            }
        }
    }
}

/// The lines of standard input. The channel ends after the last, or after an error.
///
/// # Errors
/// If there is no thread.
pub fn lines() -> io::Result<Receiver<io::Result<Line>>> {
    let (to, lines) = channel(LINES);
    // Not waited for at the end: it may be waiting for a line that never comes.
    thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next(&mut input).transpose() {
            let failed = line.is_err();
            if to.blocking_send(line).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// The next line; `None` at the end. A last line needs no ending.
fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    // One more than is kept, for the ending.
    let most = MOST_BYTES as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > MOST_BYTES {
        input.skip_until(b'\n')?;
        line.truncate(MOST_BYTES);
        return Ok(Some(Line::TooLong(line)));
    }
    Ok(Some(Line::Bytes(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| next(&mut input).unwrap()).collect()
    }

    fn line(text: &str) -> Line {
        Line::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_of_all_kinds() {
        assert_eq!(all(b"a\n\nb\r\nc\rd\r"), [line("a"), line(""), line("b"), line("c\rd\r")]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_without_end_is_dropped_up_to_its_end() {
        let whole = "x".repeat(MOST_BYTES);
        assert_eq!(all(format!("{whole}\nnext").as_bytes()), [line(&whole), line("next")]);
        let cut = || Line::TooLong(whole.as_bytes().to_vec());
        assert_eq!(all(format!("{whole}x\nnext").as_bytes()), [cut(), line("next")]);
        assert_eq!(all(format!("{whole}x").as_bytes()), [cut()]);
    }
}
