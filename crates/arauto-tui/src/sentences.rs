//! [`sentence`], [`without_codes`]: words of other parts of the program, made fit for a reader. No IO.

/// Begins a text with a capital letter. Not for texts that may begin with a name.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// Removes the numbers that the standard library writes behind the system's errors: ` (os error 111)`. Not for texts
/// that may hold a name: a name without its end is another name.
pub fn without_codes(text: &str) -> String {
    const BEGIN: &str = " (os error ";
    let mut parts = text.split(BEGIN);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(after) = after.strip_prefix(')').filter(|_| after.len() < part.len()) {
            kept += after;
        } else {
            kept += BEGIN;
            kept += part;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_with_a_capital() {
        for (text, said) in
            [("the text", "The text"), ("The text", "The text"), ("9 lives", "9 lives"), ("", "")]
        {
            assert_eq!(sentence(text), said);
        }
    }

    #[test]
    fn numbers_of_errors_are_left_out() {
        for (text, said) in [
            ("Connection refused (os error 111)", "Connection refused"),
            ("a (os error 1); b (os error 2)!", "a; b!"),
            ("x (os error )", "x (os error )"),
            ("x (os error 1", "x (os error 1"),
            ("x (os error 7 (os error 8)", "x (os error 7"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_codes(text), said);
        }
    }
}
