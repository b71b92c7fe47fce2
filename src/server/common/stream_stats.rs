//! [`StreamStats`]: the figures of a stream that is on, and [`StreamEnd`]: why a stream has ended.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// The figures of one stream. The relay writes them, the registry reads them, and neither waits for the other.
#[derive(Debug, Default)]
pub struct StreamStats {
    listeners: AtomicUsize,
    elapsed_ms: AtomicU64,
    /// 0 if the length is not known.
    length_ms: AtomicU64,
    idle_ms: AtomicU64,
}

impl StreamStats {
    /// The number of listeners.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Relaxed)
    }

    /// Sets the number of listeners.
    pub fn set_listeners(&self, listeners: usize) {
        self.listeners.store(listeners, Relaxed);
    }

    /// How much of the stream has been played.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Relaxed))
    }

    /// Sets how much of the stream has been played.
    pub fn set_elapsed(&self, elapsed: Duration) {
        self.elapsed_ms.store(in_ms(elapsed), Relaxed);
    }

    /// Time since the last audio datagram; reports do not count.
    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms.load(Relaxed))
    }

    /// Sets the time since the last audio datagram.
    pub fn set_idle(&self, idle: Duration) {
        self.idle_ms.store(in_ms(idle), Relaxed);
    }

    /// The stream's length, if its publisher announced one.
    pub fn length(&self) -> Option<Duration> {
        Some(self.length_ms.load(Relaxed)).filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    /// Sets the stream's length.
    pub fn set_length(&self, length: Duration) {
        self.length_ms.store(in_ms(length), Relaxed);
    }
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a stream has ended, as the relay determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The publisher sent TEARDOWN.
    Finished,
    /// The publisher's connection broke.
    Gone,
    /// The publisher sent nothing for `media.silence_timeout`.
    Silent,
    /// The publisher exceeded `media.bit_rate`.
    TooFast,
    /// The stream had no listeners for `media.unheard_timeout`.
    Unheard,
}
