//! [`Tally`]: what the server has done since its start, for the log and for whoever watches it.
//!
//! Written by all arbiters, a few times for each read and each batch, never for each receiver; read when it is asked for.
//! Nothing decides by it.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use slog::{KV, Record, Result, Serializer};

use super::close::CloseReason;
use crate::protocol::Refusal;

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
    joined: AtomicU64,
    ended: [AtomicU64; CloseReason::ALL.len()],
    refused: [AtomicU64; Refusal::ALL.len()],
    received: Counter,
    delivered: Counter,
    fullest_outbox_bytes: AtomicU64,
    largest_batch_bytes: AtomicU64,
    full_outboxes: AtomicU64,
    held_back: AtomicU64,
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

impl Tally {
    /// A session was given its name.
    pub fn count_join(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// A session ended.
    pub fn count_end(&self, reason: CloseReason) {
        self.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
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

    /// A batch of so many bytes is on its way.
    pub fn mark_batch(&self, bytes: usize) {
        raise(&self.largest_batch_bytes, bytes);
    }

    /// So many bytes wait in an outbox.
    pub fn mark_outbox(&self, bytes: usize) {
        raise(&self.fullest_outbox_bytes, bytes);
    }

    /// An outbox became full.
    pub fn count_full_outbox(&self) {
        self.full_outboxes.fetch_add(1, Ordering::Relaxed);
    }

    /// A sender has to wait for a receiver that is full.
    pub fn count_held_back(&self) {
        self.held_back.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were given a name.
    #[must_use]
    pub fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    /// How many ended for this reason.
    #[must_use]
    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.ended[reason as usize].load(Ordering::Relaxed)
    }

    /// How many lines were not carried out for this reason.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    fn ends(&self) -> Kinds<impl Iterator<Item = (&'static str, u64)> + Clone> {
        Kinds(CloseReason::ALL.into_iter().map(|reason| (reason.as_str(), self.ended(reason))))
    }

    fn refusals(&self) -> Kinds<impl Iterator<Item = (&'static str, u64)> + Clone> {
        Kinds(Refusal::ALL.into_iter().map(|why| (why.as_str(), self.refused(why))))
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
fn raise(mark: &AtomicU64, bytes: usize) {
    if mark.load(Ordering::Relaxed) < bytes as u64 {
        mark.fetch_max(bytes as u64, Ordering::Relaxed);
    }
}

/// The kinds that occurred: `exit 3, name taken 1`; `none` if none did.
struct Kinds<I>(I);

impl<I: Iterator<Item = (&'static str, u64)> + Clone> fmt::Display for Kinds<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (kind, count) in self.0.clone().filter(|(_, count)| *count > 0) {
            write!(f, "{between}{kind} {count}")?;
            between = ", ";
        }
        if between.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

impl KV for Tally {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        let (received, delivered) = (self.received(), self.delivered());
        // The last first, as slog's own macros do.
        for (key, count) in [
            ("senders_held_back", self.held_back.load(Ordering::Relaxed)),
            ("outboxes_full", self.full_outboxes.load(Ordering::Relaxed)),
            ("largest_batch_bytes", self.largest_batch_bytes.load(Ordering::Relaxed)),
            ("fullest_outbox_bytes", self.fullest_outbox_bytes.load(Ordering::Relaxed)),
            ("delivered_bytes", delivered.bytes),
            ("delivered_messages", delivered.messages),
            ("received_bytes", received.bytes),
            ("received_messages", received.messages),
        ] {
            serializer.emit_u64(key, count)?;
        }
        serializer.emit_arguments("refused", &format_args!("{}", self.refusals()))?;
        serializer.emit_arguments("sessions", &format_args!("{}", self.ends()))?;
        serializer.emit_u64("joined", self.joined())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_in_its_own_place() {
        let tally = Tally::default();
        for (place, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            tally.count_end(reason);
            assert_eq!(tally.ended(reason), 1);
        }
    }

    #[test]
    fn every_refusal_is_counted_in_its_own_place() {
        let tally = Tally::default();
        for (place, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, place);
            tally.count_refused(why);
            assert_eq!(tally.refused(why), 1);
        }
    }

    #[test]
    fn only_what_occurred_is_shown() {
        let tally = Tally::default();
        assert_eq!(tally.ends().to_string(), "none");
        tally.count_end(CloseReason::Exit);
        tally.count_end(CloseReason::Exit);
        tally.count_end(CloseReason::Tls);
        assert_eq!(tally.ends().to_string(), "exit 2, spoke tls 1");
    }

    #[test]
    fn marks_only_rise() {
        let tally = Tally::default();
        for bytes in [5, 9, 7] {
            tally.mark_outbox(bytes);
        }
        assert_eq!(tally.fullest_outbox_bytes.load(Ordering::Relaxed), 9);
    }
}
