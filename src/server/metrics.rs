//! [`Metrics`]: counters of what the server has done since its start, for the log and for monitoring.
//!
//! All workers write them, a few times for each read and each batch, never for each receiver. They are read on demand.
//! The server acts on none of them, except [`Metrics::outboxes_bytes`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arauto_protocol::{Kind, Operation, Refusal, named_enum};

use crate::server::{
    common::{close::CloseReason, listener_protocol::ListenerProtocol},
    metrics::{audio::Counters, cluster::ClusterMetrics},
};

pub mod audio;
pub mod cluster;
mod histogram;
mod log;

pub use histogram::{Histogram, HistogramCounts};

/// Upper bounds of the histogram of messages per batch.
const BATCH_MESSAGES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 256, 1024];
/// Upper bounds of the histogram of bytes per batch. Few batches exceed `batch::BATCH_BYTES`, the size up to which
/// messages are gathered.
const BATCH_BYTES: [u64; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 131_072, 1_048_576];
/// Upper bounds of the histogram of fan-out times in nanoseconds: from 50 µs, about the least that a fan-out takes, to
/// 5 s.
const FAN_OUT_NANOS: [u64; 15] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
];

/// Messages and bytes sent in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages; delivered ones count once for each receiver.
    pub messages: u64,
    /// Their bytes: with line endings for delivered messages, without for received ones.
    pub bytes: u64,
}

/// All counters.
#[derive(Debug, Default)]
pub struct Metrics {
    connections: [[AtomicU64; 2]; ListenerProtocol::ALL.len()],
    under_way: [AtomicU64; Stage::ALL.len()],
    sessions: [[AtomicU64; 2]; Kind::ALL.len()],
    members: AtomicU64,
    joined: AtomicU64,
    ended: Ended,
    refused: [AtomicU64; Refusal::ALL.len()],
    operations: [AtomicU64; Operation::COUNT],
    received: Counter,
    delivered: Counter,
    batch_messages: Histogram<{ BATCH_MESSAGES.len() }>,
    batch_bytes: Histogram<{ BATCH_BYTES.len() }>,
    fan_out: Histogram<{ FAN_OUT_NANOS.len() }>,
    fullest_outbox_bytes: AtomicU64,
    largest_batch_bytes: AtomicU64,
    full_outboxes: AtomicU64,
    held_back: AtomicU64,
    broadcast_wait_nanos: AtomicU64,
    outboxes_bytes: Arc<AtomicU64>,
    audio: Arc<Counters>,
    cluster: ClusterMetrics,
}

named_enum! {
    /// Stage of a connection that is not a session yet.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Stage {
        /// The TLS handshake.
        Handshake = "tls_handshake",
        /// HTTP, until the connection becomes a WebSocket or ends.
        Http = "http",
    }
}

/// Counts a connection as being in its stage, until this is dropped.
#[derive(Debug)]
pub struct StageGuard {
    metrics: Arc<Metrics>,
    stage: Stage,
}

