//! [`Roll`]: names of a list of clients, as its parts come, in bounded memory. No IO.

/// The most names that are kept; more than a server has sessions.
pub const MAX_NAMES: usize = 65_536;

/// The most bytes that all names together have: 128 each, which is the longest of Arauto's, for all of [`MAX_NAMES`].
pub const MAX_BYTES: usize = 128 * MAX_NAMES;

/// The most bytes of one name that are kept. Arauto's have at most 128.
const MAX_NAME_BYTES: usize = 256;

/// Names, in the order in which they came.
#[derive(Debug, Default)]
pub struct Roll {
    names: Vec<String>,
    bytes: usize,
    is_full: bool,
}

impl Roll {
    /// Adds names, each cut to 256 bytes. Names that are too many are left out, see [`Self::is_full`].
    pub fn add(&mut self, names: &[&str]) {
        for name in names {
            let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
            if self.names.len() == MAX_NAMES || self.bytes + name.len() > MAX_BYTES {
                self.is_full = true;
                return;
            }
            self.bytes += name.len();
            self.names.push(name.to_owned());
        }
    }

    /// Whether names were left out: no server has so many users.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The names, for another owner.
    #[must_use]
    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_is_cut() {
        let mut roll = Roll::default();
        let names: Vec<String> = (0..MAX_NAMES).map(|number| number.to_string()).collect();
        roll.add(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!roll.is_full());
        roll.add(&["one more"]);
        assert!(roll.is_full());
        assert_eq!(roll.into_names(), names);
    }

    #[test]
    fn long_names_take_no_more() {
        let mut roll = Roll::default();
        let long = "é".repeat(100_000);
        while !roll.is_full() {
            roll.add(&[&long]);
        }
        let names = roll.into_names();
        assert_eq!(names.len(), MAX_BYTES / MAX_NAME_BYTES);
        assert_eq!(names[0], "é".repeat(MAX_NAME_BYTES / 2));
    }
}
