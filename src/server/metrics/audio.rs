//! [`Counters`]: the counters of audio, for the log and for monitoring. No decision depends on them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters. Only the relay's thread writes them.
#[derive(Debug, Default)]
pub struct Counters {
    streams: AtomicU64,
    listeners: AtomicU64,
    datagrams_in: AtomicU64,
    datagrams_out: AtomicU64,
    foreign: AtomicU64,
    strange: AtomicU64,
    lost: AtomicU64,
    reports: AtomicU64,
}

/// A snapshot of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioCounts {
    /// Streams that have begun and not ended.
    pub streams: u64,
    /// Listeners of these streams.
    pub listeners: u64,
    /// Datagrams received from publishers, reports and rejected ones included.
    pub datagrams_in: u64,
    /// Audio datagrams to listeners by RTSP that were sent or queued.
    pub datagrams_out: u64,
    /// Datagrams from an unexpected address or sender.
    pub foreign: u64,
    /// Datagrams of publishers that are not RTP or RTCP, not as announced, or beyond the rate limit.
    pub strange: u64,
    /// Datagrams to listeners that were dropped: the system rejected them, or a queue was full.
    pub lost: u64,
    /// Reception reports of listeners.
    pub reports: u64,
}

impl Counters {
    /// Sets the current numbers of streams and listeners.
    pub fn set(&self, streams: usize, listeners: usize) {
        self.streams.store(streams as u64, Relaxed);
        self.listeners.store(listeners as u64, Relaxed);
    }

    /// Counts a datagram of a publisher.
    pub fn count_in(&self) {
        self.datagrams_in.fetch_add(1, Relaxed);
    }

    /// Counts datagrams to listeners.
    pub fn count_out(&self, datagrams: usize) {
        self.datagrams_out.fetch_add(datagrams as u64, Relaxed);
    }

    /// Counts datagrams to listeners that were dropped.
    pub fn count_lost(&self, datagrams: usize) {
        self.lost.fetch_add(datagrams as u64, Relaxed);
    }

    /// Counts reception reports of listeners.
    pub fn count_reports(&self, reports: usize) {
        self.reports.fetch_add(reports as u64, Relaxed);
    }

    /// Counts a datagram from an unexpected address or sender.
    pub fn drop_foreign(&self) {
        self.foreign.fetch_add(1, Relaxed);
    }

    /// Counts a datagram that is not as announced, or beyond the rate limit.
    pub fn drop_strange(&self) {
        self.strange.fetch_add(1, Relaxed);
    }

    /// Takes a snapshot.
    pub fn counts(&self) -> AudioCounts {
        let Self { streams, listeners, datagrams_in, datagrams_out, foreign, strange, lost, reports } = self;
        AudioCounts {
            streams: streams.load(Relaxed),
            listeners: listeners.load(Relaxed),
            datagrams_in: datagrams_in.load(Relaxed),
            datagrams_out: datagrams_out.load(Relaxed),
            foreign: foreign.load(Relaxed),
            strange: strange.load(Relaxed),
            lost: lost.load(Relaxed),
            reports: reports.load(Relaxed),
        }
    }
}
