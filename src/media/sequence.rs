//! [`Sequence`]: RTP's sequence numbers, which go round, as numbers that do not (RFC 3550, appendix A.1), and what that
//! tells of loss (A.3). [`Jitter`]: how unevenly datagrams come (A.8).

use std::time::Duration;

/// How far ahead a number may be that is believed at once.
const MOST_LOST: u16 = 3_000;
/// How far behind a number may be to be one that was overtaken.
const MOST_BEHIND: u16 = 100;
/// How many numbers there are before they begin again.
const ROUND: u64 = 1 << 16;

/// Follows one sender's sequence numbers.
#[derive(Clone, Debug)]
pub struct Sequence {
    highest: u64,
    /// The first that is counted.
    first: u64,
    received: u64,
    /// What [`Self::report`] told last: how many should have come, and how many came.
    reported: (u64, u64),
    /// The one that follows one that was not believed: if it comes, the sender has begun anew.
    doubtful: Option<u16>,
}

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It follows, or was overtaken; this is what it is without going round.
    Number(u64),
    /// It is far from all before. The datagram is not to be used.
    Doubtful,
    /// The second of two that are far from all before: the sender has begun anew. This number is higher than all before.
    Restarted(u64),
}

/// What a receiver report says of a sender (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Of those that should have come since the last report, how many 256ths did not.
    pub fraction_lost: u8,
    /// How many never came since the beginning, as 24 bits with a sign hold it. Doubled ones count against it.
    pub lost: i32,
    /// The highest number, with how often it went round above.
    pub highest: u32,
}

impl Sequence {
    /// Begins with the first number that came.
    #[must_use]
    pub fn new(first: u16) -> Self {
        // One round ahead, so that there is room for what was overtaken by the first.
        let first = ROUND + u64::from(first);
        Self { highest: first, first, received: 1, reported: (0, 0), doubtful: None }
    }

    /// What the first number is called.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The highest number so far.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Takes the next that came.
    pub fn take(&mut self, sequence: u16) -> Heard {
        let ahead = sequence.wrapping_sub(low(self.highest));
        let behind = ahead.wrapping_neg();
        let heard = if ahead < MOST_LOST {
            self.highest += u64::from(ahead);
            Heard::Number(self.highest)
        } else if behind <= MOST_BEHIND {
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

    /// What there is to report, and begins to count for the next report.
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
        const MOST: i64 = (1 << 23) - 1;
        let expected = i64::try_from(self.highest - self.first + 1).unwrap_or(i64::MAX);
        let lost = expected - i64::try_from(self.received).unwrap_or(i64::MAX);
        i32::try_from(lost.clamp(-MOST - 1, MOST)).unwrap_or_default()
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

/// How much the time on the way changes from datagram to datagram, smoothed.
#[derive(Clone, Debug)]
pub struct Jitter {
    clock_rate: u32,
    /// When the last came, less its timestamp, in ticks that go round.
    transit: Option<u32>,
    /// In sixteenths of a tick, so that rounding does not swallow it.
    sixteenths: u32,
}

impl Jitter {
    /// For timestamps of so many ticks a second.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, transit: None, sixteenths: 0 }
    }

    /// Takes a datagram's timestamp, and when it came: since any moment, but always the same.
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

    /// As a receiver report has it, in ticks.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.sixteenths >> 4
    }

    /// The same as time.
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
        // Not the one after the doubtful one, which is forgotten anyway.
        assert_eq!(sequence.take(20_001), Heard::Doubtful);
        assert_eq!(sequence.take(20_003), Heard::Doubtful);
        assert_eq!(sequence.take(20_004), Heard::Restarted(first - 10 + 20_004));
        assert_eq!(sequence.take(20_005), Heard::Number(first - 10 + 20_005));
        // What was before is not counted as lost. Numbers grow even where the sender's fall.
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
        // 5 of 8.
        assert_eq!(sequence.report(), Reception { fraction_lost: 96, lost: 3, highest: 107 });
        assert_eq!(sequence.report(), Reception { fraction_lost: 0, lost: 3, highest: 107 });
        // One that was late, and one twice: more than were expected.
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
        // As they were sent, also where timestamps and clock go round.
        for at in 0..100_u32 {
            jitter.take((160 * at).wrapping_sub(800), ms(1_000_000_000 + 20 * u64::from(at)));
        }
        assert_eq!(jitter.ticks(), 0);
        // Each second one 10 ms late: 80 ticks of change, each time.
        let mut jitter = Jitter::new(8_000);
        for at in 0..1_000_u32 {
            jitter.take(160 * at, ms(20 * u64::from(at) + 10 * u64::from(at % 2)));
        }
        // Rounded down.
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
