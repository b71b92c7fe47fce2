//! [`Tally`]: what the server has done since its start, for the log and for whoever watches it.
//!
//! Written by all arbiters, a few times for each read and each batch, never for each receiver; read when it is asked for.
//! Nothing decides by it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{close::CloseReason, media::counters::Counters, speaks::Speaks};
use crate::protocol::{Kind, Operation, Refusal};

mod histogram;
mod log;

pub use histogram::{Counts, Histogram};

/// The steps in which the messages of batches are counted.
const BATCH_MESSAGES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 256, 1024];
/// The same for their bytes. Few pass the largest that is gathered, `batch::BATCH_BYTES`.
const BATCH_BYTES: [u64; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 131_072, 1_048_576];
/// The same for the time of fan-outs, in nanoseconds: from 50 µs, because the least takes about that, to 5 s.
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

/// How much was sent one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Messages; a message to all counts for each receiver.
    pub messages: u64,
    /// Their bytes, with line endings.
    pub bytes: u64,
}

/// All that is counted.
#[derive(Debug, Default)]
pub struct Tally {
    connections: [[AtomicU64; 2]; Speaks::ALL.len()],
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
}

/// What a connection that is no session yet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A TLS handshake.
    Handshake,
    /// HTTP.
    Visit,
}

impl Stage {
    /// Both, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Handshake, Self::Visit];

    /// How the counters spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "tls_handshake",
            Self::Visit => "http",
        }
    }
}

/// Something is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay {
    tally: Arc<Tally>,
    stage: Stage,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.tally.under_way[self.stage as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// How full outboxes were, and how often that held somebody back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The most bytes that waited in one outbox.
    pub fullest_outbox_bytes: u64,
    /// The most bytes that went out in one batch.
    pub largest_batch_bytes: u64,
    /// How often an outbox became full.
    pub full_outboxes: u64,
    /// How often a sender had to wait for a receiver that was full.
    pub held_back: u64,
    /// How long broadcasts waited for receivers that were full.
    pub broadcast_wait: Duration,
}

#[derive(Debug, Default)]
struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Volume {
    /// Adds messages of so many bytes in all.
    pub fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    /// Adds as much as this.
    pub fn extend(&mut self, Self { messages, bytes }: Self) {
        self.messages += messages;
        self.bytes += bytes;
    }
}

