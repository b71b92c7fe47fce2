//! [`Weight`]: the memory of one outbox, also counted into the sum over all outboxes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The memory of one outbox, in bytes.
#[derive(Default)]
pub struct Weight {
    bytes: usize,
    /// When the queue became non-empty, or when part of it was last written.
    since: Option<Instant>,
    /// The sum over all outboxes of the server, where that is bounded.
    total: Option<Arc<AtomicU64>>,
}

impl Weight {
    /// Adds this memory to `total` from here on. Must be called while it is 0.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.total = Some(total);
    }

    /// The memory, and the time since part of the queue was last written.
    pub fn get(&self, now: Instant) -> (usize, Duration) {
        let idle = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        (self.bytes, idle)
    }

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
        if bytes == 0 {
            return;
        }
        self.bytes -= bytes;
        if let Some(total) = &self.total {
            total.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Subtracts everything, because the queue is dropped.
    pub fn clear(&mut self) {
        self.take(self.bytes);
    }

    /// Records that part of the queue was written at `now`.
    pub fn moved(&mut self, now: Instant) {
        self.since = Some(now);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.clear();
    }
}
