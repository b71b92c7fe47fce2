//! [`Key`]: the secret that authorizes its owner to publish a stream or to listen to one.

use std::{fmt, str::FromStr};

use subtle::ConstantTimeEq;

/// Random bytes in a key.
const BYTES: usize = 16;

/// A secret of 128 random bits, written as 32 hexadecimal digits in an address. Only [`Key::reveal`] prints it, for an
/// address that is given to the key's owner.
///
/// ```
/// use arauto_rtsp::Key;
///
/// let key = Key::random()?;
/// assert_eq!(key.reveal().len(), 32);
/// assert_eq!(key.reveal().parse(), Ok(key));
/// assert_eq!(format!("{key:?}"), "Key(..)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Key([u8; BYTES]);

impl Key {
    /// Generates a key.
    ///
    /// # Errors
    /// The error of the operating system if it cannot provide random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The 32 lower-case hexadecimal digits, for an address.
    #[must_use]
    pub fn reveal(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
    }
}

/// Compares in constant time, so that timing does not reveal how many digits match.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Formats a text for the log, with `{:?}`, without the keys in it: the hexadecimal digits after each `key=`.
///
/// ```
/// use arauto_rtsp::key::Masked;
///
/// let data = "rtsp://192.0.2.7:1554/7f3a?key=00112233445566778899aabbccddeeff a song.mp3";
/// assert_eq!(format!("{:?}", Masked(data)), r#""rtsp://192.0.2.7:1554/7f3a?key=… a song.mp3""#);
/// ```
pub struct Masked<'a>(pub &'a str);

/// The text that precedes a key in an address.
const BEFORE: &str = "key=";

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, rest)) = self.0.split_once(BEFORE) else { return fmt::Debug::fmt(self.0, f) };
        let mut shown = before.to_owned();
        for part in rest.split(BEFORE) {
            shown.push_str(BEFORE);
            let after = part.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            shown.push_str(if after.len() < part.len() { "…" } else { "" });
            shown.push_str(after);
        }
        fmt::Debug::fmt(&shown, f)
    }
}

/// Error of parsing a [`Key`]: the text is not exactly 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 32 hexadecimal digits")]
pub struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    /// Parses exactly 32 hexadecimal digits, in upper or lower case.
    ///
    /// # Errors
    /// [`NoKey`] for any other text.
    fn from_str(text: &str) -> Result<Self, NoKey> {
        let digits = text.as_bytes();
        if digits.len() != 2 * BYTES {
            return Err(NoKey);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(pair[0]).ok_or(NoKey)? * 16 + digit(pair[1]).ok_or(NoKey)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_without_its_keys() {
        for (text, shown) in [
            ("a | b | echo | \"hi\"", r#""a | b | echo | \"hi\"""#),
            ("rtsp://h:1/7f3a?key=00ffAA http://h:2/7f3a?key=00ffAA a key=song.mp3", {
                r#""rtsp://h:1/7f3a?key=… http://h:2/7f3a?key=… a key=song.mp3""#
            }),
            ("key=", r#""key=""#),
            ("key=key=1", r#""key=key=…""#),
        ] {
            assert_eq!(format!("{:?}", Masked(text)), shown);
        }
        let key = Key::random().unwrap().reveal();
        assert!(!format!("{:?}", Masked(&format!("x?key={key} y?key={key}"))).contains(&key));
    }

    #[test]
    fn read_as_written_and_never_shown() {
        let key = Key::random().unwrap();
        assert_eq!(key.reveal().parse(), Ok(key));
        assert_ne!(Key::random().unwrap(), key);
        assert_eq!(format!("{key:?}"), "Key(..)");
        for text in ["", "7f3a", &"g".repeat(32), &"0".repeat(33), &"é".repeat(16)] {
            assert_eq!(text.parse::<Key>(), Err(NoKey), "{text}");
        }
    }
}
