//! [`Awaited`]: what answers an operation, and [`Marks`]: how the end of an answer in parts is known. No IO.

use crate::{
    client::{Received, files::Part, joining::SERVER, meaning::Meaning},
    protocol::Operation,
};

/// What answers an operation; beside it, most of what the server itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// This operation, sent by ourselves.
    Own(Operation),
    /// Someone's list of files.
    Files,
    /// What the server says.
    Server,
    /// The list of clients, in however many messages, and after it the echo that marks its end.
    Clients,
    /// Only a refusal.
    Refusal,
    /// How long messages may be; the dialogue takes the answer itself.
    Limits,
}

impl Awaited {
    /// Whether this is the answer, or the end of it; said to `me`.
    pub(super) fn is_answered_by(self, received: &Received, me: &str) -> bool {
        let Received { sender, operation, data, .. } = received;
        match self {
            Self::Limits => false,
            Self::Clients => sender == SERVER && !matches!(received.meaning(), Meaning::Clients(_)),
            _ if sender == SERVER => true,
            Self::Own(awaited) => sender == me && operation == awaited.wire(),
            // Of a long list, the last part.
            Self::Files => {
                operation == Operation::ListFiles.wire()
                    && Part::parse(data).is_none_or(|part| part.last() == part.of)
            }
            Self::Server | Self::Refusal => false,
        }
    }

    /// Whether this is a part of the answer, with more to come.
    pub(super) fn is_begun_by(self, received: &Received) -> bool {
        match (self, received.meaning()) {
            (Self::Clients, Meaning::Clients(_)) => true,
            (Self::Files, Meaning::Files { text, .. }) => Part::parse(text).is_some(),
            _ => false,
        }
    }
}

/// The text of the echo that comes after a list of clients. Not shown.
pub(super) const MARK: &str = "end of list_clients";

/// Marks that were sent and have not come back.
#[derive(Debug, Default)]
pub(super) struct Marks(u32);

impl Marks {
    /// One is sent.
    pub(super) fn sent(&mut self) {
        self.0 += 1;
    }

    /// Whether this is one, come back. The same text may have been typed; but as many as were sent by us are not shown.
    pub(super) fn came_back(&mut self, received: &Received, me: &str) -> bool {
        let is_mark = self.0 > 0 && received.sender == me && received.meaning() == Meaning::Echo(MARK);
        self.0 -= u32::from(is_mark);
        is_mark
    }
}
