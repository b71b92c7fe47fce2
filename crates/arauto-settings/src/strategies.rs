//! Strategies of proptest for the tests of this crate and, with the feature `proptest`, of other crates.

use proptest::prelude::*;

/// Arbitrary text with many unsafe characters: proptest's own strings have no control characters.
pub fn anything() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(
        &['\0', '\n', '\r', '\t', '\u{1b}', '\u{9b}', '\\', '"', ',', '\u{202e}', '\u{2028}'][..],
    );
    prop::collection::vec(prop_oneof![any::<char>(), nasty, prop::char::range(' ', '~')], 0..40)
        .prop_map(String::from_iter)
}
