//! [`Name`]: a user's valid name, and [`NameKey`]: the form in which names are compared.

use std::{ops::RangeInclusive, sync::Arc};

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{
    fold::fold,
    look::{Looks, is_mark, proto, resemblance},
    separator::separator_like,
};
use crate::joiners;

/// Most characters of a name, after trimming.
pub const MAX_NAME_CHARS: usize = 32;

/// Most marks over one character, as UTS 39, section 5.4, advises. Readers do not notice one mark more or less in a
/// pile.
pub const MAX_MARKS: usize = 4;

/// Names that the protocol uses itself, folded.
const RESERVED: [&str; 3] = ["server", "client", "all clients"];

/// Prefix of DESTINATION when the server refuses a name; no name may begin with it.
pub const NEW_CLIENT: &str = "new_client:";

/// A valid name. Shown as it was typed, in NFC; compared by its [`NameKey`].
#[derive(Clone, Debug)]
pub struct Name {
    shown: Arc<str>,
    key: NameKey,
}

/// A name folded for comparison: NFKC, Unicode case folding, runs of blanks reduced to one.
///
/// Two names denote the same user if and only if their keys are equal. Two users also never have names that share a
/// [`Look`] at the same time, but a message is never delivered to a user whose name only looks like its DESTINATION.
///
/// [`Look`]: super::look::Look
///
/// ```
/// use arauto_protocol::{Name, NameKey};
///
/// let name = Name::parse("Ana  María", 489)?;
/// assert_eq!(*name.key(), NameKey::of("ana maría"));
/// assert_eq!(*name.key(), NameKey::of(" ANA MARI\u{301}A "));
/// assert_ne!(*name.key(), NameKey::of("ana maria"));
/// # Ok::<(), arauto_protocol::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NameKey(Arc<str>);

/// Why a text is not a name. The error text is sent to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty or holds only blanks.
    #[error("A name must not be empty")]
    Empty,
    /// The name has more than [`MAX_NAME_CHARS`] characters.
    #[error("A name has at most {MAX_NAME_CHARS} characters, and this one has {0}")]
    TooLong(usize),
    /// The name has more bytes than fit the server's messages. Occurs only if `limits.message_bytes` is small.
    #[error("A name has at most {0} bytes on this server, whose messages are short")]
    TooManyBytes(usize),
    /// The name holds an invisible character, such as a control or format character.
    #[error("A name must not hold control or invisible characters: character {column} is U+{code:04X}")]
    Invisible {
        /// The character's position, counted from 1.
        column: usize,
        /// The character's code point.
        code: u32,
    },
    /// The name begins with a combining mark, which would be drawn over the text before the name.
    #[error("A name must not begin with a combining mark: U+{0:04X}")]
    LeadingMark(u32),
    /// The name begins with `#` or `@`, or as if it did.
    #[error("A name must not begin with {first}, nor look as if it did, because {why}")]
    Marked {
        /// The mark.
        first: char,
        /// The other use of the mark.
        why: &'static str,
    },
    /// The name holds a `|` or `,`.
    #[error("A name must not hold the character {0} because it separates fields or names")]
    Separator(char),
    /// The name holds a character that looks like a `|` or `,`.
    #[error(
        "A name must not hold the character {separator} (U+{code:04X}) because it looks like {like}, which separates fields or names"
    )]
    LikeSeparator {
        /// The character.
        separator: char,
        /// The separator that it looks like.
        like: &'static str,
        /// The character's code point.
        code: u32,
    },
    /// The name has more than [`MAX_MARKS`] marks over one character.
    #[error("A name must not have more than {MAX_MARKS} marks over one character")]
    PiledMarks,
    /// The protocol uses this name itself.
    #[error("The name {0} is reserved")]
    Reserved(&'static str),
    /// The name looks like one that the protocol uses itself; the text says why.
    #[error("{0}")]
    LooksReserved(String),
}

impl Name {
    /// Validates a text as a name. `max_bytes` is the most that the message limit leaves for a name (see
    /// [`max_bytes`]).
    ///
    /// ```
    /// use arauto_protocol::{Name, NameError, name::max_bytes};
    ///
    /// let name = Name::parse("  Ana Maria ", max_bytes(1024))?;
    /// assert_eq!(name.as_str(), "Ana Maria");
    ///
    /// let refused = |text| Name::parse(text, max_bytes(1024)).unwrap_err();
    /// assert_eq!(refused("ana,bob"), NameError::Separator(','));
    /// assert_eq!(refused("SERVER"), NameError::Reserved("server"));
    /// assert_eq!(refused("ad\u{200b}min"), NameError::Invisible { column: 3, code: 0x200b });
    /// # Ok::<(), NameError>(())
    /// ```
    ///
    /// # Errors
    /// The rule that the text breaks.
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
        if most_marks(&shown) > MAX_MARKS {
            return Err(NameError::PiledMarks);
        }
        let key = NameKey::of(&shown);
        if let Some(reserved) = RESERVED.into_iter().find(|reserved| *key.0 == **reserved) {
            return Err(NameError::Reserved(reserved));
        }
        if key.0.starts_with(NEW_CLIENT) {
            return Err(NameError::Reserved(NEW_CLIENT));
        }
        let looks = Looks::of(&shown, &key.0);
        if let Some((first, why)) = mark(&key, &looks) {
            return Err(NameError::Marked { first, why });
        }
        if let Some(reserved) = reserved_look(&looks) {
            return Err(NameError::LooksReserved(resemblance(&shown, reserved, "which is reserved")));
        }
        // Most names equal their key; then both share one allocation.
        let key = if key.0 == shown { NameKey(Arc::clone(&shown)) } else { key };
        Ok(Self { shown, key })
    }

    /// A name that was validated before, with its key.
    #[cfg(feature = "serde")]
    pub(crate) fn checked(shown: Arc<str>, key: NameKey) -> Self {
        Self { shown, key }
    }

    /// The name as it was typed, in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The key that the name is compared by.
    #[must_use]
    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// The looks of the name. Computed at each call, which can take 0.5 ms.
    #[must_use]
    pub fn looks(&self) -> Looks {
        Looks::of(&self.shown, &self.key.0)
    }

    /// Why this name is confused with that of `other`, who is connected: `раul has Cyrillic р, а; it looks like paul,
    /// who is here`.
    #[must_use]
    pub fn resemblance(&self, other: &Self) -> String {
        resemblance(&self.shown, &other.shown, "who is here")
    }

    /// As [`Self::resemblance`], if `other` has an account and may not be connected.
    #[must_use]
    pub fn resemblance_to_account(&self, other: &Self) -> String {
        resemblance(&self.shown, &other.shown, "who has an account")
    }

    /// As [`Self::resemblance`], if `other` is banned.
    #[must_use]
    pub fn resemblance_to_banned(&self, other: &str) -> String {
        resemblance(&self.shown, other, "who is banned")
    }
}

