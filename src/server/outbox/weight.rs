//! [`Weight`]: the memory that one outbox takes, counted into that of all outboxes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::Outbox;

/// What a queued piece takes beside its bytes: 40 bytes in a queue that has room for up to twice as many, and 16 of the
/// allocator for bytes of its own.
const PIECE_BYTES: usize = 96;

/// Something queued.
pub(super) struct Piece {
    pub bytes: Bytes,
    /// The bytes that were allocated for it alone: none where it is a part of a batch, which other outboxes share and which
    /// is bounded by what a single outbox may hold.
    pub owned: usize,
}

impl Piece {
    /// The memory that it takes in a queue.
    pub fn memory(&self) -> usize {
        self.owned + PIECE_BYTES
    }

    pub fn own(bytes: Bytes) -> Self {
        Self { owned: bytes.len(), bytes }
    }

    pub fn shared(bytes: Bytes) -> Self {
        Self { owned: 0, bytes }
    }
}

/// The memory of one outbox.
#[derive(Default)]
pub(super) struct Weight {
    bytes: usize,
    /// When the queue began, or when something of it was written last.
    since: Option<Instant>,
    /// The sum over all outboxes of the server, where that is bounded.
    total: Option<Arc<AtomicU64>>,
}

impl Weight {
    /// Pieces of this memory were queued. All pieces of one call together: the total is shared by all threads.
    pub fn add(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.bytes == 0 {
            self.since = Some(Instant::now());
        }
        self.bytes += bytes;
        if let Some(total) = &self.total {
            total.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Pieces of this memory left the queue.
    pub fn take(&mut self, bytes: usize) {
        self.subtract(bytes);
    }

    /// The queue is dropped.
    pub fn clear(&mut self) {
        self.subtract(self.bytes);
    }

    /// Something of the queue was written.
    pub fn moved(&mut self, now: Instant) {
        self.since = Some(now);
    }

    fn subtract(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bytes -= bytes;
        if let Some(total) = &self.total {
            total.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Outbox {
    /// Counts its memory into this sum. To be called while it is empty.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.memory.total = Some(total);
    }

    /// The bytes of memory that it takes, and for how long it has taken nothing off its queue.
    #[must_use]
    pub fn weight(&self, now: Instant) -> (usize, Duration) {
        (
            self.memory.bytes,
            self.memory.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
        )
    }
}
