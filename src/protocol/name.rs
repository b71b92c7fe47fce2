//! [`Name`]: a user's name, valid by construction, and [`NameKey`]: what makes two names the same.

use std::{ops::RangeInclusive, sync::Arc};

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{
    fold::fold,
    look::{Looks, is_mark, proto, resemblance},
};
use crate::joiners;

/// The most characters a name may have after trimming.
pub const MAX_NAME_CHARS: usize = 32;

/// The most marks over one character: as UTS 39, section 5.4, advises. Each may be one more that nobody can tell.
pub const MOST_MARKS: usize = 4;

/// Names the protocol uses for itself, folded.
const RESERVED: [&str; 3] = ["server", "client", "all clients"];

/// How the server addresses someone whose name it refuses; no name may begin with it.
pub const NEW_CLIENT: &str = "new_client:";

/// A valid name: shown as it was typed (in NFC), compared by its [`NameKey`].
#[derive(Clone, Debug)]
pub struct Name {
    shown: Arc<str>,
    key: NameKey,
}

/// A name folded for comparison: NFKC, Unicode case folding, and one blank for several.
///
/// Two names mean the same user exactly if their keys are equal. No two users are given names that share a [`Look`] either,
/// but a message is never taken to be for somebody whose name only looks like the one that was typed.
///
/// [`Look`]: super::look::Look
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(Arc<str>);

/// Why a text is no name. The texts are sent to the person who tried it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only blanks.
    #[error("A name must not be empty")]
    Empty,
    /// More than [`MAX_NAME_CHARS`] characters.
    #[error("A name has at most {MAX_NAME_CHARS} characters, and this one has {0}")]
    TooLong(usize),
    /// More bytes than fit the server's messages (only where `limits.message_bytes` is small).
    #[error("A name has at most {0} bytes on this server, whose messages are short")]
    TooManyBytes(usize),
    /// A control or format character, at this place counted from 1.
    #[error("A name must not hold control or invisible characters: character {column} is U+{code:04X}")]
    Invisible {
        /// Which character, counted from 1.
        column: usize,
        /// Its code point.
        code: u32,
    },
    /// A combining mark at the beginning, where it would be drawn over whatever stands before the name.
    #[error("A name must not begin with a combining mark: U+{0:04X}")]
    LeadingMark(u32),
    /// A `|` or `,`.
    #[error("A name must not hold the character {0} because it separates fields or names")]
    Separator(char),
    /// A character that looks like a `|` or `,`.
    #[error(
        "A name must not hold the character {separator} (U+{code:04X}) because it looks like {like}, which separates fields or names"
    )]
    LikeSeparator {
        /// The character.
        separator: char,
        /// What it looks like.
        like: &'static str,
        /// Its code point.
        code: u32,
    },
    /// More than [`MOST_MARKS`] marks over one character.
    #[error("A name must not have more than {MOST_MARKS} marks over one character")]
    PiledMarks,
    /// A name the protocol uses for itself.
    #[error("The name {0} is reserved")]
    Reserved(&'static str),
    /// A name that looks like one the protocol uses for itself; says why.
    #[error("{0}")]
    LooksReserved(String),
}

