//! [`Farewell`]: why a full screen was left.

use std::fmt;

/// Why a full screen was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Whoever sat there wanted to.
    Left,
    /// The server ended.
    ServerClosed,
    /// The server did not let this one in, or sent it away: why.
    Refused(String),
    /// There never was a connection: why.
    NoConnection(String),
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::ServerClosed => f.write_str("the server closed"),
            Self::Refused(why) | Self::NoConnection(why) => f.write_str(why),
        }
    }
}
