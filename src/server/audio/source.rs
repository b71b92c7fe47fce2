//! [`Source`]: validates a publisher's datagrams, limits their rate, and tracks the stream's position. Without IO.

use std::time::Duration;

use arauto_rtsp::Format;
use tokio::time::Instant;

use super::rewrite::Rtp;
use crate::server::common::token_bucket::{Rate, TokenBucket};

/// Burst allowed on top of `media.bit_rate`, in seconds of it, because programs send the first seconds ahead.
const BURST_SECONDS: usize = 5;

/// Bits of `media.bit_rate` that each datagram uses at least: sending a small datagram to every listener costs as much
/// as sending a large one.
const MIN_BITS: usize = 1_000;

/// Datagrams per second that are allowed whatever `media.bit_rate` is. The shortest packets of Opus are 400 per second,
/// the shortest common ones of L16 are 1,000. The burst is one second of them: enough for the first seconds of common
/// streams, and short enough not to delay others.
const MIN_DATAGRAMS: usize = 1_000;

/// Checks on the datagrams of one publisher.
#[derive(Debug)]
pub struct Source {
    format: Format,
    payload_type: u8,
    /// The sender's SSRC, from the first datagram on.
    ssrc: Option<u32>,
    bit_rate: Rate,
    bits: TokenBucket,
    datagram_rate: Rate,
    datagrams: TokenBucket,
    last: Option<Last>,
    /// Ticks of audio so far.
    elapsed: u64,
    /// When the last valid datagram or report arrived, or the publisher's last RECORD.
    heard: Instant,
    /// The publisher sent PAUSE, and no RECORD since.
    is_paused: bool,
}

/// The datagram with the latest timestamp.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// Its sequence number.
    pub sequence: u16,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// When it arrived.
    pub came: Instant,
}

/// Why a datagram is not relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRelayed {
    /// The datagram is not RTP, or not as announced.
    Strange,
    /// The datagram's SSRC is not the publisher's.
    Foreign,
    /// The datagram exceeds `media.bit_rate`, or the number of datagrams that this rate allows.
    TooFast,
}

impl Source {
    /// A publisher that has sent nothing yet. `bit_rate` is in bits per second, and not zero.
    pub fn new(format: Format, payload_type: u8, bit_rate: usize, now: Instant) -> Self {
        let (per, datagrams) = (Duration::from_secs(1), (bit_rate / MIN_BITS).max(MIN_DATAGRAMS));
        Self {
            format,
            payload_type,
            ssrc: None,
            bit_rate: Rate { tokens: bit_rate, per, burst: BURST_SECONDS * bit_rate },
            bits: TokenBucket::full(now),
            datagram_rate: Rate { tokens: datagrams, per, burst: datagrams },
            datagrams: TokenBucket::full(now),
            last: None,
            elapsed: 0,
            heard: now,
            is_paused: false,
        }
    }

    /// Notes a PAUSE of the publisher. Its silence means nothing until [`Self::resume`]. Meanwhile the timeout of the
    /// RTSP session bounds its stay (RFC 2326, section 10.6).
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Notes a RECORD of the publisher.
    pub fn resume(&mut self, now: Instant) {
        (self.is_paused, self.heard) = (false, now);
    }

    /// Checks a datagram that came from the publisher's address, and parses it.
    ///
    /// # Errors
    /// If it must not be relayed.
    pub fn take<'a>(&mut self, bytes: &'a [u8], now: Instant) -> Result<Rtp<'a>, NotRelayed> {
        // Invalid datagrams count as well, because they cost as much.
        self.allow(bytes.len(), now)?;
        let rtp = Rtp::parse(bytes).filter(|rtp| rtp.payload_type == self.payload_type);
        let rtp = rtp.filter(|rtp| !rtp.payload.is_empty()).ok_or(NotRelayed::Strange)?;
        if *self.ssrc.get_or_insert(rtp.ssrc) != rtp.ssrc {
            return Err(NotRelayed::Foreign);
        }
        self.heard = now;
        let ahead = self.last.map_or(0, |last| rtp.timestamp.wrapping_sub(last.timestamp));
        // A late datagram does not change the position.
        if ahead < 1 << 31 {
            // The publisher chooses its timestamps, so the sum could reach any value.
            self.elapsed = self.elapsed.saturating_add(u64::from(ahead));
            self.last = Some(Last { sequence: rtp.sequence, timestamp: rtp.timestamp, came: now });
        }
        Ok(rtp)
    }

    /// Counts a report that came from the publisher's address. It shows that a silent publisher is present, and counts
    /// for the rate.
    ///
    /// # Errors
    /// If it exceeds the rate.
    pub fn hear(&mut self, bytes: usize, now: Instant) -> Result<(), NotRelayed> {
        self.heard = now;
        self.allow(bytes, now)
    }

    fn allow(&mut self, bytes: usize, now: Instant) -> Result<(), NotRelayed> {
        let bits = bytes * 8;
        let may = self.datagrams.try_take(self.datagram_rate, 1, now).is_ok()
            // A datagram of more than the burst exceeds it at any time.
            && bits <= self.bit_rate.burst
            && self.bits.try_take(self.bit_rate, bits, now).is_ok();
        if may { Ok(()) } else { Err(NotRelayed::TooFast) }
    }

    /// Whether nothing has arrived for `limit`, although the publisher has not paused.
    pub fn is_silent(&self, limit: Duration, now: Instant) -> bool {
        !self.is_paused && now.saturating_duration_since(self.heard) >= limit
    }

    /// The datagram with the latest timestamp.
    pub fn last(&self) -> Option<Last> {
        self.last
    }

    /// The stream's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How much of the stream has been played, by the timestamps.
    pub fn elapsed(&self) -> Duration {
        ticks_to_time(self.elapsed, self.format.clock_rate())
    }

    /// The publisher's timestamp at `now`, extrapolated from its latest datagram.
    pub fn timestamp_at(&self, now: Instant) -> Option<u32> {
        let last = self.last?;
        let since = now.saturating_duration_since(last.came);
        Some(last.timestamp.wrapping_add(time_to_ticks(since, self.format.clock_rate())))
    }
}

