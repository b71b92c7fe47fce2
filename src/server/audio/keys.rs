//! [`Keys`]: the keys that allow listening to one stream, and the listeners of each. Without IO.

use std::rc::Rc;

use arauto_rtsp::Key;

use super::shares::Share;

/// The most keys of a stream. Each client that asks to listen gets one.
const MAX_KEYS: usize = 10_000;

/// Counts a listener for its key until it is dropped, and for its address if it has a [`Share`].
#[derive(Debug, Default)]
#[expect(dead_code, reason = "they count by being there")]
pub struct Hold(Rc<()>, Option<Share>);

impl Hold {
    /// Adds the share that counts the listener for its address.
    #[must_use]
    pub fn with(self, share: Option<Share>) -> Self {
        Self(self.0, share)
    }
}

/// A key. Each of its listeners holds a clone of `holders`, and only [`Keys`] makes those.
#[derive(Debug)]
struct Known {
    key: Key,
    holders: Rc<()>,
}

/// The keys of one stream's listeners.
#[derive(Debug, Default)]
pub struct Keys(Vec<Known>);

/// Why a key allows no further listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHold {
    /// The key is not one of the stream's.
    Unknown,
    /// The key has as many listeners as it may have.
    Full,
}

impl Keys {
    /// Adds a key. Returns false if there are too many.
    pub fn admit(&mut self, key: Key) -> bool {
        let has_room = self.0.len() < MAX_KEYS;
        if has_room {
            self.0.push(Known { key, holders: Rc::default() });
        }
        has_room
    }

    /// Whether the key is one of the stream's.
    pub fn knows(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// Counts one more listener with this key, of at most `most` at a time.
    ///
    /// # Errors
    /// If the key is unknown, or if `most` listeners hold it.
    pub fn hold(&self, key: &Key, most: usize) -> Result<Hold, NoHold> {
        let known = self.find(key).ok_or(NoHold::Unknown)?;
        if Rc::strong_count(&known.holders) > most {
            return Err(NoHold::Full);
        }
        Ok(Hold(Rc::clone(&known.holders), None))
    }

    /// Searches in constant time, whatever the key's position.
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
