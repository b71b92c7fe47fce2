//! [`hidden`]: finds characters that are invisible or that reverse the text around them. No message may hold them.
//!
//! RFC 8264 (section 4.3) excludes the same characters from free text. Three kinds are allowed where text needs them,
//! as in RFC 5892 (appendix A) and UTS 51:
//!
//! - a joiner (U+200C, U+200D) beside a letter of a script whose letters join or stack, such as Arabic or Devanagari;
//!   U+200D also between two emoji;
//! - one variation selector behind a visible character;
//! - tags between U+1F3F4 and U+E007F, which form a flag.
//!
//! `joiners.rs` holds the rules for emoji and flags, which the clients' screen shares. Otherwise this module
//! allows more: a message may contain characters that a client's screen shows as escapes.

use std::borrow::Cow;

use unicode_script::{Script, UnicodeScript};

use super::look::is_mark;
use crate::joiners::{self, JOINER, NON_JOINER};

/// Most combining marks that are skipped to find the letter below them.
const MAX_MARKS: usize = 8;

/// The hidden characters of a text, with their byte positions.
///
/// ```
/// use arauto_protocol::hidden::hidden;
/// assert_eq!(hidden("evil\u{202e}fdp.exe").next(), Some((4, '\u{202e}')));
/// assert_eq!(hidden("علی\u{200c}رضا 👩\u{200d}💻").next(), None);
/// ```
pub fn hidden(text: &str) -> impl Iterator<Item = (usize, char)> {
    // Most texts are ASCII or hold no such character; that is detected without any table.
    let text = if text.is_ascii() { "" } else { text };
    text.char_indices()
        .filter(|(at, c)| may_hide(*c) && !is_needed(*c, &text[..*at], &text[*at + c.len_utf8()..]))
}

/// The text with U+FFFD in place of each hidden character.
///
/// ```
/// use arauto_protocol::hidden::without_hidden;
/// assert_eq!(without_hidden("evil\u{202e}fdp.exe"), "evil\u{fffd}fdp.exe");
/// ```
#[must_use]
pub fn without_hidden(text: &str) -> Cow<'_, str> {
    let mut found = hidden(text).peekable();
    if found.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut whole, mut from) = (String::with_capacity(text.len()), 0);
    for (at, c) in found {
        whole += &text[from..at];
        whole.push(char::REPLACEMENT_CHARACTER);
        from = at + c.len_utf8();
    }
    whole += &text[from..];
    Cow::Owned(whole)
}

/// Whether a character is hidden unless the text needs it: categories Cf, Zl and Zp and Unicode's default ignorable
/// characters, except for the few of category Cf that are visible, such as U+06DD.
fn may_hide(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether the text around a character needs it.
fn is_needed(c: char, before: &str, after: &str) -> bool {
    let last = before.chars().next_back();
    match c {
        // Names allow joiners here too, in any script.
        NON_JOINER | JOINER if joiners::is_join_control(before, c, after) => true,
        NON_JOINER => joins_letters(before, after),
        JOINER => joins_letters(before, after) || joiners::joins_emoji(before, after),
        '\u{fe00}'..='\u{fe0f}' => last.is_some_and(is_seen),
        // Variation selectors of ideographs.
        '\u{e0100}'..='\u{e01ef}' => last.is_some_and(|last| is_seen(last) && last.is_alphabetic()),
        // Variation selectors of Mongolian letters, and the Mongolian vowel separator.
        '\u{180b}'..='\u{180f}' => matches!(last, Some('\u{1820}'..='\u{18aa}')),
        '\u{e0020}'..='\u{e007f}' => joiners::is_flag(before, c, after),
        _ => false,
    }
}

fn is_seen(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || may_hide(c))
}

/// Whether a joiner stands beside a letter whose form it can change, and not behind another joiner.
fn joins_letters(before: &str, after: &str) -> bool {
    if before.ends_with([NON_JOINER, JOINER]) {
        return false;
    }
    let letter = before.chars().rev().take(MAX_MARKS).find(|c| !is_mark(*c));
    letter.is_some_and(is_joining) || after.chars().next().is_some_and(is_joining)
}

