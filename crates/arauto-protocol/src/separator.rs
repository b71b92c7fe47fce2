//! [`separator_like`]: finds characters that look like the separators of fields and names.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

use super::look::proto;

/// The separator, `|` or `,`, that a character looks like. `None` if it looks like neither, or is ASCII.
///
/// Unicode's table of confusable characters maps a pipe to a small `l`, as it does `I` and `1`. Other characters that
/// it maps to `l` count as a pipe only if they are neither letters nor digits. The vertical lines in [`LINES`], which
/// the table lacks, count too.
#[must_use]
pub(crate) fn separator_like(c: char) -> Option<&'static str> {
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

/// Vertical lines that Unicode's table of confusable characters does not map to a pipe, or that are letters.
const LINES: [RangeInclusive<char>; 31] = [
    '\u{a6}'..='\u{a6}',
    // Latin letters for clicks.
    '\u{1c0}'..='\u{1c1}',
    // Danda and double danda.
    '\u{964}'..='\u{965}',
    '\u{2016}'..='\u{2016}',
    '\u{2223}'..='\u{2226}',
    // Parts of tall brackets, and line extensions.
    '\u{239c}'..='\u{239c}',
    '\u{239f}'..='\u{239f}',
    '\u{23a2}'..='\u{23a2}',
    '\u{23a5}'..='\u{23a5}',
    '\u{23aa}'..='\u{23aa}',
    '\u{23ae}'..='\u{23ae}',
    '\u{23b8}'..='\u{23b9}',
    '\u{23d0}'..='\u{23d0}',
    '\u{23fd}'..='\u{23fd}',
    // Box drawing: vertical lines, whole, dashed, heavy, double and half.
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
    // Vertical dashes, halfwidth and fullwidth forms.
    '\u{fe31}'..='\u{fe34}',
    '\u{ffe4}'..='\u{ffe4}',
    '\u{ffe8}'..='\u{ffe8}',
];

/// Commas of other scripts that Unicode's table does not map to a comma.
const COMMAS: [char; 15] = [
    '\u{55d}', '\u{60c}', '\u{66b}', '\u{7f8}', '\u{1363}', '\u{1802}', '\u{1808}', '\u{2e32}', '\u{2e34}',
    '\u{2e41}', '\u{2e49}', '\u{3001}', '\u{a4fe}', '\u{a60d}', '\u{ff64}',
];
