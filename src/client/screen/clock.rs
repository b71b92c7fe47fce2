//! [`Now`]: a moment, as the state of the screen is told of it. The state itself never asks for the time.

use std::{fmt, time::Instant};

use chrono::{Local, Timelike};

/// What a wall clock shows here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// 0..=23, local time.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// A moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For waiting.
    pub at: Instant,
    /// For showing.
    pub clock: Clock,
}

impl Now {
    /// The present one.
    #[must_use]
    pub fn read() -> Self {
        let local = Local::now();
        let small = |number: u32| u8::try_from(number).unwrap_or_default();
        Self { at: Instant::now(), clock: Clock { hour: small(local.hour()), minute: small(local.minute()) } }
    }
}
