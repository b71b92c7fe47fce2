//! [`Roll`]: collects the names of a list of clients part by part, in bounded memory. No IO.

/// Maximum number of names kept; more than a server has sessions.
pub const MAX_NAMES: usize = 65_536;

/// Maximum size of all names together, in bytes: 128 each, the longest that Arauto allows, for all of [`MAX_NAMES`].
pub const MAX_BYTES: usize = 128 * MAX_NAMES;

/// Maximum number of bytes kept of one name. Arauto's names have at most 128.
const MAX_NAME_BYTES: usize = 256;

/// Names, in the order received.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    names: Vec<String>,
    bytes: usize,
    is_full: bool,
}

impl Roll {
    /// Adds names, each cut to 256 bytes. Names beyond the limits are left out, see [`Self::is_full`].
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

    /// Removes names.
    pub fn remove(&mut self, names: &[&str]) {
        self.names.retain(|name| !names.contains(&name.as_str()));
        self.bytes = self.names.iter().map(String::len).sum();
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether names were left out. No server has that many users.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the names.
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
