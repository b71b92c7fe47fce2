//! [`JitterBuffer`]: datagrams in the order of their numbers, whatever order they come in, and which are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use rtp_types::RtpPacket;

use super::delay::Delay;
use crate::media::sequence::{Heard, Sequence};

/// The most datagrams that wait to be played: some seconds of any format.
pub const MOST_DATAGRAMS: usize = 2_048;
/// The most bytes of them.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Of so many that were missing when their turn came, it is known whether they came later.
const MOST_MISSED: usize = 1_024;
/// How far the numbers of a new sender are above those of the one before, so that none is the same.
const ROUND: u64 = 1 << 16;

/// A datagram that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// RTP's sequence number.
    pub sequence: u16,
    /// RTP's timestamp.
    pub timestamp: u32,
    /// The same, counted on where it goes round.
    pub ticks: i64,
    /// What follows RTP's header.
    pub payload: Bytes,
    /// When it came.
    pub arrived: Duration,
    /// The sender began anew with it: its timestamp says nothing about those before.
    pub is_first: bool,
}

/// What became of a datagram that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its turn.
    Kept,
    /// Its turn is over. It was to be heard at this time.
    Late(i64),
    /// It came before.
    Doubled,
    /// It is no RTP, or of another payload type.
    Foreign,
    /// It is far from all before; if the next follows it, the sender began anew.
    Doubtful,
}

/// How many datagrams went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came, whatever became of them.
    pub received: u64,
    /// Were given away in their turn.
    pub played: u64,
    /// Were not there when their turn came.
    pub missed: u64,
    /// Of these: came later, and were dropped.
    pub late: u64,
    /// Came again, and were dropped.
    pub doubled: u64,
    /// Were dropped on purpose, because too much waited.
    pub skipped: u64,
    /// Were dropped for what they are.
    pub foreign: u64,
    /// How often the sender began anew.
    pub restarts: u64,
}

impl Counts {
    /// How many never came.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.missed.saturating_sub(self.late)
    }
}

/// The next datagram, as long as it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its time.
    pub ticks: i64,
    /// When it came.
    pub arrived: Duration,
    /// How many are missing between the last that was given away and this one.
    pub missing: u64,
    /// The sender began anew with it.
    pub is_first: bool,
}

/// See above. Bounded by [`MOST_DATAGRAMS`] and [`MOST_BYTES`].
#[derive(Debug)]
pub struct JitterBuffer {
    payload_type: u8,
    sender: Option<Sender>,
    /// The last that came of a sender that is not known, and its number.
    stranger: Option<(u32, u16)>,
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// The number that follows the last that was given away.
    next: Option<u64>,
    missed: BTreeSet<u64>,
    counts: Counts,
    delay: Delay,
}

#[derive(Debug)]
struct Sender {
    ssrc: u32,
    sequence: Sequence,
    /// What is added to its numbers.
    above: u64,
    /// The timestamp that came last, both ways.
    timestamp: u32,
    ticks: i64,
}

impl JitterBuffer {
    /// For datagrams of this payload type, with timestamps of so many ticks a second.
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

    /// Takes a datagram that came at `now`: since any moment, but always the same.
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
        // What was overtaken has a lower one.
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
        while self.held.len() > MOST_DATAGRAMS || self.bytes > MOST_BYTES {
            if self.counts.played == 0 { self.forget() } else { self.skip() }
        }
        Taken::Kept
    }

    /// Its number without going round, and whether its sender begins with it.
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
            // Anybody's datagram may come astray; not two in order.
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

    /// The next in order, whether or not some before it are missing.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let (number, held) = self.held.first_key_value()?;
        let Held { ticks, arrived, is_first, .. } = *held;
        Some(Head { ticks, arrived, missing: self.missing_before(*number, held), is_first })
    }

    fn missing_before(&self, number: u64, held: &Held) -> u64 {
        if held.is_first { 0 } else { self.next.map_or(0, |next| number.saturating_sub(next)) }
    }

    /// What the next one carries.
    #[must_use]
    pub fn head_payload(&self) -> Option<&Held> {
        Some(self.held.first_key_value()?.1)
    }

    /// Gives the next one away. Those that are missing before it are given up.
    pub fn pop(&mut self) -> Option<Held> {
        let held = self.remove()?;
        self.counts.played += 1;
        Some(held)
    }

    /// Drops the next one, in place of which something else was heard: it came too late for its turn.
    pub fn late(&mut self) {
        if self.remove().is_some() {
            self.counts.missed += 1;
            self.counts.late += 1;
        }
    }

    /// Drops the next one on purpose, because too much waits.
    pub fn skip(&mut self) {
        if self.remove().is_some() {
            self.counts.skipped += 1;
        }
    }

    /// Drops the next one as if it had come before all: who listens began later.
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
        let known = missing.min(u64::try_from(MOST_MISSED).unwrap_or(u64::MAX));
        self.missed.extend(number - known..number);
        while self.missed.len() > MOST_MISSED {
            self.missed.pop_first();
        }
        self.next = Some(number + 1);
        Some(held)
    }

    /// The time of the newest datagram that came, waiting or not.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        Some(self.sender.as_ref()?.ticks)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether one that waits is to be heard at this time or later.
    #[must_use]
    pub fn holds_after(&self, ticks: i64) -> bool {
        self.held.values().rev().any(|held| held.ticks >= ticks)
    }

    /// How many went which way.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// For how long to wait.
    #[must_use]
    pub fn delay(&self) -> &Delay {
        &self.delay
    }

    /// The same, to tell it what it cannot see.
    pub fn delay_mut(&mut self) -> &mut Delay {
        &mut self.delay
    }

    /// Sequence number statistics for a receiver report, and whose they are.
    pub fn report(&mut self) -> Option<(u32, crate::media::sequence::Reception)> {
        let sender = self.sender.as_mut()?;
        Some((sender.ssrc, sender.sequence.report()))
    }
}

#[cfg(test)]
mod tests;
