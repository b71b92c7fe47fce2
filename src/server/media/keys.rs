//! [`Keys`]: what lets people listen to one stream, and how many listen with each. Without IO.

use std::rc::Rc;

use super::shares::Share;
use crate::media::Key;

/// How many may be admitted to a stream: each who asks for it gets a key.
const MOST_KEYS: usize = 10_000;

/// Held by a listener for as long as it counts for its key, and for its address where that is counted.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "they count by being there")]
pub struct Hold(Rc<()>, Option<Share>);

impl Hold {
    /// The same, which counts for an address, too.
    #[must_use]
    pub fn with(self, share: Option<Share>) -> Self {
        Self(self.0, share)
    }
}

/// One key. Each who listens with it holds another of its `holders`; only [`Keys`] makes new ones.
#[derive(Debug)]
struct Known {
    key: Key,
    holders: Rc<()>,
}

/// The keys of one stream's listeners.
#[derive(Debug, Default)]
pub struct Keys(Vec<Known>);

/// Why nobody more may listen with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHold {
    /// It is none of these.
    Unknown,
    /// As many as may listen with it do.
    Full,
}

impl Keys {
    /// One more may listen. False if too many may already.
    pub fn admit(&mut self, key: Key) -> bool {
        let has_room = self.0.len() < MOST_KEYS;
        if has_room {
            self.0.push(Known { key, holders: Rc::default() });
        }
        has_room
    }

    /// Whether this key is one of these.
    pub fn knows(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// One more listens with this key, of `most` at a time.
    ///
    /// # Errors
    /// If it is unknown, or so many listen with it.
    pub fn hold(&self, key: &Key, most: usize) -> Result<Hold, NoHold> {
        let known = self.find(key).ok_or(NoHold::Unknown)?;
        if Rc::strong_count(&known.holders) > most {
            return Err(NoHold::Full);
        }
        Ok(Hold(Rc::clone(&known.holders), None))
    }

    /// Takes as long wherever it stands.
    fn find(&self, key: &Key) -> Option<&Known> {
        let mut found = None;
        for known in &self.0 {
            if known.key == *key {
                found = Some(known);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_places_of_its_own() {
        let (one, other, unknown) = (Key::random().unwrap(), Key::random().unwrap(), Key::random().unwrap());
        let mut keys = Keys::default();
        assert!(keys.admit(one) && keys.admit(other));
        let first = keys.hold(&one, 2).unwrap();
        let _second = keys.hold(&one, 2).unwrap();
        assert_eq!(keys.hold(&one, 2).unwrap_err(), NoHold::Full);
        assert!(keys.hold(&other, 2).is_ok());
        assert_eq!(keys.hold(&unknown, 2).unwrap_err(), NoHold::Unknown);
        drop(first);
        assert!(keys.hold(&one, 2).is_ok());
    }
}
