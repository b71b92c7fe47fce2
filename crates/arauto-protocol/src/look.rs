//! [`Looks`]: how a name looks to a reader, and descriptions of why two names look the same.
//!
//! Unicode's table of confusable characters (UTS 39) gives each character a prototype: Cyrillic `а` has Latin `a`, the
//! digits `0` and `1` have `O` and `l`, `m` has `rn`. The skeleton of a text is the text with all characters replaced
//! by their prototypes; texts with the same skeleton look the same.

use std::{fmt::Write, sync::Arc};

use icu_properties::{CodePointSetData, props::SoftDotted};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};
use unicode_security::confusable_detection::skeleton;

use super::fold::fold;

/// A look of a name. A reader cannot tell two names apart that share a look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Look(Arc<str>);

/// All looks of a name: one to four.
///
/// The first is made from the folded name, so that names that differ in case or form share a look. But a capital letter
/// can look like another letter than its small form: capital `I` looks like `l`, and Cyrillic `В` looks like `B`
/// although `в` does not look like `b`. So the second is made from the name as it is shown.
///
/// A name with marks that a reader may not see has both looks once more without those marks (UTS 39, section 5.4): a
/// dot over an `i`, a stroke through a letter, a repeated mark.
///
/// ```
/// use arauto_protocol::{Look, Name};
///
/// // The second name begins with Cyrillic letters.
/// let (paul, other) = (Name::parse("paul", 489)?, Name::parse("раul", 489)?);
/// assert_ne!(paul.key(), other.key());
///
/// let looks = paul.looks();
/// let shared: Vec<&Look> = looks.iter().collect();
/// assert!(other.looks().iter().any(|look| shared.contains(&look)));
/// assert_eq!(other.resemblance(&paul), "раul has Cyrillic р, а; it looks like paul, who is here");
/// # Ok::<(), arauto_protocol::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Looks {
    folded: Look,
    /// Omitted if it equals `folded`.
    shown: Option<Look>,
    /// Both looks without marks that a reader may not see. Looks that equal another are omitted.
    bare: Vec<Look>,
}

/// Stands for what looks like a small `l`, in the look of a name as it is shown. A capital `L` does not look like it,
/// so `Ian` is not confused with `Lan`. No name holds this character.
const SMALL_L: char = '\u{1}';
/// Stands for a capital `L` while such a look is made.
const CAPITAL_L: char = '\u{2}';

/// A mark that is drawn as a dot, where it is visible.
const DOT_ABOVE: char = '\u{307}';
/// The canonical combining class of marks drawn through a letter: strokes and tildes.
const OVERLAY: u8 = 1;
/// The canonical combining class of marks drawn above a letter, where they replace its dot.
const ABOVE: u8 = 230;

/// Bound on the rounds of [`settled`]. No character of Unicode needs more than 3 until its look is stable.
const MAX_ROUNDS: usize = 8;

impl Looks {
    /// The looks of a name that is shown as `shown` and has the folded form `key`.
    pub(crate) fn of(shown: &str, key: &Arc<str>) -> Self {
        let folded = if is_plain(key, b"01m\"%`|") { Arc::clone(key) } else { settled(key, proto).into() };
        if is_plain(shown, b"1Il|") {
            return Self { folded: Look(folded), shown: None, bare: Vec::new() };
        }
        let bare_name = bare(shown);
        let shown = settled(shown, proto_as_shown).replace(CAPITAL_L, "l");
        let shown = (*shown != *folded).then(|| Look(shown.into()));
        let mut looks = Self { folded: Look(folded), shown, bare: Vec::new() };
        let bare_key = bare(key);
        let bares = [
            bare_key.as_ref().map(|key| settled(key, bare_proto)),
            bare_name.as_ref().map(|name| settled(name, bare_proto_as_shown).replace(CAPITAL_L, "l")),
        ];
        for look in bares.into_iter().flatten().map(|look| Look(look.into())) {
            if looks.iter().all(|other| *other != look) {
                looks.bare.push(look);
            }
        }
        looks
    }

    /// All looks, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Look> {
        std::iter::once(&self.folded).chain(&self.shown).chain(&self.bare)
    }
}

impl Look {
    /// The look spelt with ordinary letters.
    pub(crate) fn spelt(&self) -> String {
        self.0.replace(SMALL_L, "l")
    }
}

/// Whether a text is ASCII and holds none of the characters `but`.
fn is_plain(text: &str, but: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !but.contains(&byte))
}