impl Name {
    /// Judges a text that someone wants to be called. `max_bytes` is what the message limit leaves for a
    /// name (see [`max_bytes`]).
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str, max_bytes: usize) -> Result<Self, NameError> {
        let trimmed = text.trim();
        let shown: Arc<str> =
            if is_nfc(trimmed) { trimmed.into() } else { trimmed.nfc().collect::<String>().into() };
        let chars = shown.chars().count();
        if chars == 0 {
            return Err(NameError::Empty);
        }
        if let Some((column, code)) = hidden(&shown) {
            return Err(NameError::Invisible { column, code });
        }
        if let Some(mark) = shown.chars().next().filter(|c| is_mark(*c)) {
            return Err(NameError::LeadingMark(u32::from(mark)));
        }
        if chars > MAX_NAME_CHARS {
            return Err(NameError::TooLong(chars));
        }
        if shown.len() > max_bytes {
            return Err(NameError::TooManyBytes(max_bytes));
        }
        if let Some(separator) = shown.chars().find(|c| matches!(c, '|' | ',')) {
            return Err(NameError::Separator(separator));
        }
        if let Some((separator, like)) = shown.chars().find_map(|c| Some((c, separator_like(c)?))) {
            return Err(NameError::LikeSeparator { separator, like, code: u32::from(separator) });
        }
        if most_marks(&shown) > MOST_MARKS {
            return Err(NameError::PiledMarks);
        }
        let key = NameKey::of(&shown);
        if let Some(reserved) = RESERVED.into_iter().find(|reserved| *key.0 == **reserved) {
            return Err(NameError::Reserved(reserved));
        }
        if key.0.starts_with(NEW_CLIENT) {
            return Err(NameError::Reserved(NEW_CLIENT));
        }
        if let Some(reserved) = reserved_look(&Looks::of(&shown, &key.0)) {
            return Err(NameError::LooksReserved(resemblance(&shown, reserved, "which is reserved")));
        }
        // Most names are their own key: then both share one allocation.
        let key = if key.0 == shown { NameKey(Arc::clone(&shown)) } else { key };
        Ok(Self { shown, key })
    }

    /// The name as it was typed, in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What the name is compared by.
    #[must_use]
    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// What the name looks like. Made anew with each call, which can take half a millisecond.
    #[must_use]
    pub fn looks(&self) -> Looks {
        Looks::of(&self.shown, &self.key.0)
    }

    /// Why this name is taken for that of `other`, who is connected: `раul has Cyrillic р, а; it looks like paul, who is
    /// here`.
    #[must_use]
    pub fn resemblance(&self, other: &Self) -> String {
        resemblance(&self.shown, &other.shown, "who is here")
    }

    /// The same where `other` has an account, and may be away.
    #[must_use]
    pub fn resemblance_to_account(&self, other: &Self) -> String {
        resemblance(&self.shown, &other.shown, "who has an account")
    }

    /// The same where `other` is banned.
    #[must_use]
    pub fn resemblance_to_banned(&self, other: &str) -> String {
        resemblance(&self.shown, other, "who is banned")
    }
}

impl NameKey {
    /// The key of any text, valid name or not: a text that is no name has a key that nobody bears.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        // Most texts are their own key, and this is the way of every private message.
        let is_ascii = text.is_ascii();
        if is_ascii && is_folded(text.as_bytes()) {
            return Self(text.into());
        }
        // What is too long for a name is no name in any form, and folding a whole message would take its time.
        if !is_ascii && text.nfc().nth(MAX_NAME_CHARS).is_some() {
            return Self(text.into());
        }
        Self(fold(text).into())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether a text in ASCII is what [`fold`] would make of it.
fn is_folded(text: &[u8]) -> bool {
    let mut before = b'.';
    text.iter().all(|byte| {
        let is_second_blank = before == b' ' && *byte == b' ';
        before = *byte;
        !is_second_blank && !byte.is_ascii_uppercase()
    })
}

/// The name of the protocol's own that one of these looks like.
fn reserved_look(looks: &Looks) -> Option<&'static str> {
    looks.iter().find_map(|look| {
        // Strokes that stand for whole letters in Korean and Chinese.
        let look = look.spelt().replace(['\u{1175}', '\u{3163}', '\u{4e28}'], "l");
        let whole = RESERVED.into_iter().find(|reserved| look == **reserved);
        // `server l all clients l broadcast`: a letter alone can look like the pipe between fields.
        let first_field =
            || RESERVED.into_iter().find(|reserved| look.starts_with(&format!("{reserved} l ")));
        whole.or_else(first_field).or_else(|| look.starts_with(NEW_CLIENT).then_some(NEW_CLIENT))
    })
}

/// How many bytes a name may have so that a list of clients still fits into messages of `message_bytes`:
/// the list names its reader in the header and at least one other user in DATA.
#[must_use]
pub fn max_bytes(message_bytes: usize) -> usize {
    const LIST_HEADER: usize = "server |  | list_clients | clients connected: ".len();
    message_bytes.saturating_sub(LIST_HEADER) / 2
}

/// What could move a cursor, turn the writing direction, or not be seen: control and format characters, line and
/// paragraph separators, blanks other than the ordinary one, and what Unicode lets a font leave out.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, SpaceSeparator};
    // Most characters are these, and for them no table need be looked into, nor be read into memory.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    match c.general_category() {
        Control | Format | LineSeparator | ParagraphSeparator => true,
        SpaceSeparator => c != ' ',
        _ => INVISIBLE.iter().any(|range| range.contains(&c)),
    }
}

