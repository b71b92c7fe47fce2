//! Encodes any file name as text without harmful characters that reads back exactly.
//!
//! | name | text |
//! |---|---|
//! | `My song.mp3` | `My song.mp3` |
//! | `a, b.txt` | `"a, b.txt"` |
//! | `a`, a newline, `b` | `"a\nb"` |
//! | `a`, a byte that is not UTF-8, `b` | `"a\xffb"` |

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Display, Formatter, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use arauto_protocol::{look::is_mark, message::NO_DATA, name::is_invisible};

/// Displays a name: bare if that is harmless, else in double quotes with escapes.
///
/// ```
/// use arauto_client::files::Quoted;
/// assert_eq!(Quoted("song.mp3".as_ref()).to_string(), "song.mp3");
/// assert_eq!(Quoted("a, \u{202e}b".as_ref()).to_string(), r#""a, \u{202e}b""#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a OsStr);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_bytes();
        if let Some(name) = self.0.to_str().filter(|name| is_bare(name)) {
            return f.write_str(name);
        }
        f.write_char('"')?;
        let mut begins = true;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                write_escaped(f, c, begins)?;
                begins = false;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
            // A combining mark would be drawn over the text before it.
            begins |= !chunk.invalid().is_empty();
        }
        f.write_char('"')
    }
}

fn write_escaped(f: &mut Formatter<'_>, c: char, begins: bool) -> fmt::Result {
    match c {
        '"' | '\\' => write!(f, "\\{c}"),
        '\n' => f.write_str(r"\n"),
        '\r' => f.write_str(r"\r"),
        '\t' => f.write_str(r"\t"),
        c if is_invisible(c) || (begins && is_mark(c)) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

/// Whether a name can stand without quotes: no part of it could be taken for the end of the name, and the name not
/// for other text.
fn is_bare(name: &str) -> bool {
    let begins_well = name.chars().next().is_some_and(|c| c != '-' && !is_mark(c));
    // A list with this text would be taken for a request.
    begins_well && name != NO_DATA && bare_len(name) == name.len()
}

/// Returns how many bytes at the front of a text can belong to a bare name: visible characters without meaning in a
/// list, and single blanks between them.
fn bare_len(text: &str) -> usize {
    let mut len = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let fits = match c {
            ' ' => before != ' ',
            c if c.is_ascii() => c.is_ascii_alphanumeric() || "._-+@=~#%&'!/".contains(c),
            c => !is_invisible(c),
        };
        if !fits {
            break;
        }
        if c != ' ' {
            len = at + c.len_utf8();
        }
        before = c;
    }
    len
}

/// Splits a name off the front of a text. Returns it and the rest, or `None` if the text does not begin with a name.
#[must_use]
pub fn split(text: &str) -> Option<(OsString, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at(bare_len(text));
        return (!name.is_empty()).then(|| (name.into(), rest));
    };
    let mut name = Vec::new();
    let mut rest = quoted;
    loop {
        let at = rest.find(['"', '\\'])?;
        name.extend_from_slice(&rest.as_bytes()[..at]);
        let (mark, tail) = rest[at..].split_at(1);
        if mark == "\"" {
            return Some((OsString::from_vec(name), tail));
        }
        rest = unescape(tail, &mut name)?;
    }
}

/// Decodes the escape after a backslash into `name`, and returns the rest of the text.
fn unescape<'a>(text: &'a str, name: &mut Vec<u8>) -> Option<&'a str> {
    let mut chars = text.chars();
    match chars.next()? {
        c @ ('"' | '\\') => name.push(u8::try_from(c).ok()?),
        'n' => name.push(b'\n'),
        'r' => name.push(b'\r'),
        't' => name.push(b'\t'),
        'x' => {
            let digits = text.get(1..3).filter(|digits| is_hex(digits))?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
            return Some(&text[3..]);
        }
        'u' => {
            let (digits, rest) = text.strip_prefix("u{")?.split_once('}')?;
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex(digits))?;
            name.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        _ => return None,
    }
    Some(chars.as_str())
}

