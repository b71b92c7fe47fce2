//! [`Speaks`]: what a connection is to speak.

/// What a connection is to speak, over TLS or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// TR2.23.
    Messages,
    /// HTTP, until it becomes a WebSocket.
    Http,
}

impl Speaks {
    /// Both, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Messages, Self::Http];

    /// How the counters spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "tr2",
            Self::Http => "http",
        }
    }
}
