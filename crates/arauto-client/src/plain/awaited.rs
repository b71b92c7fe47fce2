//! [`Awaited`]: the answer that the dialogue waits for. [`Marks`]: the end of a list of clients. No IO.

use arauto_protocol::Operation;

use crate::{OwnedMessage, files::Part, joining::SERVER, meaning::Meaning};

/// The answer that the dialogue waits for. Most messages from the server itself end the wait as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The user's own message with this operation, which the server sends back.
    Own(Operation),
    /// A user's list of files.
    Files,
    /// Any message from the server.
    Server,
    /// The list of clients, in one or more messages, and after it the echo that marks its end.
    Clients,
    /// A refusal only: nothing else comes back.
    Refusal,
    /// The server's message limit; `Dialogue` reads the answer itself.
    Limits,
}

impl Awaited {
    /// Whether `received` is the answer, or its last part, for the user `me`.
    pub(super) fn is_answered_by(self, received: &OwnedMessage, me: &str) -> bool {
        let OwnedMessage { sender, operation, data, .. } = received;
        match self {
            Self::Limits => false,
            Self::Clients => sender == SERVER && !matches!(received.meaning(), Meaning::Clients(_)),
            _ if sender == SERVER => true,
            Self::Own(awaited) => sender == me && operation == awaited.wire(),
            // Only the last part of a long list is the answer.
            Self::Files => {
                operation == Operation::ListFiles.wire()
                    && Part::parse(data).is_none_or(|part| part.last() == part.of)
            }
            Self::Server | Self::Refusal => false,
        }
    }

    /// Whether `received` is a part of the answer, with more parts to follow.
    pub(super) fn is_begun_by(self, received: &OwnedMessage) -> bool {
        match (self, received.meaning()) {
            (Self::Clients, Meaning::Clients(_)) => true,
            (Self::Files, Meaning::Files { text, .. }) => Part::parse(text).is_some(),
            _ => false,
        }
    }
}

/// Text of the echo that the client sends after `list_clients`. Its return ends the list and is not shown.
pub(super) const MARK: &str = "end of list_clients";

/// Number of marks that were sent and have not come back.
#[derive(Debug, Default)]
pub(super) struct Marks(u32);

impl Marks {
    /// Counts a mark that is sent.
    pub(super) fn sent(&mut self) {
        self.0 += 1;
    }

    /// Whether `received` is a mark that came back. A user can type the same text, so only as many returns are hidden
    /// as marks were sent.
    pub(super) fn came_back(&mut self, received: &OwnedMessage, me: &str) -> bool {
        let is_mark = self.0 > 0 && received.sender == me && received.meaning() == Meaning::Echo(MARK);
        self.0 -= u32::from(is_mark);
        is_mark
    }
}