/// Whether the script of this character has letters whose form depends on their neighbours.
fn is_joining(c: char) -> bool {
    use Script::{
        Adlam, Arabic, Balinese, Bengali, Brahmi, Chakma, Devanagari, Grantha, Gujarati, Gurmukhi,
        Hanifi_Rohingya, Javanese, Kaithi, Kannada, Khmer, Lepcha, Limbu, Malayalam, Mandaic, Manichaean,
        Meetei_Mayek, Mongolian, Myanmar, Newa, Nko, Oriya, Phags_Pa, Sharada, Sinhala, Sogdian, Sundanese,
        Syloti_Nagri, Syriac, Tai_Tham, Takri, Tamil, Telugu, Tibetan, Tirhuta,
    };
    // The tatweel is common to several of these scripts.
    c == '\u{640}'
        || matches!(
            c.script(),
            Adlam
                | Arabic
                | Balinese
                | Bengali
                | Brahmi
                | Chakma
                | Devanagari
                | Grantha
                | Gujarati
                | Gurmukhi
                | Hanifi_Rohingya
                | Javanese
                | Kaithi
                | Kannada
                | Khmer
                | Lepcha
                | Limbu
                | Malayalam
                | Mandaic
                | Manichaean
                | Meetei_Mayek
                | Mongolian
                | Myanmar
                | Newa
                | Nko
                | Oriya
                | Phags_Pa
                | Sharada
                | Sinhala
                | Sogdian
                | Sundanese
                | Syloti_Nagri
                | Syriac
                | Tai_Tham
                | Takri
                | Tamil
                | Telugu
                | Tibetan
                | Tirhuta
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::is_invisible;

    fn first(text: &str) -> Option<char> {
        hidden(text).next().map(|(_, c)| c)
    }

    #[test]
    fn what_cannot_be_seen_is_hidden() {
        let bidi =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let lines = "\u{2028}\u{2029}";
        let nothing = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{180e}\u{200b}\u{2060}\u{2061}\u{2064}\u{206a}\u{3164}\u{feff}\u{ffa0}";
        let annotation = "\u{fff9}\u{fffa}\u{fffb}";
        let tags = "\u{e0001}\u{e0041}\u{e007f}\u{e0fff}";
        for c in [bidi, lines, nothing, annotation, tags].concat().chars() {
            for text in [format!("a{c}b"), format!("{c}"), format!("é {c}"), format!("שלום{c}سلام")]
            {
                assert_eq!(first(&text), Some(c), "U+{:04X} in {text:?}", u32::from(c));
            }
        }
    }

    #[test]
    fn what_writing_needs_is_not() {
        for text in [
            "olá, mundo\t|",
            "علی\u{200c}رضا",
            "می\u{200c}خواهم",
            "PDF\u{200c}ها",
            "قُ\u{200c}ر",
            "ه\u{200d}.",
            "क्\u{200d}ष",
            "ක්\u{200d}ෂ",
            // Kharoshthi, behind a virama.
            "\u{10a10}\u{10a3f}\u{200c}\u{10a10}",
            "שלום",
            "آيَةً\u{6dd}",
            "👩\u{200d}💻",
            "👩🏽\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "🏳\u{fe0f}\u{200d}🌈",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "1\u{fe0f}\u{20e3}",
            "🇧🇷",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "葛\u{e0100}",
            "ᠠ\u{180b}",
            "日本 e\u{301}\u{302}",
        ] {
            assert_eq!(first(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_let_through_is_hidden_elsewhere() {
        for (text, c) in [
            ("pass\u{200c}word", '\u{200c}'),
            ("pass\u{200d}word", '\u{200d}'),
            ("\u{200d}", '\u{200d}'),
            ("سلام\u{200c}\u{200c}", '\u{200c}'),
            ("سلام\u{200d}\u{200c}", '\u{200c}'),
            ("👩\u{200d}x", '\u{200d}'),
            ("👩\u{200d}", '\u{200d}'),
            ("x\u{200d}👩", '\u{200d}'),
            ("👩\u{200c}👩", '\u{200c}'),
            (" \u{fe0f}", '\u{fe0f}'),
            ("\u{fe0f}", '\u{fe0f}'),
            ("❤\u{fe0f}\u{fe0f}", '\u{fe0f}'),
            ("a\u{fe0f}\u{e0100}", '\u{e0100}'),
            (". \u{e0100}", '\u{e0100}'),
            ("a\u{180b}", '\u{180b}'),
            ("\u{1f3f4}\u{e0067}\u{e0062}", '\u{e0067}'),
            ("\u{1f3f4}\u{e007f}", '\u{e007f}'),
            (
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0067}\u{e0062}\u{e0067}\u{e0062}\u{e0067}\u{e007f}",
                '\u{e0067}',
            ),
            ("👩\u{e0067}\u{e007f}", '\u{e0067}'),
        ] {
            assert_eq!(first(text), Some(c), "{text:?}");
        }
    }

    /// A message that is accepted shows its flags and joined emoji on every screen.
    #[test]
    fn flags_and_emoji_are_allowed_where_they_are_drawn() {
        let tags = |count: usize| {
            "\u{e0067}\u{e0062}\u{e0073}\u{e0063}".chars().cycle().take(count).collect::<String>()
        };
        for count in 0..10 {
            let text = format!("\u{1f3f4}{}\u{e007f}", tags(count));
            assert_eq!(first(&text).is_none(), (3..=6).contains(&count), "{count}");
        }
        for (before, after) in
            [("👩", "💻"), ("👩🏽", "💻"), ("🇧🇷", "🇧🇷"), ("👩", "🏽"), ("🏽", "👩"), ("🇧🇷", "💻")]
        {
            let text = format!("{before}\u{200d}{after}");
            let is_drawn = joiners::is_needed(before, JOINER, after);
            assert_eq!(first(&text).is_none(), is_drawn, "{text:?}");
        }
    }

    #[test]
    fn hidden_characters_are_replaced_one_by_one() {
        assert_eq!(without_hidden("a\u{202e}\u{202e}b\u{200b}"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(without_hidden("می\u{200c}خواهم"), "می\u{200c}خواهم");
    }

    /// `may_hide` is a list made by hand, so that text without such characters needs no table.
    #[test]
    fn all_that_a_name_must_not_hold_for_being_invisible_may_hide() {
        let is_seen = |c: char| {
            matches!(
                c,
                '\u{600}'..='\u{605}'
                    | '\u{6dd}'
                    | '\u{70f}'
                    | '\u{890}'..='\u{891}'
                    | '\u{8e2}'
                    | '\u{110bd}'
                    | '\u{110cd}'
                    | '\u{2800}'
            )
        };
        for c in ('\u{80}'..=char::MAX).filter(|c| !c.is_control() && !is_seen(*c)) {
            let is_blank = c.is_whitespace() && !matches!(c, '\u{2028}' | '\u{2029}');
            assert!(is_blank || !is_invisible(c) || may_hide(c), "U+{:04X}", u32::from(c));
        }
    }
}
