//! [`generated_name`]: generates a name for a client that asks one thing and leaves.

use std::fmt::Write;

/// Number of generated names that are tried if other clients hold them.
pub const MAX_TRIES: u32 = 5;

/// No two strings of these letters look the same: a server may refuse a name that looks like another.
const LETTERS: &[u8; 16] = b"abefghjkpqstuxyz";

/// Generates a name that is almost certainly free: eight random letters, 2^32 combinations. Without random numbers,
/// it uses the process id.
#[must_use]
pub fn generated_name() -> String {
    getrandom::u32().map_or_else(|_| format!("arauto-{}", std::process::id()), spelt)
}

fn spelt(mut random: u32) -> String {
    let mut name = "arauto-".to_owned();
    for _ in 0..u32::BITS / 4 {
        // Writing to a string cannot fail.
        let _ = write!(name, "{}", char::from(LETTERS[random as usize % LETTERS.len()]));
        random /= 16;
    }
    name
}

#[cfg(test)]
mod tests {
    use arauto_protocol::Name;

    use super::*;

    #[test]
    fn all_of_a_number_is_in_the_name() {
        assert_eq!(spelt(0), "arauto-aaaaaaaa");
        assert_eq!(spelt(0xf000_0010), "arauto-abaaaaaz");
        assert_eq!(generated_name().len(), "arauto-".len() + 8);
        assert_ne!(generated_name(), generated_name());
    }

    #[test]
    fn no_letter_looks_like_others() {
        let looks_like = |one: &Name, other: &Name| {
            let theirs = other.looks();
            one.looks().iter().any(|look| theirs.iter().any(|other| look == other))
        };
        let names: Vec<Name> = (0..=0xff).map(|number| Name::parse(&spelt(number), 32).unwrap()).collect();
        for (number, one) in names.iter().enumerate() {
            for other in &names[..number] {
                assert!(!looks_like(one, other), "{one} looks like {other}");
            }
        }
    }
}
