//! [`is_needed`]: which invisible characters a text needs for correct spelling or drawing.
//!
//! Invisible characters can make two texts look the same, hide what a text says, or harm a terminal. But Persian and
//! several scripts of India are misspelt without joiners, and emoji sequences fall apart. So each character is judged
//! by its neighbours:
//!
//! - zero width non-joiner and joiner: by the rules of RFC 5892, appendix A.1 and A.2 ([`is_join_control`]); a joiner
//!   is also needed after a joining letter at the end of a Persian abbreviation;
//! - joiner, variation selectors, tags: within an emoji sequence as UTS 51 describes them;
//! - variation selectors of Han and Mongolian letters.
//!
//! Messages are checked by the same rules for emoji and flags, and by wider ones for the rest
//! ([`crate::hidden`]).

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{ExtendedPictographic, JoiningType},
};
use unicode_normalization::char::canonical_combining_class;
use unicode_script::{Script, UnicodeScript};

/// The zero width non-joiner.
pub const NON_JOINER: char = '\u{200c}';
/// The zero width joiner.
pub const JOINER: char = '\u{200d}';

/// The variation selector that requests emoji style.
const EMOJI_SELECTOR: char = '\u{fe0f}';
/// The variation selector that requests text style.
const TEXT_SELECTOR: char = '\u{fe0e}';
/// The base character of tag flags (England, Scotland, Wales).
const BLACK_FLAG: char = '\u{1f3f4}';
/// The tag that ends a tag flag.
const LAST_TAG: char = '\u{e007f}';
/// Allowed number of tags before [`LAST_TAG`]: a country and up to three letters or digits.
const TAGS: std::ops::RangeInclusive<usize> = 3..=6;

/// The canonical combining class of a virama, which joins two letters into one (Unicode Standard, section 4.3).
const VIRAMA: u8 = 9;

/// Whether the text needs the invisible character `c` between `before` and `after`.
///
/// ```
/// use arauto_protocol::joiners::{JOINER, NON_JOINER, is_needed};
///
/// assert!(is_needed("می", NON_JOINER, "خواهم"));
/// assert!(is_needed("👩", JOINER, "💻"));
/// assert!(!is_needed("ad", JOINER, "min"));
/// ```
#[must_use]
pub fn is_needed(before: &str, c: char, after: &str) -> bool {
    match c {
        NON_JOINER => is_join_control(before, c, after),
        JOINER => {
            is_join_control(before, c, after)
                || joins_next(before.chars().rev())
                || joins_emoji(before, after)
        }
        TEXT_SELECTOR | EMOJI_SELECTOR => before.chars().next_back().is_some_and(|base| {
            let is_keycap = matches!(base, '0'..='9' | '#' | '*') && after.starts_with('\u{20e3}');
            is_keycap || is_pictograph(base)
        }),
        '\u{e0020}'..='\u{e007f}' => is_flag(before, c, after),
        '\u{e0100}'..='\u{e01ef}' => has_script(before, Script::Han),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => has_script(before, Script::Mongolian),
        _ => false,
    }
}

/// Whether a joiner or non-joiner stands where RFC 5892, appendix A, allows it.
#[must_use]
pub fn is_join_control(before: &str, c: char, after: &str) -> bool {
    if before.chars().next_back().is_some_and(|c| canonical_combining_class(c) == VIRAMA) {
        return true;
    }
    c == NON_JOINER && joins_next(before.chars().rev()) && joins_previous(after.chars())
}

/// Whether a joiner between `before` and `after` combines two emoji into one.
#[must_use]
pub fn joins_emoji(before: &str, after: &str) -> bool {
    is_emoji_end(before) && after.chars().next().is_some_and(is_pictograph)
}

/// Removes joiners and non-joiners from a text.
#[must_use]
pub fn without_join_controls(text: &str) -> String {
    text.replace([NON_JOINER, JOINER], "")
}

/// Whether a visible character is drawn together with the text before it: an emoji behind a joiner, a skin tone, the
/// second half of a flag. `before` holds only what is drawn in that one place.
#[must_use]
pub fn continues(before: &str, c: char) -> bool {
    if is_half_flag(c) {
        return before.chars().rev().take_while(|c| is_half_flag(*c)).count() % 2 == 1;
    }
    if is_skin_tone(c) {
        return before.chars().next_back().is_some_and(is_pictograph);
    }
    is_pictograph(c) && before.strip_suffix(JOINER).is_some_and(is_emoji_end)
}

fn is_pictograph(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<ExtendedPictographic>().contains(c)
}

