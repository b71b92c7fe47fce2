//! [`ReadBytes`]: whether a node that has carried out the log up to a position is far behind, in bytes.

use std::collections::VecDeque;

/// Bytes of the log by which a node may be behind before the others append nothing more that it would have to deliver.
pub const MAX_LAG_BYTES: u64 = 8 * 1024 * 1024;

/// Least bytes that a message counts for, so that the number of messages that are remembered is bounded.
const MIN_MESSAGE_BYTES: u64 = 64;

/// The sizes of the newest messages that this node has carried out: of [`MAX_LAG_BYTES`], and one more.
#[derive(Debug, Default)]
pub struct ReadBytes {
    /// Position of the newest message.
    last: u64,
    /// Bytes of all messages up to `last`, since this began.
    sum: u64,
    /// The value of `sum` after each of the last messages.
    sums: VecDeque<u64>,
    /// The value of `sum` before those.
    before: u64,
}

impl ReadBytes {
    /// Adds the next message. A position that is not the next one begins anew: the node has joined there.
    pub fn add(&mut self, position: u64, bytes: usize) {
        if position != self.last + 1 {
            *self = Self::default();
        }
        self.last = position;
        self.sum += (bytes as u64).max(MIN_MESSAGE_BYTES);
        self.sums.push_back(self.sum);
        while self.sum - self.before > MAX_LAG_BYTES
            && let Some(sum) = self.sums.pop_front_if(|sum| self.sum - *sum > MAX_LAG_BYTES)
        {
            self.before = sum;
        }
    }

    /// Whether more than [`MAX_LAG_BYTES`] stand after this position. What stood before this node joined does not count.
    pub fn is_far_behind(&self, position: u64) -> bool {
        let first = self.last + 1 - self.sums.len() as u64;
        let at = position.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let at = at.map_or(Some(self.before), |index| self.sums.get(index).copied());
        at.is_some_and(|at| self.sum - at > MAX_LAG_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_node_is_far_behind_by_more_than_the_limit() {
        let mut read = ReadBytes::default();
        assert!(!read.is_far_behind(0));
        for position in 1..=8 {
            read.add(position, MIB);
            assert!(!read.is_far_behind(0), "{position}");
        }
        read.add(9, 1);
        assert!(read.is_far_behind(0) && !read.is_far_behind(1));
        for position in 10..=1_000 {
            read.add(position, MIB);
            assert!(read.is_far_behind(position - 9), "{position}");
            assert!(!read.is_far_behind(position - 8) && !read.is_far_behind(position), "{position}");
        }
        assert!(read.is_far_behind(0) && read.sums.len() <= 10);
    }

    #[test]
    fn a_node_that_has_joined_knows_nothing_of_what_was_before() {
        let mut read = ReadBytes::default();
        read.add(1, 9 * MIB);
        read.add(500, 1);
        for position in [0, 1, 498, 499, 500, 501, u64::MAX] {
            assert!(!read.is_far_behind(position), "{position}");
        }
        read.add(501, 9 * MIB);
        assert!(read.is_far_behind(0) && read.is_far_behind(500) && !read.is_far_behind(501));
    }

    #[test]
    fn memory_is_bounded_whatever_the_size_of_messages() {
        let mut read = ReadBytes::default();
        for position in 1..=300_000 {
            read.add(position, 0);
        }
        assert!(read.sums.len() as u64 <= MAX_LAG_BYTES / MIN_MESSAGE_BYTES + 1);
    }
}
