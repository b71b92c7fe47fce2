//! [`Weight`]: the memory of one outbox, also counted into the sum over all outboxes.

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

/// Memory of a queued piece beside its bytes: 40 bytes in a queue with room for up to twice as many pieces, and 16
/// bytes of the allocator for bytes of its own.
const PIECE_BYTES: usize = 96;

/// A part of the queue.
pub(super) struct Piece {
    pub bytes: Bytes,
    /// Bytes that were allocated for this piece alone. 0 for a part of a batch: other outboxes share the batch, and
    /// the limit of a single outbox bounds it.
    pub owned: usize,
}

impl Piece {
    /// The memory of the piece in a queue.
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
    /// When the queue became non-empty, or when part of it was last written.
    since: Option<Instant>,
    /// The sum over all outboxes of the server, where that is bounded.
    total: Option<Arc<AtomicU64>>,
}

impl Weight {
    /// Adds the memory of queued pieces. Called once for all pieces of a delivery, because all threads share the sum.
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

    /// Subtracts the memory of pieces that left the queue.
    pub fn take(&mut self, bytes: usize) {
        self.subtract(bytes);
    }

    /// Subtracts everything, because the queue is dropped.
    pub fn clear(&mut self) {
        self.subtract(self.bytes);
    }

    /// Records that part of the queue was written at `now`.
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
    /// Adds the memory of this outbox to `total` from here on. Must be called while the outbox is empty.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.memory.total = Some(total);
    }

    /// The memory in bytes, and how long the socket has taken nothing off the queue.
    #[must_use]
    pub fn weight(&self, now: Instant) -> (usize, Duration) {
        (
            self.memory.bytes,
            self.memory.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
        )
    }
}
