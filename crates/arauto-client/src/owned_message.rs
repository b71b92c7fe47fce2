//! [`OwnedMessage`]: an owned message.

use arauto_protocol::Message;

/// An owned message, received or to be sent. A received one holds whatever the server let pass: escape its texts
/// before they reach a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedMessage {
    /// Name of the sender, as stated by the server.
    pub sender: String,
    /// Name of the destination.
    pub destination: String,
    /// Wire name of the operation.
    pub operation: String,
    /// Text of the message.
    pub data: String,
}

impl OwnedMessage {
    /// Borrows the message.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        let Self { sender, destination, operation, data } = self;
        Message { sender, destination, operation, data }
    }
}

impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        Self {
            sender: message.sender.to_owned(),
            destination: message.destination.to_owned(),
            operation: message.operation.to_owned(),
            data: message.data.to_owned(),
        }
    }
}
