//! [`Ntp`]: wall-clock time in the format of RTCP (RFC 3550, section 4).

use std::time::{Duration, SystemTime};

/// Seconds from 1900 to 1970.
const TO_UNIX_SECONDS: u64 = 2_208_988_800;

/// A time: seconds since 1900 in the high 32 bits, which wrap around in 2036, and fractions of a second in the low 32
/// bits.
///
/// ```
/// use arauto_rtsp::ntp::Ntp;
/// use std::time::{Duration, SystemTime};
///
/// let sent = Ntp::at(SystemTime::UNIX_EPOCH + Duration::from_millis(500));
/// assert_eq!(sent, Ntp(2_208_988_800 << 32 | 1 << 31));
/// assert_eq!(sent.middle(), 0x7e80_8000);
/// assert_eq!(Ntp(sent.0 + (1 << 30)).since(sent), Some(Duration::from_millis(250)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntp(pub u64);

impl Ntp {
    /// Converts a system time. A time before 1970 becomes 1970.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        // A clock before 1970 is not set, so its time is replaced by 1970.
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs().wrapping_add(TO_UNIX_SECONDS);
        let parts = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | parts)
    }

    /// The middle 32 bits, in units of 1/65,536 s, as a receiver report repeats them.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// The time from `earlier` to `self`, or `None` if `self` is the earlier time. Correct across a wraparound if the
    /// two are less than 68 years apart.
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
        // The wraparound is on 7 February 2036, at 06:28:16.
        let round = Ntp::at(unix(2_085_978_496_250));
        assert_eq!(round, Ntp(0x4000_0000));
        let before = Ntp::at(unix(2_085_978_495_250));
        assert_eq!(round.since(before), Some(Duration::from_secs(1)));
        assert_eq!(before.since(round), None);
    }
}
