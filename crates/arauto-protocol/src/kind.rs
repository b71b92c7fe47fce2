//! [`Kind`]: the kinds of clients by their framing.

/// How a client delimits its messages, and how messages to it are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Each line is a message: netcat, scripts.
    #[default]
    Line,
    /// Each line is a message, with telnet's negotiation.
    Telnet,
    /// Each `send()` is a message, without a line ending: the clients of the report.
    Unframed,
    /// Each text frame of a WebSocket is a message: browsers. Known from the start, unlike the other kinds.
    WebSocket,
}

impl Kind {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Line, Self::Telnet, Self::Unframed, Self::WebSocket];

    /// The kind's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Telnet => "telnet",
            Self::Unframed => "unframed",
            Self::WebSocket => "websocket",
        }
    }

    /// The bytes that end each message to such a client.
    ///
    /// ```
    /// use arauto_protocol::Kind;
    ///
    /// assert_eq!(Kind::Telnet.ending(), b"\r\n");
    /// assert_eq!(Kind::WebSocket.ending(), b"");
    /// ```
    #[must_use]
    pub fn ending(self) -> &'static [u8] {
        match self {
            Self::Line => b"\n",
            Self::Telnet => b"\r\n",
            Self::Unframed | Self::WebSocket => b"",
        }
    }
}
