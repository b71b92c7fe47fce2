//! [`fold`]: drops what does not tell two names apart, compatibility forms and upper and lower case.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// The text in NFKC and Unicode case folding, without blanks at its ends. Folding what is folded changes nothing.
pub(super) fn fold(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Folding can undo a normalization and the other way round; twice reaches a fixed point
    // (Unicode Standard, section 3.13, compatibility caseless match).
    let folded: String = text.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect::<String>();
    match folded.trim() {
        trimmed if trimmed.len() == folded.len() => folded,
        trimmed => trimmed.to_owned(),
    }
}
