//! [`Received`]: one message, kept.

use crate::protocol::Message;

/// A message that the server sent, or is to be sent. Received, its texts are whatever the server let pass: none of
/// them is fit for a terminal as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who speaks, by what the server says.
    pub sender: String,
    /// Whom it was for.
    pub destination: String,
    /// What it is.
    pub operation: String,
    /// The text.
    pub data: String,
}

impl Received {
    /// The same, borrowed.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        let Self { sender, destination, operation, data } = self;
        Message { sender, destination, operation, data }
    }
}

impl From<Message<'_>> for Received {
    fn from(message: Message<'_>) -> Self {
        Self {
            sender: message.sender.to_owned(),
            destination: message.destination.to_owned(),
            operation: message.operation.to_owned(),
            data: message.data.to_owned(),
        }
    }
}
