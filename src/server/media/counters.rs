//! [`Counters`]: what audio comes to, for the log and for monitoring. Nothing decides by it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by the relay's thread alone.
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

/// All of it at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams that have begun and are not over.
    pub streams: u64,
    /// Who listens to them.
    pub listeners: u64,
    /// Datagrams of publishers.
    pub datagrams_in: u64,
    /// Datagrams to listeners.
    pub datagrams_out: u64,
    /// Datagrams of others than those who were meant.
    pub foreign: u64,
    /// Datagrams of publishers that are no RTP, or not what was announced.
    pub strange: u64,
    /// Datagrams to listeners that the system did not take.
    pub lost: u64,
    /// Listeners' reports.
    pub reports: u64,
}

impl Counters {
    /// So many streams and listeners there are now.
    pub fn set(&self, streams: usize, listeners: usize) {
        self.streams.store(streams as u64, Relaxed);
        self.listeners.store(listeners as u64, Relaxed);
    }

    /// A publisher's datagram came.
    pub fn count_in(&self) {
        self.datagrams_in.fetch_add(1, Relaxed);
    }

    /// Datagrams went to listeners.
    pub fn count_out(&self, datagrams: usize) {
        self.datagrams_out.fetch_add(datagrams as u64, Relaxed);
    }

    /// The system did not take these.
    pub fn count_lost(&self, datagrams: usize) {
        self.lost.fetch_add(datagrams as u64, Relaxed);
    }

    /// Listeners reported.
    pub fn count_reports(&self, reports: usize) {
        self.reports.fetch_add(reports as u64, Relaxed);
    }

    /// A datagram of somebody else came.
    pub fn drop_foreign(&self) {
        self.foreign.fetch_add(1, Relaxed);
    }

    /// A datagram came that is none of what was announced.
    pub fn drop_strange(&self) {
        self.strange.fetch_add(1, Relaxed);
    }

    /// All of it.
    pub fn counts(&self) -> Counts {
        let Self { streams, listeners, datagrams_in, datagrams_out, foreign, strange, lost, reports } = self;
        Counts {
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
