//! [`fold`]: removes differences that do not distinguish names: compatibility forms, case, joiners, and the number of
//! blanks.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use crate::joiners;

/// Folds a text: removes joiners, applies NFKC and Unicode case folding, reduces runs of blanks to one, and trims it.
/// Folding a folded text changes nothing.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return with_single_blanks(&text.to_ascii_lowercase());
    }
    // Case folding can undo normalization and the other way round; doing both twice reaches a fixed point (Unicode
    // Standard, section 3.13, compatibility caseless match). Joiners are removed because they change how letters are
    // drawn, not which letters they are.
    let text = joiners::without_join_controls(text);
    let folded: String = text.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect::<String>();
    with_single_blanks(&folded)
}

fn with_single_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.trim().split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