/// Replaces all characters by their prototypes and folds the text, until nothing changes.
fn settled(text: &str, look: fn(&str) -> String) -> String {
    let mut text = text.to_owned();
    for _ in 0..MAX_ROUNDS {
        let next = fold(&look(&text));
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// Replaces all characters by their prototypes, once.
pub(crate) fn proto(text: &str) -> String {
    skeleton(text).collect()
}

fn proto_as_shown(text: &str) -> String {
    let mark = |c| match c {
        'l' => SMALL_L,
        'L' => CAPITAL_L,
        other => other,
    };
    skeleton(text).map(mark).collect()
}

fn bare_proto(text: &str) -> String {
    let look = proto(text);
    without_hidden_dots(&look).unwrap_or(look)
}

fn bare_proto_as_shown(text: &str) -> String {
    let look = proto_as_shown(text);
    without_hidden_dots(&look).unwrap_or(look)
}

/// Removes marks that a reader may not see. `None` if there are none.
///
/// A letter such as `ø`, which has its stroke by itself, is kept, although Unicode's table treats it as an `o` with a
/// stroke over it: readers do not confuse the two.
fn bare(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut bare = String::with_capacity(text.len());
    let mut before = None;
    for c in text.nfd() {
        let is_again = is_mark(c) && before == Some(c);
        if !is_again && canonical_combining_class(c) != OVERLAY {
            bare.push(c);
        }
        before = Some(c);
    }
    let bare = without_hidden_dots(&bare).unwrap_or(bare).nfc().collect::<String>();
    (bare != text.nfc().collect::<String>()).then_some(bare)
}

/// Removes dots over letters that have a dot, such as `i` and `j`, or that lack one and look alike (`ı`). `None` if
/// there are no dots above.
fn without_hidden_dots(text: &str) -> Option<String> {
    if !text.nfd().any(|c| c == DOT_ABOVE) {
        return None;
    }
    let mut seen = String::with_capacity(text.len());
    // Whether a dot above would be hidden by the letter before: by its own dot, with no other mark above in between.
    let mut hides = false;
    for c in text.nfd() {
        if c == DOT_ABOVE && hides {
            continue;
        }
        hides = match canonical_combining_class(c) {
            0 => has_dot(c),
            ABOVE => false,
            _ => hides,
        };
        seen.push(c);
    }
    Some(seen.nfc().collect())
}

/// Whether a character is drawn together with the one before it.
#[must_use]
pub fn is_mark(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    !c.is_ascii() && matches!(c.general_category(), EnclosingMark | NonspacingMark | SpacingMark)
}

/// Whether a letter has a dot, or is taken for one that has.
fn has_dot(c: char) -> bool {
    matches!(c, 'ı' | 'ȷ') || CodePointSetData::new::<SoftDotted>().contains(c)
}

/// Describes why a name looks like another: `раul has Cyrillic р, а; it looks like paul, who is here`. `state` is the
/// other name's status, such as `who is here`.
pub(crate) fn resemblance(name: &str, other: &str, state: &str) -> String {
    let (ours, theirs) = (foreign_letters(name, other), foreign_letters(other, name));
    if !ours.is_empty() {
        return format!("{name} has {ours}; it looks like {other}, {state}");
    }
    if !theirs.is_empty() {
        return format!("{name} looks like {other}, {state} and has {theirs}");
    }
    match difference(name, other) {
        Some((ours, theirs)) => format!("{name} looks like {other}, {state}: {ours} looks like {theirs}"),
        None => format!("{name} looks like {other}, {state}"),
    }
}

/// The letters of a name in scripts that the other name does not use: `Cyrillic р, а and Greek ο`.
fn foreign_letters(name: &str, other: &str) -> String {
    let mut scripts: Vec<(Script, Vec<char>)> = Vec::new();
    for c in name.chars() {
        let script = c.script();
        if matches!(script, Script::Common | Script::Inherited | Script::Unknown)
            || other.chars().any(|c| c.script() == script)
        {
            continue;
        }
        match scripts.iter_mut().find(|(known, _)| *known == script) {
            Some((_, letters)) if letters.contains(&c) => {}
            Some((_, letters)) => letters.push(c),
            None => scripts.push((script, vec![c])),
        }
    }
    let mut words = String::new();
    for (script, letters) in scripts {
        let and = if words.is_empty() { "" } else { " and " };
        // Writing to a string cannot fail.
        let _ = write!(words, "{and}{}", script.full_name().replace('_', " "));
        for (place, letter) in letters.into_iter().enumerate() {
            let _ = write!(words, "{}{letter}", if place == 0 { " " } else { ", " });
        }
    }
    words
}

/// The parts of two names that remain without their common beginning and end, if both parts are not empty.
fn difference<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let same = |(a, b): &(char, char)| a == b || fold(&a.to_string()) == fold(&b.to_string());
    let bytes = |common: Vec<(char, char)>| -> (usize, usize) {
        common.into_iter().fold((0, 0), |(a, b), (c, d)| (a + c.len_utf8(), b + d.len_utf8()))
    };
    let start = bytes(one.chars().zip(other.chars()).take_while(same).collect());
    let (one, other) = (&one[start.0..], &other[start.1..]);
    let end = bytes(one.chars().rev().zip(other.chars().rev()).take_while(same).collect());
    let (one, other) = (&one[..one.len() - end.0], &other[..other.len() - end.1]);
    (!one.is_empty() && !other.is_empty()).then_some((one, other))
}

#[cfg(test)]
mod tests;
