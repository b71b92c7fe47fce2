//! [`Entry`]: one file of a list, and its text form: `song.mp3 (4213442 bytes, 3:40, audio/mpeg)`.

use std::{
    ffi::OsString,
    fmt::{self, Display, Formatter},
};

use super::quote::{self, Quoted};

/// Maximum length of a MIME type, in bytes. Real types have about ten.
const MAX_KIND_BYTES: usize = 64;

/// A file of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Path below the shared folder, with `/` between folders. In a received list it may be any text, even `../x`:
    /// never use it as a path.
    pub name: OsString,
    /// Size in bytes.
    pub bytes: u64,
    /// Duration in seconds, if the file is audio and the duration is known.
    pub seconds: Option<u64>,
    /// MIME type, if the file is audio.
    pub kind: Option<String>,
}

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, bytes, seconds, kind } = self;
        let unit = if *bytes == 1 { "byte" } else { "bytes" };
        write!(f, "{} ({bytes} {unit}", Quoted(name))?;
        if let Some(seconds) = seconds {
            write!(f, ", {}", Clock(*seconds))?;
        }
        if let Some(kind) = kind {
            write!(f, ", {kind}")?;
        }
        f.write_str(")")
    }
}

impl Entry {
    /// Splits an entry off the front of a text. Returns it and the rest.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        let (name, rest) = quote::split(text)?;
        let (details, rest) = rest.strip_prefix(" (")?.split_once(')')?;
        let mut details = details.split(", ");
        let (bytes, unit) = details.next()?.split_once(' ')?;
        let bytes = number(bytes)?;
        if unit != if bytes == 1 { "byte" } else { "bytes" } {
            return None;
        }
        let mut entry = Self { name, bytes, seconds: None, kind: None };
        let mut detail = details.next();
        if let Some(seconds) = detail.and_then(Clock::parse) {
            entry.seconds = Some(seconds);
            detail = details.next();
        }
        if let Some(kind) = detail {
            entry.kind = Some(kind.to_owned()).filter(|kind| is_kind(kind));
            entry.kind.as_ref()?;
        }
        details.next().is_none().then_some((entry, rest))
    }
}

/// Whether a text has the form of a MIME type, such as `audio/mpeg`.
fn is_kind(text: &str) -> bool {
    let in_kind = |byte: u8| byte.is_ascii_alphanumeric() || b"/.+-".contains(&byte);
    text.len() <= MAX_KIND_BYTES && text.contains('/') && text.bytes().all(in_kind)
}

/// Parses a decimal number that consists of digits only and has no leading zeros.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number)
}

/// Displays seconds as a duration: `0:07`, `3:40`, `1:02:03`.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub u64);

impl Display for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        if hours > 0 {
            write!(f, "{hours}:{minutes:02}:{seconds:02}")
        } else {
            write!(f, "{minutes}:{seconds:02}")
        }
    }
}

impl Clock {
    fn parse(text: &str) -> Option<u64> {
        let mut fields = text.split(':');
        let mut total = number::<u64>(fields.next()?)?;
        let mut further = 0;
        for field in fields {
            let value = field.parse::<u64>().ok().filter(|value| field.len() == 2 && *value < 60)?;
            total = total.checked_mul(60)?.checked_add(value)?;
            further += 1;
        }
        // Only the canonical text is accepted, so that each duration has exactly one.
        (matches!(further, 1 | 2) && Clock(total).to_string() == text).then_some(total)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{super::quote::tests::names, *};

    #[test]
    fn lengths() {
        for (seconds, text) in [
            (0, "0:00"),
            (7, "0:07"),
            (220, "3:40"),
            (3599, "59:59"),
            (3600, "1:00:00"),
            (363_723, "101:02:03"),
        ] {
            assert_eq!(Clock(seconds).to_string(), text);
            assert_eq!(Clock::parse(text), Some(seconds));
        }
        for text in
            ["", "1", "1:", ":1", "1:2", "1:60", "01:00", "60:00", "0:01:00", "1:00:00:00", "1:+1", "-1:00"]
        {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
        assert_eq!(Clock::parse(&Clock(u64::MAX).to_string()), Some(u64::MAX));
        assert_eq!(Clock::parse("9999999999999999999:00:00"), None);
    }

    #[test]
    fn texts() {
        let plain = |name: &str, bytes| Entry { name: name.into(), bytes, seconds: None, kind: None };
        let song =
            Entry { seconds: Some(220), kind: Some("audio/mpeg".to_owned()), ..plain("song.mp3", 4_213_442) };
        for (entry, text) in [
            (plain("a.txt", 0), "a.txt (0 bytes)"),
            (plain("a, b.txt", 1), "\"a, b.txt\" (1 byte)"),
            (song.clone(), "song.mp3 (4213442 bytes, 3:40, audio/mpeg)"),
            (Entry { seconds: None, ..song.clone() }, "song.mp3 (4213442 bytes, audio/mpeg)"),
            (Entry { kind: None, ..song }, "song.mp3 (4213442 bytes, 3:40)"),
        ] {
            assert_eq!(entry.to_string(), text);
            assert_eq!(Entry::split(&format!("{text}, b")), Some((entry, ", b")));
        }
        for text in [
            "a",
            "a ",
            "a (1 byte",
            "a (1 bytes)",
            "a (2 byte)",
            "a (02 bytes)",
            "a (+2 bytes)",
            "a (2)",
            "a (18446744073709551616 bytes)",
            "a (2 bytes, )",
            "a (2 bytes, audio)",
            "a (2 bytes, a/b\u{202e})",
            "a (2 bytes, a/b, 1:00)",
            "a (2 bytes, 1:00, a/b, c/d)",
            "a(2 bytes)",
            "(2 bytes)",
        ] {
            assert_eq!(Entry::split(text), None, "{text}");
        }
    }

    pub fn entries() -> impl Strategy<Value = Entry> {
        let kind = prop::option::of(prop::sample::select(&["audio/mpeg", "audio/x-y.z+1"][..]));
        (names(), any::<u64>(), prop::option::of(any::<u64>()), kind).prop_map(
            |(name, bytes, seconds, kind)| Entry { name, bytes, seconds, kind: kind.map(str::to_owned) },
        )
    }

    proptest! {
        #[test]
        fn every_entry_reads_back(entry in entries()) {
            let text = entry.to_string();
            prop_assert_eq!(Entry::split(&text), Some((entry, "")));
        }
    }
}
