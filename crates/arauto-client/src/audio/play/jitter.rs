//! [`JitterBuffer`]: puts datagrams in the order of their sequence numbers and detects missing ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use arauto_rtsp::sequence::{Heard, Sequence};
use bytes::Bytes;
use rtp_types::RtpPacket;

use super::delay::Delay;

/// Maximum number of queued datagrams: several seconds of any format.
pub const MAX_DATAGRAMS: usize = 2_048;
/// Maximum total payload of queued datagrams, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Maximum number of missing datagrams that are remembered, to tell a late arrival from a duplicate.
const MAX_MISSED: usize = 1_024;
/// Distance from the highest number of one sender to the numbers of the next, so that no two are equal.
const ROUND: u64 = 1 << 16;

/// A queued datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// The timestamp, extended beyond 32 bits.
    pub ticks: i64,
    /// RTP payload.
    pub payload: Bytes,
    /// Arrival time.
    pub arrived: Duration,
    /// The sender restarted with this datagram: its timestamp is unrelated to earlier ones.
    pub is_first: bool,
}

/// Outcome for a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Queued until its turn.
    Kept,
    /// Its turn was over. Holds its extended timestamp.
    Late(i64),
    /// A duplicate.
    Doubled,
    /// Not RTP, or of another payload type.
    Foreign,
    /// Its number is far from all earlier ones, or its SSRC is unknown. If the next datagram follows it, the sender
    /// restarted.
    Doubtful,
}

/// Number of datagrams by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Received, whatever the outcome.
    pub received: u64,
    /// Played in their turn.
    pub played: u64,
    /// Missing when their turn came.
    pub missed: u64,
    /// Of `missed`: arrived later, and were dropped.
    pub late: u64,
    /// Duplicates, which were dropped.
    pub doubled: u64,
    /// Dropped on purpose, because too many were queued.
    pub skipped: u64,
    /// Dropped as foreign or doubtful.
    pub foreign: u64,
    /// How often the sender restarted.
    pub restarts: u64,
}

impl Counts {
    /// Number of datagrams that never arrived.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.missed.saturating_sub(self.late)
    }
}

/// The next queued datagram in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Extended timestamp.
    pub ticks: i64,
    /// Arrival time.
    pub arrived: Duration,
    /// Number of datagrams missing between the last one removed and this one.
    pub missing: u64,
    /// The sender restarted with this datagram.
    pub is_first: bool,
}

/// Orders datagrams. Holds at most [`MAX_DATAGRAMS`] and [`MAX_BYTES`].
#[derive(Debug)]
pub struct JitterBuffer {
    payload_type: u8,
    sender: Option<Sender>,
    /// SSRC of the last datagram from an unknown sender, and the sequence number that would follow it.
    stranger: Option<(u32, u16)>,
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// The number after the last datagram removed.
    next: Option<u64>,
    missed: BTreeSet<u64>,
    counts: Counts,
    delay: Delay,
}

#[derive(Debug)]
struct Sender {
    ssrc: u32,
    sequence: Sequence,
    /// Added to the sender's extended sequence numbers, so that they exceed those of earlier senders.
    above: u64,
    /// The newest timestamp: as received (32 bits), and extended (`ticks`).
    timestamp: u32,
    ticks: i64,
}

impl JitterBuffer {
    /// Creates a buffer for datagrams of `payload_type` with timestamps of `clock_rate` ticks per second.
    #[must_use]
    pub fn new(payload_type: u8, clock_rate: u32) -> Self {
        Self {
            payload_type,
            sender: None,
            stranger: None,
            held: BTreeMap::new(),
            bytes: 0,
            next: None,
            missed: BTreeSet::new(),
            counts: Counts::default(),
            delay: Delay::new(clock_rate),
        }
    }

    /// Takes a datagram that arrived at `now`, counted from any fixed moment.
    pub fn take(&mut self, now: Duration, datagram: &[u8]) -> Taken {
        self.counts.received += 1;
        let taken = match RtpPacket::parse(datagram) {
            Ok(packet) if packet.payload_type() == self.payload_type => self.take_packet(now, &packet),
            _ => Taken::Foreign,
        };
        match taken {
            Taken::Kept => {}
            Taken::Late(_) => self.counts.late += 1,
            Taken::Doubled => self.counts.doubled += 1,
            Taken::Foreign | Taken::Doubtful => self.counts.foreign += 1,
        }
        taken
    }

    fn take_packet(&mut self, now: Duration, packet: &RtpPacket<'_>) -> Taken {
        let (sequence, timestamp) = (packet.sequence_number(), packet.timestamp());
        let Some((number, is_first)) = self.number(packet.ssrc(), sequence, timestamp) else {
            return Taken::Doubtful;
        };
        let Some(sender) = &mut self.sender else { return Taken::Doubtful };
        // A reordered datagram has a lower timestamp.
        let forward = timestamp.wrapping_sub(sender.timestamp).cast_signed();
        let ticks = sender.ticks + i64::from(forward);
        if is_first || forward > 0 {
            (sender.timestamp, sender.ticks) = (timestamp, ticks);
        }
        if self.held.contains_key(&number) {
            return Taken::Doubled;
        }
        if self.next.is_some_and(|next| number < next) {
            if !self.missed.remove(&number) {
                return Taken::Doubled;
            }
            return Taken::Late(ticks);
        }
        self.delay.take(timestamp, ticks, now);
        let payload = Bytes::copy_from_slice(packet.payload());
        self.bytes += payload.len();
        self.held.insert(number, Held { sequence, timestamp, ticks, payload, arrived: now, is_first });
        while self.held.len() > MAX_DATAGRAMS || self.bytes > MAX_BYTES {
            if self.counts.played == 0 { self.forget() } else { self.skip() }
        }
        Taken::Kept
    }

