//! [`Sequence`]: extends RTP's 16-bit sequence numbers so that they do not wrap around (RFC 3550, appendix A.1), and
//! counts lost datagrams (A.3). [`Jitter`]: variation of the datagrams' transit time (A.8).

use std::time::Duration;

/// A number less than this far ahead of the highest is accepted at once.
const MAX_LOST: u16 = 3_000;
/// A number at most this far behind the highest counts as a reordered datagram.
const MAX_BEHIND: u16 = 100;
/// Count of 16-bit sequence numbers, after which they wrap around.
const ROUND: u64 = 1 << 16;

/// Tracks the sequence numbers of one sender.
///
/// ```
/// use arauto_rtsp::sequence::{Heard, Reception, Sequence};
///
/// let mut sequence = Sequence::new(65_534);
/// let first = sequence.first();
/// assert_eq!(sequence.take(65_535), Heard::Number(first + 1));
/// assert_eq!(sequence.take(1), Heard::Number(first + 3));
/// assert_eq!(sequence.take(30_000), Heard::Doubtful);
/// // Number 0 is missing: one of four datagrams, or 64/256.
/// assert_eq!(sequence.report(), Reception { fraction_lost: 64, lost: 1, highest: 1 << 16 | 1 });
/// ```
#[derive(Clone, Debug)]
pub struct Sequence {
    highest: u64,
    /// The number from which on datagrams are counted: the first one, or the first after a restart.
    first: u64,
    received: u64,
    /// Counts at the last [`Self::report`]: datagrams expected, datagrams received.
    reported: (u64, u64),
    /// The successor of the last doubtful number. If it arrives next, the sender has restarted its numbering.
    doubtful: Option<u16>,
}

/// How a sequence number relates to those before it: the result of [`Sequence::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The datagram is in sequence or was reordered; this is its extended number, which does not wrap around.
    Number(u64),
    /// The number is far from all before. The datagram must not be used.
    Doubtful,
    /// The second of two successive numbers that are far from all before: the sender has restarted its numbering. This
    /// extended number is higher than all before.
    Restarted(u64),
}

/// The figures on one sender in a receiver report (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Share of the datagrams expected since the last report that were lost, in 1/256.
    pub fraction_lost: u8,
    /// Datagrams lost since the beginning, clamped to a signed 24-bit number. Duplicates reduce it.
    pub lost: i32,
    /// The highest sequence number in the low 16 bits, and the count of wraparounds above it.
    pub highest: u32,
}

impl Sequence {
    /// Starts with the number of the first datagram received.
    #[must_use]
    pub fn new(first: u16) -> Self {
        // The extended numbers start one wraparound higher, which leaves room for datagrams that the first one
        // overtook.
        let first = ROUND + u64::from(first);
        Self { highest: first, first, received: 1, reported: (0, 0), doubtful: None }
    }

    /// The extended number of the first datagram, or of the first one after a restart.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The highest extended number so far.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Processes the number of the next datagram received. A number less than 3,000 ahead of the highest or at most 100
    /// behind it is in sequence. Any other is doubtful until its successor follows it.
    pub fn take(&mut self, sequence: u16) -> Heard {
        let ahead = sequence.wrapping_sub(low(self.highest));
        let behind = ahead.wrapping_neg();
        let heard = if ahead < MAX_LOST {
            self.highest += u64::from(ahead);
            Heard::Number(self.highest)
        } else if behind <= MAX_BEHIND {
            Heard::Number(self.highest - u64::from(behind))
        } else if self.doubtful == Some(sequence) {
            self.highest += u64::from(ahead);
            *self = Self { highest: self.highest, first: self.highest, ..Self::new(0) };
            return Heard::Restarted(self.highest);
        } else {
            self.doubtful = Some(sequence.wrapping_add(1));
            return Heard::Doubtful;
        };
        self.doubtful = None;
        self.received += 1;
        heard
    }

    /// Returns the figures for a report, and starts a new interval for [`Reception::fraction_lost`].
    pub fn report(&mut self) -> Reception {
        let expected = self.highest - self.first + 1;
        let (expected_before, received_before) = self.reported;
        let (since, received) = (expected - expected_before, self.received - received_before);
        self.reported = (expected, self.received);
        let lost = since.saturating_sub(received);
        Reception {
            fraction_lost: (lost * 256)
                .checked_div(since)
                .map_or(0, |part| u8::try_from(part).unwrap_or(u8::MAX)),
            lost: self.lost(),
            highest: low_32(self.highest - ROUND),
        }
    }

