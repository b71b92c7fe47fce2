//! [`before_text`], [`in_sentence`]: quote names that could be taken for a name and some text. [`is_same`]: compares
//! names. No IO.
//!
//! A name may hold `:` and blanks: `ana: yes` could be taken for ana, saying yes. Such a name is shown in quotes, and
//! no text other than a quoted name begins with a quote in a name's place.

use std::borrow::Cow;

use arauto_protocol::{Name, name::is_words};

/// Returns a name for display before a colon or an arrow.
#[must_use]
pub fn before_text(name: &str) -> Cow<'_, str> {
    quoted_unless(is_words(name), name)
}

/// Returns a name for display within a sentence, whose words it could seem to continue: `ana left, and bob` joined.
#[must_use]
pub fn in_sentence(name: &str) -> Cow<'_, str> {
    quoted_unless(is_words(name) && !name.contains(char::is_whitespace), name)
}

/// Whether two names are equal by Arauto's rules. Names of other servers may break those rules, and are equal if
/// their text is.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    let key = |name| Name::parse(name, usize::MAX).ok().map(|name| name.key().clone());
    one == other || key(one).is_some_and(|one| Some(one) == key(other))
}

fn quoted_unless(is_clear: bool, name: &str) -> Cow<'_, str> {
    if is_clear { Cow::Borrowed(name) } else { Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_the_border_is_quoted() {
        for name in ["ana", "Ana Maria", "josé-2", "o'neil jr.", "a_b", "山田", "Ольга", "עברית", "สวัสดี", "é"]
        {
            assert_eq!(before_text(name), name);
        }
        // Beside the colon and the arrow: a letter, a mark and signs that look like a colon.
        for name in [
            "ana: yes",
            "ana → bob",
            "anaː yes",
            "anaः yes",
            "ana： yes",
            "ana∶ yes",
            "anaꓽ yes",
            "ana (yes)",
        ] {
            assert_eq!(before_text(name), format!("\"{name}\""));
        }
        assert_eq!(before_text("a\": hi"), "\"a\"\": hi\"");
        assert_eq!(before_text(""), "\"\"");
    }

    #[test]
    fn in_a_sentence_more_than_one_word_is_quoted() {
        assert_eq!(in_sentence("ana"), "ana");
        assert_eq!(in_sentence("ana left. bob"), "\"ana left. bob\"");
        assert_eq!(in_sentence("ana\u{a0}left"), "\"ana\u{a0}left\"");
    }

    #[test]
    fn names_are_compared_as_the_server_does() {
        for (one, other, are_same) in [
            ("ana", "ANA", true),
            ("ana", "\u{ff41}na", true),
            ("ana", "an", false),
            ("a|b", "a|b", true),
            ("a|b", "A|B", false),
        ] {
            assert_eq!(is_same(one, other), are_same, "{one} {other}");
        }
    }
}