impl NameKey {
    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of any text. If the text is no valid name, no user has its key.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        // Most texts equal their key. This path is taken for every private message.
        let is_ascii = text.is_ascii();
        if is_ascii && is_folded(text.as_bytes()) {
            return Self(text.into());
        }
        // A text with more characters than a name is not a name in any form, and folding a whole message would be slow.
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

/// Whether [`fold`] would keep an ASCII text as it is.
fn is_folded(text: &[u8]) -> bool {
    let mut before = b'.';
    text.iter().all(|byte| {
        let is_second_blank = before == b' ' && *byte == b' ';
        before = *byte;
        !is_second_blank && !byte.is_ascii_uppercase()
    })
}

/// The characters that no name begins with, and why.
const MARKS: [(char, &str); 2] = [('#', "# is kept for rooms"), ('@', "@ begins the number of a line")];

/// The mark that a name begins with, or seems to begin with.
fn mark(key: &NameKey, looks: &Looks) -> Option<(char, &'static str)> {
    let begins =
        |first: char| key.0.starts_with(first) || looks.iter().any(|look| look.spelt().starts_with(first));
    MARKS.into_iter().find(|(first, _)| begins(*first))
}

/// The reserved name that one of these looks imitates.
fn reserved_look(looks: &Looks) -> Option<&'static str> {
    looks.iter().find_map(|look| {
        // Strokes that are whole letters in Korean and Chinese.
        let look = look.spelt().replace(['\u{1175}', '\u{3163}', '\u{4e28}'], "l");
        let whole = RESERVED.into_iter().find(|reserved| look == **reserved);
        // A letter alone can look like the pipe between fields, as in `server l all clients l broadcast`.
        let first_field =
            || RESERVED.into_iter().find(|reserved| look.starts_with(&format!("{reserved} l ")));
        whole.or_else(first_field).or_else(|| look.starts_with(NEW_CLIENT).then_some(NEW_CLIENT))
    })
}

/// Most bytes of a name such that a list of clients fits into messages of `message_bytes`: the list names its receiver
/// in the header and at least one other user in DATA.
#[must_use]
pub fn max_bytes(message_bytes: usize) -> usize {
    const LIST_HEADER: usize = "server |  | list_clients | clients connected: ".len();
    message_bytes.saturating_sub(LIST_HEADER) / 2
}

/// Whether a character could move a cursor, change the writing direction, or be invisible: control and format
/// characters, line and paragraph separators, blanks other than the ordinary one, and the characters that Unicode
/// allows fonts to leave out.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, SpaceSeparator};
    // Most characters are ASCII, and need no table lookup, nor the table in memory.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    match c.general_category() {
        Control | Format | LineSeparator | ParagraphSeparator => true,
        SpaceSeparator => c != ' ',
        _ => INVISIBLE.iter().any(|range| range.contains(&c)),
    }
}

/// The first invisible character of a name that its script does not need: its position, counted from 1, and its code
/// point.
fn hidden(name: &str) -> Option<(usize, u32)> {
    let is_hidden = |(_, (at, c)): &(usize, (usize, char))| {
        let is_joiner = matches!(*c, joiners::JOINER | joiners::NON_JOINER);
        is_invisible(*c)
            && !(is_joiner && joiners::is_join_control(&name[..*at], *c, &name[at + c.len_utf8()..]))
    };
    name.char_indices().enumerate().find(is_hidden).map(|(place, (_, c))| (place + 1, u32::from(c)))
}

/// Number of marks over the character that has the most.
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

/// Whether a text consists of words only: letters, digits, marks, single blanks, and `-`, `_`, `.` and `'`. A character
/// that looks like another sign counts as that sign: some letters cannot be told from a colon.
#[must_use]
pub fn is_words(text: &str) -> bool {
    let is_of_words =
        |c: char| c.is_alphanumeric() || is_mark(c) || matches!(c, ' ' | '-' | '_' | '.' | '\'');
    let is_ordinary = |text: &str| text.chars().all(is_of_words) && !text.contains("  ");
    !text.is_empty() && is_ordinary(text) && (text.is_ascii() || is_ordinary(&proto(text)))
}

/// `Default_Ignorable_Code_Point` of Unicode's `DerivedCoreProperties.txt`, without those of category Format, and the
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
mod tests;