/// The first character of a name that nobody can see and that its script does not need: its place, counted from 1, and its
/// code point.
fn hidden(name: &str) -> Option<(usize, u32)> {
    let is_hidden = |(_, (at, c)): &(usize, (usize, char))| {
        let is_joiner = matches!(*c, joiners::JOINER | joiners::NON_JOINER);
        is_invisible(*c)
            && !(is_joiner && joiners::is_join_control(&name[..*at], *c, &name[at + c.len_utf8()..]))
    };
    name.char_indices().enumerate().find(is_hidden).map(|(place, (_, c))| (place + 1, u32::from(c)))
}

/// How many marks there are over the character that has the most.
fn most_marks(name: &str) -> usize {
    if name.is_ascii() {
        return 0;
    }
    let (mut most, mut marks) = (0, 0);
    for c in name.nfd() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        most = most.max(marks);
    }
    most
}

/// What a character looks like that separates fields or names: `|` or `,`.
///
/// In Unicode's table of confusable characters a pipe looks like a small `l`, as `I` and `1` do. So of the characters with that
/// look those are meant that are no letters or digits; and those lines that the table does not know.
fn separator_like(c: char) -> Option<&'static str> {
    if c.is_ascii() {
        return None;
    }
    let look = proto(&c.to_string());
    let is_line = LINES.iter().any(|range| range.contains(&c));
    if is_line || (!c.is_alphanumeric() && matches!(look.as_str(), "l" | "ll" | "|" | "||")) {
        return Some("|");
    }
    let compatible: String = c.nfkc().collect();
    let is_comma = COMMAS.contains(&c) || look == "," || compatible.contains(',');
    if compatible.contains('|') {
        return Some("|");
    }
    is_comma.then_some(",")
}

/// Upright lines that Unicode's table of confusable characters does not liken to a pipe, or that are letters.
const LINES: [RangeInclusive<char>; 31] = [
    '\u{a6}'..='\u{a6}',
    // Latin letters of clicks.
    '\u{1c0}'..='\u{1c1}',
    // Danda, double danda.
    '\u{964}'..='\u{965}',
    '\u{2016}'..='\u{2016}',
    '\u{2223}'..='\u{2226}',
    // Parts of tall brackets, and extensions of lines.
    '\u{239c}'..='\u{239c}',
    '\u{239f}'..='\u{239f}',
    '\u{23a2}'..='\u{23a2}',
    '\u{23a5}'..='\u{23a5}',
    '\u{23aa}'..='\u{23aa}',
    '\u{23ae}'..='\u{23ae}',
    '\u{23b8}'..='\u{23b9}',
    '\u{23d0}'..='\u{23d0}',
    '\u{23fd}'..='\u{23fd}',
    // Boxes: upright lines, whole, broken, heavy, double and halves.
    '\u{2502}'..='\u{2503}',
    '\u{2506}'..='\u{2507}',
    '\u{250a}'..='\u{250b}',
    '\u{254e}'..='\u{254f}',
    '\u{2551}'..='\u{2551}',
    '\u{2575}'..='\u{2575}',
    '\u{2577}'..='\u{2577}',
    '\u{2579}'..='\u{2579}',
    '\u{257b}'..='\u{257b}',
    '\u{257d}'..='\u{257d}',
    '\u{257f}'..='\u{257f}',
    '\u{258f}'..='\u{258f}',
    '\u{2595}'..='\u{2595}',
    '\u{2758}'..='\u{275a}',
    // Upright dashes, and half and full width.
    '\u{fe31}'..='\u{fe34}',
    '\u{ffe4}'..='\u{ffe4}',
    '\u{ffe8}'..='\u{ffe8}',
];

/// Commas of other scripts that Unicode's table does not liken to a comma.
const COMMAS: [char; 15] = [
    '\u{55d}', '\u{60c}', '\u{66b}', '\u{7f8}', '\u{1363}', '\u{1802}', '\u{1808}', '\u{2e32}', '\u{2e34}',
    '\u{2e41}', '\u{2e49}', '\u{3001}', '\u{a4fe}', '\u{a60d}', '\u{ff64}',
];

/// Whether a text is words and nothing else: letters, digits, marks, single blanks, and `-`, `_`, `.` and `'`. What only looks
/// like another sign is taken for it: there are letters that are no different from a colon.
#[must_use]
pub fn is_words(text: &str) -> bool {
    let is_of_words =
        |c: char| c.is_alphanumeric() || is_mark(c) || matches!(c, ' ' | '-' | '_' | '.' | '\'');
    let is_ordinary = |text: &str| text.chars().all(is_of_words) && !text.contains("  ");
    !text.is_empty() && is_ordinary(text) && (text.is_ascii() || is_ordinary(&proto(text)))
}

