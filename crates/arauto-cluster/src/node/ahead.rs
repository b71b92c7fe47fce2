//! [`Ahead`]: messages that came before those that stand ahead of them.

use std::{collections::BTreeMap, ops::RangeInclusive};

use crate::node_name::NodeName;

/// Most bytes of messages that are kept. What does not fit is fetched later.
pub const MAX_AHEAD_BYTES: usize = 64 * 1024 * 1024;

/// Most messages that are fetched at a time.
pub const MAX_FETCHED: u64 = 64;

/// The messages after the next one that are here already.
#[derive(Debug, Default)]
pub struct Ahead {
    messages: BTreeMap<u64, (NodeName, Vec<u8>)>,
    bytes: usize,
    /// The newest position that was heard of.
    newest: u64,
}

impl Ahead {
    /// Notes that the log has this position.
    pub fn hear_of(&mut self, position: u64) {
        self.newest = self.newest.max(position);
    }

    /// The newest position that was heard of.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Keeps a message, if it is after `read` and there is room.
    pub fn keep(&mut self, read: u64, position: u64, node: NodeName, bytes: Vec<u8>) {
        self.hear_of(position);
        if position <= read || self.bytes + bytes.len() > MAX_AHEAD_BYTES && position != read + 1 {
            return;
        }
        self.bytes += bytes.len();
        if let Some((_, before)) = self.messages.insert(position, (node, bytes)) {
            self.bytes -= before.len();
        }
    }

    /// The message of this position. It stays.
    pub fn get(&self, position: u64) -> Option<&(NodeName, Vec<u8>)> {
        self.messages.get(&position)
    }

    /// Takes the message of this position out.
    pub fn take(&mut self, position: u64) -> Option<(NodeName, Vec<u8>)> {
        let message = self.messages.remove(&position)?;
        self.bytes -= message.1.len();
        Some(message)
    }

    /// Drops messages up to this position.
    pub fn drop_to(&mut self, position: u64) {
        let kept = self.messages.split_off(&(position + 1));
        self.messages = kept;
        self.bytes = self.messages.values().map(|(_, bytes)| bytes.len()).sum();
    }

    /// The positions after `read` that have to be fetched: up to the first message that is here, or the newest that was
    /// heard of; at most [`MAX_FETCHED`].
    pub fn missing(&self, read: u64) -> Option<RangeInclusive<u64>> {
        let first = self.messages.range(read + 1..).next();
        let last = first.map_or(self.newest, |(first, _)| first - 1);
        let last = last.min(read + MAX_FETCHED);
        (last > read).then_some(read + 1..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(ahead: &mut Ahead, read: u64, position: u64, bytes: usize) {
        ahead.keep(read, position, "n1".parse().expect("a name"), vec![0; bytes]);
    }

    #[test]
    fn what_is_missing_is_fetched_in_parts_up_to_what_is_here() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.missing(0), None);
        ahead.hear_of(5);
        assert_eq!(ahead.missing(0), Some(1..=5));
        assert_eq!(ahead.missing(5), None);
        ahead.hear_of(1_000);
        assert_eq!(ahead.missing(5), Some(6..=5 + MAX_FETCHED));
        keep(&mut ahead, 5, 9, 1);
        assert_eq!(ahead.missing(5), Some(6..=8));
        assert_eq!(ahead.missing(8), None);
        // A message at the position itself is not the next one.
        assert_eq!(ahead.missing(9), Some(10..=9 + MAX_FETCHED));
    }

    #[test]
    fn bytes_are_bounded_but_the_next_message_is_always_kept() {
        let mut ahead = Ahead::default();
        for position in 2..=5 {
            keep(&mut ahead, 0, position, MAX_AHEAD_BYTES / 4);
        }
        keep(&mut ahead, 0, 6, 1);
        assert!(ahead.get(6).is_none());
        keep(&mut ahead, 0, 1, 1);
        assert!(ahead.take(1).is_some() && ahead.newest() == 6);
        keep(&mut ahead, 3, 3, 1);
        assert_eq!(ahead.take(3).map(|(_, bytes)| bytes.len()), Some(MAX_AHEAD_BYTES / 4), "read already");
        // Twice the same takes room once.
        keep(&mut ahead, 3, 4, MAX_AHEAD_BYTES / 4);
        ahead.drop_to(4);
        keep(&mut ahead, 4, 6, MAX_AHEAD_BYTES * 3 / 4);
        assert!(ahead.get(6).is_some() && ahead.get(4).is_none());
    }
}
