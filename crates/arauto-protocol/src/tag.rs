//! [`Tag`]: the number and time before each line of a client that has asked for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};

/// Milliseconds after which a year no longer has four digits: the end of 9999.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// The number and time of a message.
///
/// ```
/// use arauto_protocol::Tag;
///
/// let tag = Tag { id: Some(812), millis: 1_796_155_262_123 };
/// assert_eq!(tag.to_string(), "@812 2026-12-01T20:01:02.123Z ");
/// assert_eq!(Tag { id: None, ..tag }.to_string(), "@- 2026-12-01T20:01:02.123Z ");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The position in the one order of messages. `None` for all but what clients say to others.
    pub id: Option<u64>,
    /// Milliseconds since the beginning of 1970, UTC.
    pub millis: u64,
}

impl Tag {
    /// Most bytes of a tag: the largest number has 20 digits, and a time has 24 characters.
    pub const MAX_BYTES: usize = 47;

    /// The tag of a message without a number, at this time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self { id: None, millis: millis(time) }
    }

    /// Appends the tag to a line's bytes.
    pub fn put(&self, into: &mut BytesMut) {
        into.put_slice(self.to_string().as_bytes());
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.millis.min(MAX_MILLIS));
        let time = humantime::format_rfc3339_millis(time);
        match self.id {
            Some(id) => write!(f, "@{id} {time} "),
            None => write!(f, "@- {time} "),
        }
    }
}

/// Milliseconds from the beginning of 1970 until this time; 0 if it is earlier.
#[must_use]
pub fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_is_longer_than_the_longest() {
        for millis in [0, 1_796_155_262_123, MAX_MILLIS, u64::MAX] {
            for id in [None, Some(0), Some(u64::MAX)] {
                let text = Tag { id, millis }.to_string();
                assert!(text.len() <= Tag::MAX_BYTES, "{text}");
                assert_eq!(text.matches(' ').count(), 2);
                assert!(text.ends_with("Z "), "{text}");
            }
        }
        assert_eq!(Tag::MAX_BYTES, 47);
        assert_eq!(Tag { id: None, millis: 0 }.to_string(), "@- 1970-01-01T00:00:00.000Z ");
        assert_eq!(millis(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
