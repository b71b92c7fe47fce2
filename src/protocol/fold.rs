//! [`fold`]: drops what does not tell two names apart: compatibility forms, upper and lower case, joiners, how many blanks.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use crate::joiners;

/// The text without joiners, in NFKC and Unicode case folding, with one blank for several and none at its ends. Folding what is folded
/// changes nothing.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return with_single_blanks(&text.to_ascii_lowercase());
    }
    // Folding can undo a normalization and the other way round; twice reaches a fixed point
    // (Unicode Standard, section 3.13, compatibility caseless match).
    // Joiners change how letters are drawn, not which they are.
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