/// `Default_Ignorable_Code_Point` of Unicode's `DerivedCoreProperties.txt`, as far as not of category Format; and the
/// blank Braille pattern.
const INVISIBLE: [RangeInclusive<char>; 10] = [
    '\u{34f}'..='\u{34f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{2065}'..='\u{2065}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{e0000}'..='\u{e0fff}',
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<Name, NameError> {
        Name::parse(text, 489)
    }

    #[test]
    fn shown_as_typed_and_trimmed() {
        for (typed, shown) in
            [("alan", "alan"), ("  Ana Maria ", "Ana Maria"), ("Jose\u{301}", "José"), ("/x", "/x")]
        {
            assert_eq!(name(typed).unwrap().as_str(), shown);
        }
    }

    #[test]
    fn what_looks_like_a_separator_is_refused() {
        for (separators, like) in [("│｜∣⎮❘￨┃╎║¦ǀǁ‖∥।॥⏐▏￤", "|"), ("،，‚、､﹐︐⸲⹁٫᠂ꓹ", ",")]
        {
            for separator in separators.chars() {
                let refused = name(&format!("server {separator} all")).unwrap_err();
                let why = format!(
                    "A name must not hold the character {separator} (U+{:04X}) because it looks like {like}, which separates \
                     fields or names",
                    u32::from(separator)
                );
                assert_eq!(refused.to_string(), why);
            }
        }
        for fine in [
            "O'Brien",
            "Ana-Maria",
            "a/b",
            "x:y",
            "Iolanda",
            "l33t",
            "1",
            "Napoleon I",
            "李丨",
            "ㅣ",
            "a·b",
            "«a»",
            "٣",
        ] {
            assert!(name(fine).is_ok(), "{fine}");
        }
        for field in [
            "server l all clients l broadcast",
            "SERVER I x",
            "sеrver ӏ all clients",
            "server ㅣ all",
            "server 丨 all",
            "client 1 x",
        ] {
            assert!(matches!(name(field), Err(NameError::LooksReserved(_))), "{field}");
        }
    }

    #[test]
    fn joiners_are_for_letters_that_join_and_are_not_compared() {
        let joined = name("علی\u{200c}رضا").unwrap();
        assert_eq!(joined.as_str(), "علی\u{200c}رضا");
        assert_eq!(joined.key(), name("علیرضا").unwrap().key());
        assert_eq!(*joined.key(), NameKey::of("علی\u{200c}رضا"));
        assert!(name("क्\u{200d}ष").is_ok());
        for (typed, column, code) in [
            ("ad\u{200c}min", 3, 0x200c),
            ("ad\u{200d}min", 3, 0x200d),
            ("علی\u{200c}", 4, 0x200c),
            ("\u{200c}علی", 1, 0x200c),
            ("علی\u{200d}رضا", 4, 0x200d),
            ("👩\u{200d}💻", 2, 0x200d),
        ] {
            assert_eq!(name(typed).unwrap_err(), NameError::Invisible { column, code }, "{typed:?}");
        }
    }

    #[test]
    fn marks_are_not_piled() {
        assert!(name(&format!("z{}", "\u{301}\u{316}\u{303}\u{323}")).is_ok());
        assert_eq!(
            name(&format!("z{}", "\u{301}\u{316}\u{303}\u{323}\u{308}")).unwrap_err(),
            NameError::PiledMarks
        );
    }

    #[test]
    fn the_same_name_in_other_letters() {
        for (one, other) in [
            ("Alan", "aLAN"),
            ("José", "JOSE\u{301}"),
            ("straße", "STRASSE"),
            ("ﬁm", "FIM"),
            ("ａｌａｎ", "alan"),
            ("Ana  Maria", "ana maria"),
            ("Zoë   Ø", "zoë ø"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ] {
            assert_eq!(name(one).unwrap().key(), name(other).unwrap().key(), "{one} {other}");
        }
        assert_ne!(name("jose").unwrap().key(), name("josé").unwrap().key());
    }

    #[test]
    fn a_key_is_made_of_no_more_than_a_name_can_be() {
        let decomposed = "e\u{301}".repeat(32);
        assert_eq!(NameKey::of(&decomposed.to_uppercase()), *name(&"é".repeat(32)).unwrap().key());
        let long = "É".repeat(33);
        assert_eq!(*NameKey::of(&long).0, *long);
        // A key can be longer than a name: 18 characters look like one here.
        let key = name(&"ﷺ".repeat(32)).unwrap().key().clone();
        assert_eq!(NameKey::of(&key.0), key);
    }

    #[test]
    fn every_rule_refuses() {
        let long = "x".repeat(33);
        for (typed, why) in [
            ("", NameError::Empty),
            ("   ", NameError::Empty),
            (&long, NameError::TooLong(33)),
            ("a|b", NameError::Separator('|')),
            ("a,b", NameError::Separator(',')),
            ("a\u{200b}b", NameError::Invisible { column: 2, code: 0x200b }),
            ("\u{202e}evil", NameError::Invisible { column: 1, code: 0x202e }),
            ("a\u{1b}b", NameError::Invisible { column: 2, code: 0x1b }),
            ("a\u{9b}b", NameError::Invisible { column: 2, code: 0x9b }),
            ("alan\u{fe0f}", NameError::Invisible { column: 5, code: 0xfe0f }),
            ("al\u{115f}an", NameError::Invisible { column: 3, code: 0x115f }),
            ("\u{3164}", NameError::Invisible { column: 1, code: 0x3164 }),
            ("\u{2800}", NameError::Invisible { column: 1, code: 0x2800 }),
            ("\u{301}alan", NameError::LeadingMark(0x301)),
            ("\u{20dd}", NameError::LeadingMark(0x20dd)),
            ("Ana\u{a0}Maria", NameError::Invisible { column: 4, code: 0xa0 }),
            ("server", NameError::Reserved("server")),
            ("SERVER", NameError::Reserved("server")),
            ("ｓｅｒｖｅｒ", NameError::Reserved("server")),
            ("Client", NameError::Reserved("client")),
            ("all clients", NameError::Reserved("all clients")),
            ("All   Clients", NameError::Reserved("all clients")),
            ("new_client: bob", NameError::Reserved("new_client:")),
        ] {
            assert_eq!(name(typed).unwrap_err(), why, "{typed}");
        }
        for (typed, why) in [
            ("ѕerver", "ѕerver has Cyrillic ѕ; it looks like server, which is reserved"),
            ("ЅERVER", "ЅERVER has Cyrillic Ѕ; it looks like server, which is reserved"),
            ("cIient", "cIient looks like client, which is reserved: I looks like l"),
            ("c1ient", "c1ient looks like client, which is reserved: 1 looks like l"),
            ("a11 CIients", "a11 CIients looks like all clients, which is reserved: 11 CI looks like ll cl"),
            ("all  сlients", "all  сlients has Cyrillic с; it looks like all clients, which is reserved"),
            (
                "nеw_client: bob",
                "nеw_client: bob has Cyrillic е; it looks like new_client:, which is reserved",
            ),
            (
                "new_c1ient\u{2236}x",
                "new_c1ient\u{2236}x looks like new_client:, which is reserved: 1ient\u{2236}x looks like lient:",
            ),
        ] {
            let refused = name(typed).unwrap_err();
            assert!(matches!(refused, NameError::LooksReserved(_)), "{typed}");
            assert_eq!(refused.to_string(), why);
        }
        assert_eq!(name(&"é".repeat(32)).unwrap().as_str().chars().count(), 32);
        assert_eq!(Name::parse("abcdefghij", max_bytes(64)).unwrap_err(), NameError::TooManyBytes(9));
    }

    proptest::proptest! {
        #[test]
        fn keys_are_stable(text in "\\PC{0,20}") {
            let key = NameKey::of(&text);
            proptest::prop_assert_eq!(&NameKey::of(&key.0), &key);
            proptest::prop_assert_eq!(&NameKey::of(&text.nfd().collect::<String>()), &key);
        }

        #[test]
        fn a_valid_name_can_stand_in_a_message(text in ".{0,40}") {
            if let Ok(name) = name(&text) {
                proptest::prop_assert!(!name.as_str().contains(['|', ',', '\n', '\r']));
                proptest::prop_assert!(!name.as_str().chars().any(char::is_control));
                let again = Name::parse(name.as_str(), 489).unwrap();
                proptest::prop_assert_eq!(again.key(), name.key());
            }
        }
    }
}
