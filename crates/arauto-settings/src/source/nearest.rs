//! Finds the known name that a mistyped one probably meant.

/// Lowest similarity of a likely typo; below it, two names merely share letters.
const LIKELY: f64 = 0.6;

/// The known name of which `typed` is a likely typo, if there is one.
pub fn likely<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (name, likeness(typed, name)))
        .filter(|(_, likeness)| *likeness >= LIKELY)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(name, _)| name)
}

/// The known name most similar to `typed`, however different. `None` only if there are no names.
pub fn nearest(typed: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known.max_by(|one, other| likeness(typed, one).total_cmp(&likeness(typed, other)))
}

fn likeness(typed: &str, known: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&typed.to_lowercase(), &known.to_lowercase())
}

/// Joins names with commas for an error message.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised() {
        let known = ["listen", "workers", "drain_timeout"];
        for (typed, meant) in [
            ("worker", "workers"),
            ("listne", "listen"),
            ("drain-timeout", "drain_timeout"),
            ("LISTEN", "listen"),
        ] {
            assert_eq!(likely(typed, known.into_iter()), Some(meant), "{typed}");
        }
        assert_eq!(likely("colour", known.into_iter()), None);
    }

    #[test]
    fn there_is_always_a_nearest() {
        let known = ["ARAUTO_LOG_LEVEL", "ARAUTO_LOG_FORMAT"].map(str::to_owned);
        assert_eq!(
            nearest("ARAUTO_LOGLEVEL", known.clone().into_iter()).as_deref(),
            Some("ARAUTO_LOG_LEVEL")
        );
        assert!(nearest("", known.into_iter()).is_some());
    }
}