fn ticks_to_time(ticks: u64, clock_rate: u32) -> Duration {
    let clock_rate = u64::from(clock_rate);
    let nanos = ticks % clock_rate * 1_000_000_000 / clock_rate;
    Duration::from_secs(ticks / clock_rate) + Duration::from_nanos(nanos)
}

/// Wraps around, as RTP timestamps do.
#[allow(clippy::cast_possible_truncation)]
fn time_to_ticks(time: Duration, clock_rate: u32) -> u32 {
    (time.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(ssrc: u32, payload_type: u8, timestamp: u32) -> Vec<u8> {
        let mut bytes = vec![0x80, payload_type, 0, 1];
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend(ssrc.to_be_bytes());
        bytes.extend([0; 88]);
        bytes
    }

    fn source(now: Instant) -> Source {
        Source::new(Format::Mp3, 14, 8_000, now)
    }

    #[test]
    fn one_sender_is_locked_on() {
        let now = Instant::now();
        let mut source = source(now);
        assert_eq!(source.take(&datagram(1, 97, 0), now).unwrap_err(), NotRelayed::Strange);
        assert_eq!(source.take(b"hello", now).unwrap_err(), NotRelayed::Strange);
        assert!(source.take(&datagram(1, 14, 0), now).is_ok());
        assert_eq!(source.take(&datagram(2, 14, 0), now).unwrap_err(), NotRelayed::Foreign);
        assert!(source.take(&datagram(1, 14, 90_000), now).is_ok());
    }

    #[test]
    fn time_goes_on_past_the_wrap_and_never_back() {
        let now = Instant::now();
        let mut source = source(now);
        source.take(&datagram(1, 14, u32::MAX - 44_999), now).unwrap();
        source.take(&datagram(1, 14, 45_000), now).unwrap();
        source.take(&datagram(1, 14, 0), now).unwrap();
        assert_eq!(source.elapsed(), Duration::from_secs(1));
        let later = now + Duration::from_millis(500);
        assert_eq!(source.timestamp_at(later), Some(90_000));
    }

    #[test]
    fn many_small_ones_are_too_fast_though_they_are_few_bits() {
        let now = Instant::now();
        let small = &datagram(1, 14, 0)[..13];
        for (bit_rate, most) in [(8_000_000, 8_000), (500_000, 1_000)] {
            let mut source = Source::new(Format::Mp3, 14, bit_rate, now);
            let taken = (0..20_000).filter(|_| source.take(small, now).is_ok()).count();
            assert_eq!(taken, most);
            assert_eq!(source.hear(8, now), Err(NotRelayed::TooFast));
        }
    }

    #[test]
    fn more_than_the_rate_after_a_burst_is_too_fast() {
        let mut now = Instant::now();
        let mut source = source(now);
        // 5 s at 8,000 bits/s allow 50 datagrams of 100 bytes at once, then 10 a second.
        for _ in 0..50 {
            source.take(&datagram(1, 14, 0), now).unwrap();
        }
        assert_eq!(source.take(&datagram(1, 14, 0), now).unwrap_err(), NotRelayed::TooFast);
        // After the burst, the rate decides.
        for _ in 0..36_000 {
            now += Duration::from_millis(101);
            source.take(&datagram(1, 14, 0), now).unwrap();
        }
        for _ in 0..5 {
            source.take(&datagram(1, 14, 0), now).unwrap();
        }
        now += Duration::from_millis(50);
        let more = (0..100).filter(|_| source.take(&datagram(1, 14, 0), now).is_ok()).count();
        assert!(more < 50, "{more}");
    }
}