impl Counter {
    fn add(&self, Volume { messages, bytes }: Volume) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn volume(&self) -> Volume {
        let (messages, bytes) = (&self.messages, &self.bytes);
        Volume { messages: messages.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }
}

/// A number for each reason. There are more than the standard library has a default for.
#[derive(Debug)]
struct Ended([AtomicU64; CloseReason::ALL.len()]);

impl Default for Ended {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

impl Tally {
    /// A connection was accepted.
    pub fn count_connection(&self, speaks: Speaks, is_encrypted: bool) {
        self.connections[speaks as usize][usize::from(is_encrypted)].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is at something from which it may come out as a session.
    #[must_use]
    pub fn begin(self: &Arc<Self>, stage: Stage) -> UnderWay {
        self.under_way[stage as usize].fetch_add(1, Ordering::Relaxed);
        UnderWay { tally: Arc::clone(self), stage }
    }

    /// There is a session of this kind from here on.
    pub fn add_session(&self, kind: Kind, is_encrypted: bool) {
        self.sessions[kind as usize][usize::from(is_encrypted)].fetch_add(1, Ordering::Relaxed);
    }

    /// There is no session of this kind any more, where one was added.
    pub fn take_session(&self, kind: Kind, is_encrypted: bool) {
        self.sessions[kind as usize][usize::from(is_encrypted)].fetch_sub(1, Ordering::Relaxed);
    }

    /// So many sessions have a name now.
    pub fn set_members(&self, members: usize) {
        self.members.store(members as u64, Ordering::Relaxed);
    }

    /// One read asked for these. What is the same one after another, which is nearly always all of it, is counted at once.
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

    /// A session was given its name.
    pub fn count_join(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// A session ended.
    pub fn count_end(&self, reason: CloseReason) {
        self.ended.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A line was not carried out.
    pub fn count_refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One read was taken in: lines, whether they are messages or not.
    pub fn count_received(&self, volume: Volume) {
        self.received.add(volume);
    }

    /// One batch was carried: sent, or queued for those who do not take it at once.
    pub fn count_delivered(&self, volume: Volume) {
        self.delivered.add(volume);
    }

    /// A batch that holds so much is on its way.
    pub fn count_batch(&self, Volume { messages, bytes }: Volume) {
        raise(&self.largest_batch_bytes, bytes);
        self.batch_messages.count(&BATCH_MESSAGES, messages);
        self.batch_bytes.count(&BATCH_BYTES, bytes);
    }

    /// A batch with broadcasts is carried, so long after the first of them was taken.
    pub fn count_fan_out(&self, took: Duration) {
        self.fan_out.count(&FAN_OUT_NANOS, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// So many bytes wait in an outbox.
    pub fn mark_outbox(&self, bytes: usize) {
        raise(&self.fullest_outbox_bytes, bytes as u64);
    }

    /// An outbox became full.
    pub fn count_full_outbox(&self) {
        self.full_outboxes.fetch_add(1, Ordering::Relaxed);
    }

    /// A sender has to wait for a receiver that is full.
    pub fn count_held_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Broadcasts have waited this much longer for receivers that are full.
    pub fn count_broadcast_wait(&self, waited: Duration) {
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.broadcast_wait_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The memory that all outboxes take, which they keep up to date. The only number here that decides something.
    #[must_use]
    pub fn outboxes_bytes(&self) -> &Arc<AtomicU64> {
        &self.outboxes_bytes
    }

    /// What audio comes to.
    #[must_use]
    pub fn audio(&self) -> Arc<Counters> {
        Arc::clone(&self.audio)
    }

    /// How many were given a name.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// How many ended for this reason.
    #[must_use]
    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.ended.0[reason as usize].load(Ordering::Relaxed)
    }

    /// How many lines were not carried out for this reason.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    /// How many connections were accepted that are to speak this.
    #[must_use]
    pub fn connections(&self, speaks: Speaks, is_encrypted: bool) -> u64 {
        self.connections[speaks as usize][usize::from(is_encrypted)].load(Ordering::Relaxed)
    }

    /// How many are at this now.
    #[must_use]
    pub fn under_way(&self, stage: Stage) -> u64 {
        self.under_way[stage as usize].load(Ordering::Relaxed)
    }

    /// How many sessions of this kind there are now.
    #[must_use]
    pub fn sessions(&self, kind: Kind, is_encrypted: bool) -> u64 {
        self.sessions[kind as usize][usize::from(is_encrypted)].load(Ordering::Relaxed)
    }

    /// How many sessions have a name now.
    #[must_use]
    pub fn members(&self) -> u64 {
        self.members.load(Ordering::Relaxed)
    }

    /// How many messages asked for this and were not refused when they were read.
    #[must_use]
    pub fn operations(&self, operation: Operation) -> u64 {
        self.operations[operation as usize].load(Ordering::Relaxed)
    }

    /// How many messages batches held, each counted once.
    #[must_use]
    pub fn batch_messages(&self) -> Counts {
        self.batch_messages.counts(&BATCH_MESSAGES)
    }

    /// How many bytes batches held, each line counted once.
    #[must_use]
    pub fn batch_bytes(&self) -> Counts {
        self.batch_bytes.counts(&BATCH_BYTES)
    }

    /// How long fan-outs took, in nanoseconds.
    #[must_use]
    pub fn fan_outs(&self) -> Counts {
        self.fan_out.counts(&FAN_OUT_NANOS)
    }

    /// How full outboxes were.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let read = |mark: &AtomicU64| mark.load(Ordering::Relaxed);
        Marks {
            fullest_outbox_bytes: read(&self.fullest_outbox_bytes),
            largest_batch_bytes: read(&self.largest_batch_bytes),
            full_outboxes: read(&self.full_outboxes),
            held_back: read(&self.held_back),
            broadcast_wait: Duration::from_nanos(read(&self.broadcast_wait_nanos)),
        }
    }

    /// What came in.
    #[must_use]
    pub fn received(&self) -> Volume {
        self.received.volume()
    }

    /// What went out.
    #[must_use]
    pub fn delivered(&self) -> Volume {
        self.delivered.volume()
    }
}

/// Makes a mark no less than this. Read first: marks rise seldom.
fn raise(mark: &AtomicU64, bytes: u64) {
    if mark.load(Ordering::Relaxed) < bytes {
        mark.fetch_max(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
