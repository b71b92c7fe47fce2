//! [`MessageIds`]: the numbers and times of what clients say. A plain table, no actor.

use std::time::SystemTime;

use arauto_protocol::{Tag, tag};
use serde::{Deserialize, Serialize};

/// Counts the messages of a log, in their one order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MessageIds {
    /// Tells this log from others.
    token: u64,
    last: u64,
    /// Time of the last message in milliseconds since the beginning of 1970, UTC.
    millis: u64,
}

impl MessageIds {
    /// Begins a log, whose first message has the number 1.
    #[must_use]
    pub fn new(token: u64) -> Self {
        Self { token, last: 0, millis: 0 }
    }

    /// Begins a log under a random token; under the time, if the system has no random numbers.
    #[must_use]
    pub fn random() -> Self {
        Self::new(getrandom::u64().unwrap_or_else(|_| tag::millis(SystemTime::now())))
    }

    /// The token of the log as clients see it: 6 hexadecimal digits.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{:06x}", self.token & 0xff_ffff)
    }

    /// The number and time of the next message. The time never goes back, whatever the clock does.
    pub fn next(&mut self, millis: u64) -> Tag {
        self.last += 1;
        self.millis = self.millis.max(millis);
        Tag { id: Some(self.last), millis: self.millis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_by_one_and_times_never_go_back() {
        let mut ids = MessageIds::new(0xab_cd00_0102_0f03);
        assert_eq!(ids.log(), "020f03");
        assert_eq!(ids.next(5), Tag { id: Some(1), millis: 5 });
        assert_eq!(ids.next(3), Tag { id: Some(2), millis: 5 });
        assert_eq!(ids.next(6), Tag { id: Some(3), millis: 6 });
    }
}
