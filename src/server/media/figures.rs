//! [`Figures`]: what a stream has come to, and [`StreamEnd`]: why it is over.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// What is shown of a stream while it is on. The relay writes it, the registry reads it, and neither waits.
#[derive(Debug, Default)]
pub struct Figures {
    listeners: AtomicUsize,
    elapsed_ms: AtomicU64,
    /// 0 where it is not known.
    length_ms: AtomicU64,
    idle_ms: AtomicU64,
}

impl Figures {
    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Relaxed)
    }

    /// So many listen.
    pub fn set_listeners(&self, listeners: usize) {
        self.listeners.store(listeners, Relaxed);
    }

    /// How much of it was played.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Relaxed))
    }

    /// So much of it was played.
    pub fn set_elapsed(&self, elapsed: Duration) {
        self.elapsed_ms.store(in_ms(elapsed), Relaxed);
    }

    /// How long ago sound came last; reports do not count.
    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms.load(Relaxed))
    }

    /// Sound came so long ago.
    pub fn set_idle(&self, idle: Duration) {
        self.idle_ms.store(in_ms(idle), Relaxed);
    }

    /// How long it takes in all, where its publisher said so.
    pub fn length(&self) -> Option<Duration> {
        Some(self.length_ms.load(Relaxed)).filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    /// So long it takes in all.
    pub fn set_length(&self, length: Duration) {
        self.length_ms.store(in_ms(length), Relaxed);
    }
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a stream is over, as its relay found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its publisher ended it.
    Finished,
    /// Its publisher's connection broke.
    Gone,
    /// Nothing came for `media.silence_timeout`.
    Silent,
    /// It had more than `media.bit_rate`.
    TooFast,
    /// Nobody listened for `media.unheard_timeout`.
    Unheard,
}
