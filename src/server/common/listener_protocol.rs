//! [`ListenerProtocol`]: the protocol that a connection speaks.

/// The protocol of a connection, over TLS or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// TR2.23 messages.
    Messages,
    /// HTTP, until the connection becomes a WebSocket.
    Http,
}

impl ListenerProtocol {
    /// Both protocols, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Messages, Self::Http];

    /// Value of the label `protocol` in monitoring.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "tr2",
            Self::Http => "http",
        }
    }
}
