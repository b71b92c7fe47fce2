//! Detects what a terminal can do, and reads a line from it without echo.

use std::{
    ffi::OsStr,
    io::{self, Write},
};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DEL: u8 = 127;

/// Values of `TERM` for terminals that take no escape sequences: terminfo's names for a terminal without capabilities
/// and for an unknown one.
const WITHOUT_ESCAPES: [&str; 2] = ["dumb", "unknown"];

/// Whether the terminal takes escape sequences, such as cursor movements and colours. False if `TERM` names a kind that
/// takes none, or is unset or empty, as for programs that a service manager or an editor runs on a pseudo-terminal.
#[must_use]
pub fn takes_escapes() -> bool {
    is_capable(std::env::var_os("TERM").as_deref())
}

fn is_capable(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| !term.is_empty() && WITHOUT_ESCAPES.iter().all(|kind| term != *kind))
}

/// Keeps the terminal's echo off until it is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        // Read key by key, with Ctrl-C as a key: a signal would end the program with the echo still off.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Errors are ignored: a terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Writes `prompt` to `out` and reads a line without echo from standard input, which must be a terminal. Bytes beyond
/// `most` are dropped. Waits without a time limit. `None`: the user gave up by Ctrl-C, or by Ctrl-D on an empty line.
///
/// # Errors
/// If the terminal's mode cannot be changed, or if reading or writing fails.
pub fn read_hidden(
    out: &mut impl Write,
    prompt: &str,
    most: usize,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let hidden = Hidden::begin()?;
    out.write_all(prompt.as_bytes())?;
    out.flush()?;
    // Unbuffered: bytes that a buffer had read ahead would be lost.
    let typed = line(most, || {
        let mut key = [0];
        match rustix::io::read(io::stdin(), &mut key) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(key[0])),
            Err(error) => Err(error.into()),
        }
    });
    drop(hidden);
    out.write_all(b"\n")?;
    typed
}

/// Collects keys until Enter or the end of input. Backspace, DEL and Ctrl-U edit the line.
fn line(
    most: usize,
    mut key: impl FnMut() -> io::Result<Option<u8>>,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Allocated at full size, because growing would leave copies of a password in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(most));
    loop {
        match key()? {
            None | Some(b'\r' | b'\n') => return Ok(Some(line)),
            Some(CTRL_C) => return Ok(None),
            Some(CTRL_D) if line.is_empty() => return Ok(None),
            Some(CTRL_D) => return Ok(Some(line)),
            Some(CTRL_U) => line.clear(),
            Some(BACKSPACE | DEL) => {
                let is_continuation = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
                while line.pop().is_some_and(is_continuation) {}
            }
            Some(byte) if line.len() < most => line.push(byte),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<Vec<u8>> {
        let mut keys = keys.iter().copied();
        line(512, || Ok(keys.next())).unwrap().map(|line| line.to_vec())
    }

    #[test]
    fn escapes_are_for_terminals_that_are_known_to_take_them() {
        for (term, takes) in [
            (None, false),
            (Some(""), false),
            (Some("dumb"), false),
            (Some("unknown"), false),
            (Some("linux"), true),
            (Some("xterm-256color"), true),
        ] {
            assert_eq!(is_capable(term.map(OsStr::new)), takes, "{term:?}");
        }
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, line) in [
            (&b"secret\rmore"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b"secrx\x7fet\r", b"secret"),
            (b"secr\xc3\xa9\x08et\r", b"secret"),
            (b"oops\x15secret\r", b"secret"),
            (b"\x7f\x7fsecret\r", b"secret"),
            (b"secret\x04", b"secret"),
            (b"secret", b"secret"),
        ] {
            assert_eq!(typed(keys).as_deref(), Some(line), "{keys:?}");
        }
        assert_eq!(typed(b"secret\x03\r"), None);
        assert_eq!(typed(b"\x04"), None);
        assert_eq!(typed(&[b'x'; 5000]).unwrap().len(), 512);
    }
}