/// Whether a character sets the skin tone of the emoji before it.
fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Whether a character is half of a flag (a regional indicator).
fn is_half_flag(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

fn joining_type(c: char) -> JoiningType {
    CodePointMapData::<JoiningType>::new().get(c)
}

/// Matches `(L|D)(T)*`, read backwards: a letter that joins the next letter, below marks.
fn joins_next(backwards: impl Iterator<Item = char>) -> bool {
    let letter = backwards.map(joining_type).find(|kind| *kind != JoiningType::Transparent);
    matches!(letter, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
}

/// Matches `(T)*(R|D)`: a letter that joins the previous letter.
fn joins_previous(chars: impl Iterator<Item = char>) -> bool {
    let letter = chars.map(joining_type).find(|kind| *kind != JoiningType::Transparent);
    matches!(letter, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// Whether a text ends with an emoji, including its selector, skin tone or tags.
fn is_emoji_end(text: &str) -> bool {
    let is_behind =
        |c: &char| *c == EMOJI_SELECTOR || is_skin_tone(*c) || matches!(c, '\u{e0020}'..='\u{e007f}');
    text.chars().rev().find(|c| !is_behind(c)).is_some_and(is_pictograph)
}

/// Whether a tag belongs to a complete tag flag.
#[must_use]
pub fn is_flag(before: &str, c: char, after: &str) -> bool {
    let is_tag = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    // Looking at one tag more than the maximum decides it, however long the run is.
    let enough = TAGS.end() + 1;
    let earlier = before.chars().rev().take_while(is_tag).take(enough).count();
    let base = before.chars().rev().nth(earlier);
    let (later, last) = if c == LAST_TAG {
        (0, Some(LAST_TAG))
    } else if is_tag(&c) {
        let later = after.chars().take_while(is_tag).take(enough).count();
        (later + 1, after.chars().nth(later))
    } else {
        return false;
    };
    base == Some(BLACK_FLAG) && last == Some(LAST_TAG) && TAGS.contains(&(earlier + later))
}

fn has_script(before: &str, script: Script) -> bool {
    before.chars().next_back().is_some_and(|c| c.script() == script)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The invisible characters of a text, each with whether it is needed.
    fn judged(text: &str) -> Vec<(char, bool)> {
        let is_judged = |c: char| {
            matches!(
                c,
                NON_JOINER | JOINER | TEXT_SELECTOR | EMOJI_SELECTOR | '\u{e0020}'..='\u{e01ef}' | '\u{180b}'
            )
        };
        let places = text.char_indices().filter(|(_, c)| is_judged(*c));
        places.map(|(at, c)| (c, is_needed(&text[..at], c, &text[at + c.len_utf8()..]))).collect()
    }

    #[test]
    fn what_scripts_and_emoji_need_is_left() {
        for text in [
            "علی\u{200c}رضا",
            "می\u{200c}خواهم",
            "ه\u{200d}.ق",
            "क्\u{200d}ष",
            "ക്\u{200c}ഷ",
            "👩\u{200d}💻",
            "👩🏽\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "🏳\u{fe0f}\u{200d}🌈",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "葛\u{e0100}",
            "ᠠ\u{180b}",
        ] {
            let judged = judged(text);
            assert!(!judged.is_empty() && judged.iter().all(|(_, needed)| *needed), "{text:?}: {judged:?}");
        }
    }

    #[test]
    fn what_is_drawn_in_one() {
        for (before, c, is_one) in [
            ("👩\u{200d}", '💻', true),
            ("👩🏽\u{200d}", '💻', true),
            ("a\u{200d}", '💻', false),
            ("👩", '💻', false),
            ("👩", '🏽', true),
            ("a", '🏽', false),
            ("🇵", '🇹', true),
            ("🇵🇹", '🇧', false),
            ("", '🇧', false),
            ("👩\u{200d}", 'a', false),
        ] {
            assert_eq!(continues(before, c), is_one, "{before:?} {c:?}");
        }
    }

    #[test]
    fn what_hides_is_not() {
        for text in [
            "ad\u{200d}min",
            "ad\u{200c}min",
            "\u{200c}علی",
            "علی\u{200c}",
            "علی\u{200c} رضا",
            "رضا\u{200c}علی\u{200c}",
            "👩\u{200d}a",
            "a\u{200d}👩",
            "a\u{fe0f}",
            "1\u{fe0f}",
            "\u{fe0f}",
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e007f}",
            "x\u{e0061}\u{e0062}\u{e0063}\u{e007f}",
            "a\u{e0100}",
            "a\u{180b}",
        ] {
            let judged = judged(text);
            assert!(judged.iter().any(|(_, needed)| !needed), "{text:?}: {judged:?}");
        }
    }
}
