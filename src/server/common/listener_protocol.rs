//! [`ListenerProtocol`]: the protocol that a connection speaks.

use arauto_protocol::named_enum;

named_enum! {
    /// The protocol of a connection, over TLS or not.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ListenerProtocol {
        /// TR2.23 messages.
        Messages = "tr2",
        /// HTTP, until the connection becomes a WebSocket.
        Http = "http",
    }
}
