//! [`Room`]: a bound on the bytes that wait in a queue, wherever the queue is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The bytes that a message takes beside its content, so that empty messages are bounded as well.
const OVERHEAD_BYTES: usize = 256;

/// A number of bytes that may wait at a time.
#[derive(Clone, Debug)]
pub struct Room {
    waiting: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// Bytes that wait. Dropping this gives the room back.
#[derive(Debug)]
pub struct Reserved {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Room for at most `max_bytes`, or for a single message of any length.
    pub fn new(max_bytes: usize) -> Self {
        Self { waiting: Arc::default(), max_bytes }
    }

    /// Reserves room for a message of these bytes, unless that would pass the bound.
    pub fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let bytes = bytes.saturating_add(OVERHEAD_BYTES);
        let grown = |waiting: usize| {
            let sum = waiting.checked_add(bytes)?;
            (waiting == 0 || sum <= self.max_bytes).then_some(sum)
        };
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).ok()?;
        Some(Reserved { waiting: Arc::clone(&self.waiting), bytes })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back_but_one_message_always_fits() {
        let room = Room::new(1_000);
        let first = room.reserve(244).expect("room");
        let second = room.reserve(244).expect("room to the last byte");
        assert!(room.reserve(0).is_none());
        drop(first);
        let third = room.reserve(100).expect("the room of the first");
        assert!(room.reserve(145).is_none());
        drop((second, third));
        let long = room.reserve(usize::MAX).expect("a message of any length, if none waits");
        assert!(room.reserve(0).is_none());
        drop(long);
        assert!(room.reserve(744).is_some());
    }
}
