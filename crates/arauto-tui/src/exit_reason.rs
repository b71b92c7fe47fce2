//! [`ExitReason`]: why the full screen was left.

use std::fmt;

/// Why the full screen was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The user left.
    Left,
    /// The server closed.
    ServerClosed,
    /// The server refused the client or sent it away, for this reason.
    Refused(String),
    /// No connection could be made or kept, for this reason.
    NoConnection(String),
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::ServerClosed => f.write_str("the server closed"),
            Self::Refused(why) | Self::NoConnection(why) => f.write_str(why),
        }
    }
}
