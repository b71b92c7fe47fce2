//! [`Now`]: a moment, as it is passed to the state of the screen. The state itself never reads a clock.

use std::{fmt, time::Instant};

use chrono::{Local, Timelike};

/// Wall clock time, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Hour, 0..=23, local time.
    pub hour: u8,
    /// Minute, 0..=59.
    pub minute: u8,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// A moment on two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic time, for waiting.
    pub at: Instant,
    /// Wall clock time, for showing.
    pub clock: Clock,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let local = Local::now();
        let small = |number: u32| u8::try_from(number).unwrap_or_default();
        Self { at: Instant::now(), clock: Clock { hour: small(local.hour()), minute: small(local.minute()) } }
    }
}
