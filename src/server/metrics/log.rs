//! Writes the counters to the log.

use std::fmt;

use slog::{KV, Record, Result, Serializer};

use super::{CloseReason, Metrics, Refusal};

/// Shows the kinds that occurred: `exit 3, name taken 1`; `none` if none did.
pub(super) struct Kinds<I>(I);

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

impl Metrics {
    pub(super) fn ends(&self) -> Kinds<impl Iterator<Item = (&'static str, u64)> + Clone> {
        Kinds(CloseReason::ALL.into_iter().map(|reason| (reason.as_str(), self.ended(reason))))
    }

    fn refusals(&self) -> Kinds<impl Iterator<Item = (&'static str, u64)> + Clone> {
        Kinds(Refusal::ALL.into_iter().map(|why| (why.as_str(), self.refused(why))))
    }
}

impl KV for Metrics {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        let (received, delivered, marks) = (self.received(), self.delivered(), self.marks());
        // The last key first, as slog's own macros do.
        for (key, count) in [
            ("senders_held_back", marks.held_back),
            ("outboxes_full", marks.full_outboxes),
            ("largest_batch_bytes", marks.largest_batch_bytes),
            ("fullest_outbox_bytes", marks.fullest_outbox_bytes),
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
