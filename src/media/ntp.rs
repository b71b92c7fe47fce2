//! [`Ntp`]: the wall clock as RTCP has it (RFC 3550, section 4).

use std::time::{Duration, SystemTime};

/// From 1900 to 1970.
const TO_UNIX_SECONDS: u64 = 2_208_988_800;

/// Seconds since 1900 in the high 32 bits, which go round in 2036, and parts of a second in the low ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntp(pub u64);

impl Ntp {
    /// This time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        // A clock before 1970 is not set; what it says is worth as much as the beginning.
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs().wrapping_add(TO_UNIX_SECONDS);
        let parts = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | parts)
    }

    /// The middle 32 bits, as a receiver report repeats them: 65,536ths of a second.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// How much later it is than another; negative time is `None`. Right within 68 years, whatever goes round.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let parts = u64::try_from(self.0.wrapping_sub(earlier.0).cast_signed()).ok()?;
        Some(Duration::from_nanos(u64::try_from((u128::from(parts) * 1_000_000_000) >> 32).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let unix = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!(Ntp::at(unix(500)), Ntp(0x83aa_7e80_8000_0000));
        assert_eq!(Ntp::at(unix(500)).middle(), 0x7e80_8000);
        assert_eq!(Ntp::at(unix(0) - Duration::from_secs(1)), Ntp::at(unix(0)));
        // 7 February 2036, 06:28:16.
        let round = Ntp::at(unix(2_085_978_496_250));
        assert_eq!(round, Ntp(0x4000_0000));
        let before = Ntp::at(unix(2_085_978_495_250));
        assert_eq!(round.since(before), Some(Duration::from_secs(1)));
        assert_eq!(before.since(round), None);
    }
}