    /// Extends the sequence number. The flag says whether the sender restarted with it; `None` means that this is
    /// doubtful.
    fn number(&mut self, ssrc: u32, sequence: u16, timestamp: u32) -> Option<(u64, bool)> {
        match &mut self.sender {
            Some(sender) if sender.ssrc == ssrc => {
                self.stranger = None;
                match sender.sequence.take(sequence) {
                    Heard::Number(number) => Some((sender.above + number, false)),
                    Heard::Restarted(number) => {
                        sender.timestamp = timestamp;
                        self.counts.restarts += 1;
                        Some((sender.above + number, true))
                    }
                    Heard::Doubtful => None,
                }
            }
            // A single datagram of an unknown SSRC may be stray; two consecutive ones are a new sender.
            Some(sender) if self.stranger != Some((ssrc, sequence)) => {
                self.stranger = Some((ssrc, sequence.wrapping_add(1)));
                let _ = sender;
                None
            }
            sender => {
                let (above, ticks) = match sender {
                    Some(before) => (before.above + before.sequence.highest() + ROUND, before.ticks),
                    None => (0, 0),
                };
                self.counts.restarts += u64::from(above > 0);
                self.stranger = None;
                let begun = Sequence::new(sequence);
                let number = above + begun.first();
                *sender = Some(Sender { ssrc, sequence: begun, above, timestamp, ticks });
                Some((number, above > 0))
            }
        }
    }

    /// The next datagram in order, whether or not some before it are missing.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let (number, held) = self.held.first_key_value()?;
        let Held { ticks, arrived, is_first, .. } = *held;
        Some(Head { ticks, arrived, missing: self.missing_before(*number, held), is_first })
    }

    fn missing_before(&self, number: u64, held: &Held) -> u64 {
        if held.is_first { 0 } else { self.next.map_or(0, |next| number.saturating_sub(next)) }
    }

    /// The next datagram with its payload.
    #[must_use]
    pub fn head_payload(&self) -> Option<&Held> {
        Some(self.held.first_key_value()?.1)
    }

    /// Removes and returns the next datagram. Missing ones before it are given up.
    pub fn pop(&mut self) -> Option<Held> {
        let held = self.remove()?;
        self.counts.played += 1;
        Some(held)
    }

    /// Drops the next datagram because it arrived too late: its time was filled with concealment.
    pub fn late(&mut self) {
        if self.remove().is_some() {
            self.counts.missed += 1;
            self.counts.late += 1;
        }
    }

    /// Drops the next datagram on purpose, because too much is queued.
    pub fn skip(&mut self) {
        if self.remove().is_some() {
            self.counts.skipped += 1;
        }
    }

    /// Drops the next datagram and does not count it as received: it is older than the beginning of playback.
    pub fn forget(&mut self) {
        if self.remove().is_some() {
            self.counts.received -= 1;
        }
    }

    fn remove(&mut self) -> Option<Held> {
        let (number, held) = self.held.pop_first()?;
        self.bytes -= held.payload.len();
        let missing = self.missing_before(number, &held);
        self.counts.missed += missing;
        let known = missing.min(u64::try_from(MAX_MISSED).unwrap_or(u64::MAX));
        self.missed.extend(number - known..number);
        while self.missed.len() > MAX_MISSED {
            self.missed.pop_first();
        }
        self.next = Some(number + 1);
        Some(held)
    }

    /// Highest extended timestamp received so far, whether or not that datagram is still queued.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        Some(self.sender.as_ref()?.ticks)
    }

    /// Number of queued datagrams.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no datagram is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a queued datagram is due at `ticks` or later.
    #[must_use]
    pub fn holds_after(&self, ticks: i64) -> bool {
        self.held.values().rev().any(|held| held.ticks >= ticks)
    }

    /// Number of datagrams by outcome.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The playout delay learnt from arrival times.
    #[must_use]
    pub fn delay(&self) -> &Delay {
        &self.delay
    }

    /// The playout delay, to record late datagrams that the buffer cannot detect.
    pub fn delay_mut(&mut self) -> &mut Delay {
        &mut self.delay
    }

    /// SSRC of the sender and its reception statistics, for a receiver report.
    pub fn report(&mut self) -> Option<(u32, arauto_rtsp::sequence::Reception)> {
        let sender = self.sender.as_mut()?;
        Some((sender.ssrc, sender.sequence.report()))
    }
}

#[cfg(test)]
mod tests;