/// The parsers of the standard library also accept a sign; this check excludes it.
fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the name that the whole text encodes, or `None` if it encodes none.
///
/// ```
/// use arauto_client::files::unquote;
/// assert_eq!(unquote(r#""a\nb""#), Some("a\nb".into()));
/// assert_eq!(unquote("a, b"), None);
/// ```
#[must_use]
pub fn unquote(text: &str) -> Option<OsString> {
    split(text).and_then(|(name, rest)| rest.is_empty().then_some(name))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(name: &[u8]) -> String {
        Quoted(OsStr::from_bytes(name)).to_string()
    }

    #[test]
    fn bare_where_harmless() {
        for name in
            ["song.mp3", "My song - live!.mp3", "a/b/c", ".x", "Don't", "olá", "音楽.flac", "100%", "a-b"]
        {
            assert_eq!(quoted(name.as_bytes()), name);
        }
    }

    #[test]
    fn quoted_where_not() {
        for (name, text) in [
            (&b""[..], r#""""#),
            (b" ", r#"" ""#),
            (b"a ", r#""a ""#),
            (b" a", r#"" a""#),
            (b"a  b", r#""a  b""#),
            (b"a, b.txt", r#""a, b.txt""#),
            (b"a (b)", r#""a (b)""#),
            (b"a;b", r#""a;b""#),
            (b"a|b", r#""a|b""#),
            (b"cannot: x", r#""cannot: x""#),
            (b"-", r#""-""#),
            (b"no data", r#""no data""#),
            (b"\"\\", r#""\"\\""#),
            (b"a\nb\r\t\0\x1b[31m\x7f", r#""a\nb\r\t\u{0}\u{1b}[31m\u{7f}""#),
            ("\u{202e}x\u{200b}\u{85}".as_bytes(), r#""\u{202e}x\u{200b}\u{85}""#),
            ("a\u{a0}b".as_bytes(), r#""a\u{a0}b""#),
            ("\u{301}e\u{301}".as_bytes(), "\"\\u{301}e\u{301}\""),
            ("\u{301}".as_bytes(), r#""\u{301}""#),
            (b"caf\xe9.mp3", r#""caf\xe9.mp3""#),
            (b"\xff\xcc\x81", r#""\xff\u{301}""#),
        ] {
            assert_eq!(quoted(name), text);
            assert_eq!(unquote(text).as_deref(), Some(OsStr::from_bytes(name)), "{text}");
        }
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            " a",
            "a,b",
            "\"a",
            "\"a\\",
            "\"a\\\"",
            "\"\"a",
            r#""\q""#,
            r#""\x""#,
            r#""\xf""#,
            r#""\xfg""#,
            r#""\x+1""#,
            r#""\xé""#,
            r#""\u""#,
            r#""\u{""#,
            r#""\u{}""#,
            r#""\u{+1}""#,
            r#""\u{d800}""#,
            r#""\u{110000}""#,
            r#""\u{1000000000}""#,
        ] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }

    /// Generates names with every kind of harmful content.
    pub fn names() -> impl Strategy<Value = OsString> {
        let nasty = prop::sample::select(
            &[
                "\"",
                "\\",
                ", ",
                " (",
                ")",
                "; ",
                "\n",
                "\u{1b}[2J",
                "\u{202e}",
                "\u{301}",
                " ",
                "é",
                "/",
                "-",
            ][..],
        );
        let piece = prop_oneof![
            nasty.prop_map(|text| text.as_bytes().to_vec()),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            "[a-z0-9.]{1,6}".prop_map(String::into_bytes),
            any::<u8>().prop_map(|byte| vec![byte]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| OsString::from_vec(pieces.concat()))
    }

    proptest! {
        #[test]
        fn every_name_reads_back(name in names()) {
            let text = Quoted(&name).to_string();
            prop_assert_eq!(unquote(&text), Some(name.clone()));
            prop_assert!(!text.chars().any(is_invisible), "{:?}", text);
            // The end of the name is found, too.
            for rest in [" (12 bytes)", ", next", "; 3"] {
                let both = format!("{text}{rest}");
                prop_assert_eq!(split(&both), Some((name.clone(), rest)));
            }
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "\"?.{0,40}\"?") {
            let _ = split(&text);
        }
    }
}
