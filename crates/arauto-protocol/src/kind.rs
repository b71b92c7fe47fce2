//! [`Kind`]: the kinds of clients by their framing.

crate::named_enum! {
    /// How a client delimits its messages, and how messages to it are framed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Kind {
        /// Each line is a message: netcat, scripts.
        #[default]
        Line = "line",
        /// Each line is a message, with telnet's negotiation.
        Telnet = "telnet",
        /// Each `send()` is a message, without a line ending: the clients of the report.
        Unframed = "unframed",
        /// Each text frame of a WebSocket is a message: browsers. Known from the start, unlike the other kinds.
        WebSocket = "websocket",
    }
}

impl Kind {
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
