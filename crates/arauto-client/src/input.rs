//! [`lines`]: reads standard input line by line on a thread of its own, so that the rest of the client never waits
//! for it.

use std::{
    io::{self, BufRead, Read},
    thread,
};

use tokio::sync::mpsc::{Receiver, channel};

use super::text::Unfit;

/// Capacity of the channel, in lines.
const MAX_LINES: usize = 64;

/// Bytes that are kept of a line. No message is that long: the largest message limit is 64 KiB.
pub const MAX_BYTES: usize = 128 * 1024;

/// A line without its ending.
#[derive(Debug, PartialEq, Eq)]
pub enum TypedLine {
    /// The line as it was read.
    Bytes(Vec<u8>),
    /// The first [`MAX_BYTES`] of a longer line. The rest, up to the line ending, was dropped.
    TooLong(Vec<u8>),
}

impl TypedLine {
    /// Returns the bytes that were kept of the line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::TooLong(bytes) => bytes,
        }
    }

    /// Returns the line's text, for a message of at most `limit` bytes.
    ///
    /// # Errors
    /// If the line is not UTF-8, or longer than [`MAX_BYTES`].
    pub fn text(&self, limit: usize) -> Result<&str, Unfit> {
        match self {
            Self::TooLong(_) => Err(Unfit::Endless { most: MAX_BYTES, limit }),
            Self::Bytes(bytes) => {
                std::str::from_utf8(bytes).map_err(|error| Unfit::NotUtf8 { byte: error.valid_up_to() + 1 })
            }
        }
    }
}

/// Starts to read standard input, and returns its lines. The channel ends after the last line, or after an error.
///
/// # Errors
/// If no thread can be started.
pub fn lines() -> io::Result<Receiver<io::Result<TypedLine>>> {
    let (to, lines) = channel(MAX_LINES);
    // The thread is never joined: it may be waiting for a line that never comes.
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

/// Returns the next line, or `None` at the end. The last line needs no ending.
fn next(input: &mut impl BufRead) -> io::Result<Option<TypedLine>> {
    let mut line = Vec::new();
    // The extra byte is for the line ending.
    let most = MAX_BYTES as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > MAX_BYTES {
        input.skip_until(b'\n')?;
        line.truncate(MAX_BYTES);
        return Ok(Some(TypedLine::TooLong(line)));
    }
    Ok(Some(TypedLine::Bytes(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<TypedLine> {
        std::iter::from_fn(|| next(&mut input).unwrap()).collect()
    }

    fn line(text: &str) -> TypedLine {
        TypedLine::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_of_all_kinds() {
        assert_eq!(all(b"a\n\nb\r\nc\rd\r"), [line("a"), line(""), line("b"), line("c\rd\r")]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_without_end_is_dropped_up_to_its_end() {
        let whole = "x".repeat(MAX_BYTES);
        assert_eq!(all(format!("{whole}\nnext").as_bytes()), [line(&whole), line("next")]);
        let cut = || TypedLine::TooLong(whole.as_bytes().to_vec());
        assert_eq!(all(format!("{whole}x\nnext").as_bytes()), [cut(), line("next")]);
        assert_eq!(all(format!("{whole}x").as_bytes()), [cut()]);
    }
}
