//! [`Kind`]: the kinds of client.

/// How a client frames its messages, and how it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One message a line: netcat, scripts.
    #[default]
    Line,
    /// The same, with telnet's negotiation.
    Telnet,
    /// One message a `send()`, no line ending: the report's own clients.
    Unframed,
    /// One message a text frame of a WebSocket: browsers. Known from the start, unlike the others.
    WebSocket,
}

impl Kind {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Line, Self::Telnet, Self::Unframed, Self::WebSocket];

    /// How the counters spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Telnet => "telnet",
            Self::Unframed => "unframed",
            Self::WebSocket => "websocket",
        }
    }

    /// What ends each message sent to such a client.
    #[must_use]
    pub fn ending(self) -> &'static [u8] {
        match self {
            Self::Line => b"\n",
            Self::Telnet => b"\r\n",
            Self::Unframed | Self::WebSocket => b"",
        }
    }
}