impl Drop for StageGuard {
    fn drop(&mut self) {
        self.metrics.under_way[self.stage as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// High-water marks since the start, and how often and how long full outboxes held senders back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWaterMarks {
    /// The most bytes that waited in one outbox.
    pub fullest_outbox_bytes: u64,
    /// The most bytes that went out in one batch.
    pub largest_batch_bytes: u64,
    /// How often an outbox became full.
    pub full_outboxes: u64,
    /// How often a sender had to wait for a full receiver.
    pub held_back: u64,
    /// Time that broadcasts waited for full receivers, without brief waits (see `wait_budget.rs`).
    pub broadcast_wait: Duration,
}

#[derive(Debug, Default)]
struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Adds messages that have `bytes` bytes in all.
    pub fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    /// Adds other traffic to this.
    pub fn extend(&mut self, Self { messages, bytes }: Self) {
        self.messages += messages;
        self.bytes += bytes;
    }
}

impl Counter {
    fn add(&self, Traffic { messages, bytes }: Traffic) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn traffic(&self) -> Traffic {
        let (messages, bytes) = (&self.messages, &self.bytes);
        Traffic { messages: messages.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }
}

/// A counter for each reason. There are more reasons than the elements for which the standard library gives arrays a
/// default (32).
#[derive(Debug)]
struct Ended([AtomicU64; CloseReason::ALL.len()]);

impl Default for Ended {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

impl Metrics {
    /// Counts an accepted connection.
    pub fn count_connection(&self, protocol: ListenerProtocol, is_encrypted: bool) {
        self.connections[protocol as usize][usize::from(is_encrypted)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection as being in `stage`, from which it may become a session, until the result is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>, stage: Stage) -> StageGuard {
        self.under_way[stage as usize].fetch_add(1, Ordering::Relaxed);
        StageGuard { metrics: Arc::clone(self), stage }
    }

    /// Counts a session of this kind as present.
    pub fn add_session(&self, kind: Kind, is_encrypted: bool) {
        self.sessions[kind as usize][usize::from(is_encrypted)].fetch_add(1, Ordering::Relaxed);
    }

    /// Uncounts a session that [`Self::add_session`] counted.
    pub fn take_session(&self, kind: Kind, is_encrypted: bool) {
        self.sessions[kind as usize][usize::from(is_encrypted)].fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets the number of sessions that have a name.
    pub fn set_members(&self, members: usize) {
        self.members.store(members as u64, Ordering::Relaxed);
    }

    /// Counts the operations that one read asked for. A run of equal operations, nearly always the whole read, takes
    /// one addition.
    pub fn count_operations(&self, operations: impl Iterator<Item = Operation>) {
        let mut run: Option<(Operation, u64)> = None;
        for operation in operations {
            match &mut run {
                Some((same, count)) if *same == operation => *count += 1,
                _ => {
                    self.add_operations(run);
                    run = Some((operation, 1));
                }
            }
        }
        self.add_operations(run);
    }

    fn add_operations(&self, run: Option<(Operation, u64)>) {
        if let Some((operation, count)) = run {
            self.operations[operation as usize].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts a session that was given its name.
    pub fn count_join(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of a session, or a connection that was not admitted.
    pub fn count_end(&self, reason: CloseReason) {
        self.ended.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a line that was not carried out.
    pub fn count_refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the lines of one read, whether they are messages or not.
    pub fn count_received(&self, traffic: Traffic) {
        self.received.add(traffic);
    }

    /// Counts what a courier delivered of one batch: sent, or queued for receivers that do not take it at once.
    pub fn count_delivered(&self, traffic: Traffic) {
        self.delivered.add(traffic);
    }

    /// Counts a batch that is on its way to the couriers.
    pub fn count_batch(&self, Traffic { messages, bytes }: Traffic) {
        raise(&self.largest_batch_bytes, bytes);
        self.batch_messages.count(&BATCH_MESSAGES, messages);
        self.batch_bytes.count(&BATCH_BYTES, bytes);
    }

    /// Counts a batch with broadcasts that all couriers have delivered, `took` after the first of its broadcasts was
    /// taken.
    pub fn count_fan_out(&self, took: Duration) {
        self.fan_out.count(&FAN_OUT_NANOS, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records that `bytes` bytes wait in an outbox.
    pub fn mark_outbox(&self, bytes: usize) {
        raise(&self.fullest_outbox_bytes, bytes as u64);
    }

    /// Counts an outbox that became full.
    pub fn count_full_outbox(&self) {
        self.full_outboxes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a sender that has to wait for a full receiver.
    pub fn count_held_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds time that broadcasts waited for full receivers.
    pub fn count_broadcast_wait(&self, waited: Duration) {
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.broadcast_wait_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Bytes of memory that all outboxes take, kept up to date by the outboxes. The only counter here that the server
    /// acts on (`limits.outboxes_bytes`).
    #[must_use]
    pub fn outboxes_bytes(&self) -> &Arc<AtomicU64> {
        &self.outboxes_bytes
    }

    /// Counters of audio.
    #[must_use]
    pub fn audio(&self) -> Arc<Counters> {
        Arc::clone(&self.audio)
    }

    /// The counters of the cluster, and the newest view of its nodes.
    #[must_use]
    pub fn cluster(&self) -> &ClusterMetrics {
        &self.cluster
    }

    /// Number of sessions that were given a name.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// Number of sessions that ended, and of connections that were not admitted, for this reason.
    #[must_use]
    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.ended.0[reason as usize].load(Ordering::Relaxed)
    }

    /// Number of lines that were not carried out for this reason.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    /// Number of connections accepted for this protocol, over TLS or not.
    #[must_use]
    pub fn connections(&self, protocol: ListenerProtocol, is_encrypted: bool) -> u64 {
        self.connections[protocol as usize][usize::from(is_encrypted)].load(Ordering::Relaxed)
    }

    /// Number of connections in this stage now.
    #[must_use]
    pub fn under_way(&self, stage: Stage) -> u64 {
        self.under_way[stage as usize].load(Ordering::Relaxed)
    }

    /// Number of sessions of this kind now, over TLS or not.
    #[must_use]
    pub fn sessions(&self, kind: Kind, is_encrypted: bool) -> u64 {
        self.sessions[kind as usize][usize::from(is_encrypted)].load(Ordering::Relaxed)
    }

    /// Number of sessions that have a name now.
    #[must_use]
    pub fn members(&self) -> u64 {
        self.members.load(Ordering::Relaxed)
    }

    /// Number of messages that asked for this operation and were not refused when they were read.
    #[must_use]
    pub fn operations(&self, operation: Operation) -> u64 {
        self.operations[operation as usize].load(Ordering::Relaxed)
    }

    /// Messages per batch, each counted once.
    #[must_use]
    pub fn batch_messages(&self) -> HistogramCounts {
        self.batch_messages.counts(&BATCH_MESSAGES)
    }

    /// Bytes per batch, each line counted once.
    #[must_use]
    pub fn batch_bytes(&self) -> HistogramCounts {
        self.batch_bytes.counts(&BATCH_BYTES)
    }

    /// Fan-out times in nanoseconds.
    #[must_use]
    pub fn fan_outs(&self) -> HistogramCounts {
        self.fan_out.counts(&FAN_OUT_NANOS)
    }

    /// High-water marks, and waits for full outboxes.
    #[must_use]
    pub fn marks(&self) -> HighWaterMarks {
        let read = |mark: &AtomicU64| mark.load(Ordering::Relaxed);
        HighWaterMarks {
            fullest_outbox_bytes: read(&self.fullest_outbox_bytes),
            largest_batch_bytes: read(&self.largest_batch_bytes),
            full_outboxes: read(&self.full_outboxes),
            held_back: read(&self.held_back),
            broadcast_wait: Duration::from_nanos(read(&self.broadcast_wait_nanos)),
        }
    }

    /// Lines received.
    #[must_use]
    pub fn received(&self) -> Traffic {
        self.received.traffic()
    }

    /// Messages sent or queued.
    #[must_use]
    pub fn delivered(&self) -> Traffic {
        self.delivered.traffic()
    }
}

/// Raises a mark to `bytes` if it is lower. Reads it first, because marks rise seldom.
fn raise(mark: &AtomicU64, bytes: u64) {
    if mark.load(Ordering::Relaxed) < bytes {
        mark.fetch_max(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