    fn lost(&self) -> i32 {
        const MAX: i64 = (1 << 23) - 1;
        let expected = i64::try_from(self.highest - self.first + 1).unwrap_or(i64::MAX);
        let lost = expected - i64::try_from(self.received).unwrap_or(i64::MAX);
        i32::try_from(lost.clamp(-MAX - 1, MAX)).unwrap_or_default()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
fn low(number: u64) -> u16 {
    number as u16
}

#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
fn low_32(number: u64) -> u32 {
    number as u32
}

/// Smoothed change of the transit time from one datagram to the next.
///
/// ```
/// use arauto_rtsp::sequence::Jitter;
/// use std::time::Duration;
///
/// let mut jitter = Jitter::new(8_000);
/// jitter.take(0, Duration::ZERO);
/// // 20 ms of audio arrive 40 ms later. The estimate is 1/16 of the change of 20 ms, or 160 ticks.
/// jitter.take(160, Duration::from_millis(40));
/// assert_eq!(jitter.ticks(), 10);
/// assert_eq!(jitter.time(), Duration::from_micros(1_250));
/// ```
#[derive(Clone, Debug)]
pub struct Jitter {
    clock_rate: u32,
    /// Arrival time of the last datagram minus its timestamp, in ticks, which wrap around.
    transit: Option<u32>,
    /// Jitter in sixteenths of a tick, so that rounding does not lose small changes.
    sixteenths: u32,
}

impl Jitter {
    /// `clock_rate` is the number of timestamp ticks per second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, transit: None, sixteenths: 0 }
    }

    /// Processes a datagram's timestamp, in ticks, and its arrival time. All arrival times count from one arbitrary
    /// moment.
    pub fn take(&mut self, timestamp: u32, came: Duration) {
        let ticks = came.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        let transit =
            low_32(u64::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default()).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            let (now, fall) = (u64::from(self.sixteenths), u64::from((self.sixteenths + 8) >> 4));
            self.sixteenths = u32::try_from(now + u64::from(change) - fall).unwrap_or(u32::MAX - 8);
        }
    }

    /// The jitter in ticks, as a receiver report gives it.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.sixteenths >> 4
    }

    /// The jitter as a duration, rounded down to whole ticks.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs(u64::from(self.ticks())) / self.clock_rate.max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_and_round() {
        let mut sequence = Sequence::new(65_534);
        let first = sequence.first();
        for (came, number) in [(65_535, 1), (0, 2), (2, 4), (1, 3), (65_534, 0), (3, 5), (3_002, 3_004)] {
            assert_eq!(sequence.take(came), Heard::Number(first + number), "{came}");
        }
        assert_eq!(sequence.highest(), first + 3_004);
        let mut sequence = Sequence::new(1);
        assert_eq!(sequence.take(65_535), Heard::Number(sequence.first() - 2));
    }

    #[test]
    fn jumps() {
        let mut sequence = Sequence::new(10);
        let first = sequence.first();
        assert_eq!(sequence.take(20_000), Heard::Doubtful);
        assert_eq!(sequence.take(11), Heard::Number(first + 1));
        // 20,001 does not follow the last doubtful number: the accepted 11 cleared it.
        assert_eq!(sequence.take(20_001), Heard::Doubtful);
        assert_eq!(sequence.take(20_003), Heard::Doubtful);
        assert_eq!(sequence.take(20_004), Heard::Restarted(first - 10 + 20_004));
        assert_eq!(sequence.take(20_005), Heard::Number(first - 10 + 20_005));
        // Numbers skipped by a restart do not count as lost. Extended numbers grow even where the sender's fall.
        assert_eq!(sequence.report(), Reception { fraction_lost: 0, lost: 0, highest: 20_005 });
        sequence.take(5);
        assert_eq!(sequence.take(6), Heard::Restarted(first - 10 + ROUND + 6));
    }

    #[test]
    fn loss() {
        let mut sequence = Sequence::new(100);
        for came in [101, 103, 104, 107] {
            sequence.take(came);
        }
        // 5 of 8 arrived.
        assert_eq!(sequence.report(), Reception { fraction_lost: 96, lost: 3, highest: 107 });
        assert_eq!(sequence.report(), Reception { fraction_lost: 0, lost: 3, highest: 107 });
        // A late datagram and a duplicate: more arrive than the interval expects.
        for came in [102, 108, 108] {
            sequence.take(came);
        }
        assert_eq!(sequence.report(), Reception { fraction_lost: 0, lost: 1, highest: 108 });
        for came in [102, 102, 102] {
            sequence.take(came);
        }
        assert_eq!(sequence.report().lost, -2);
    }

    #[test]
    fn jitter() {
        let mut jitter = Jitter::new(8_000);
        let ms = Duration::from_millis;
        // Evenly spaced datagrams, while both the timestamps and the clock wrap around.
        for at in 0..100_u32 {
            jitter.take((160 * at).wrapping_sub(800), ms(1_000_000_000 + 20 * u64::from(at)));
        }
        assert_eq!(jitter.ticks(), 0);
        // Every second datagram is 10 ms late: a change of 80 ticks each time.
        let mut jitter = Jitter::new(8_000);
        for at in 0..1_000_u32 {
            jitter.take(160 * at, ms(20 * u64::from(at) + 10 * u64::from(at % 2)));
        }
        // Rounding down makes it 79.
        assert_eq!(jitter.ticks(), 79);
        assert_eq!(jitter.time(), Duration::from_micros(9_875));
    }

    proptest! {
        #[test]
        fn whatever_comes(numbers in prop::collection::vec((any::<u16>(), any::<u32>(), any::<u64>()), 0..300)) {
            let (mut sequence, mut jitter) = (Sequence::new(0), Jitter::new(u32::MAX));
            for (number, timestamp, nanos) in numbers {
                let before = sequence.highest();
                if let Heard::Number(heard) | Heard::Restarted(heard) = sequence.take(number) {
                    prop_assert_eq!(low(heard), number);
                    prop_assert!(heard <= before + u64::from(u16::MAX));
                }
                prop_assert!(sequence.highest() >= before);
                jitter.take(timestamp, Duration::from_nanos(nanos));
                sequence.report();
            }
        }
    }
}
