//! [`fit`]: builds the message for a text, or says why the text cannot be sent. No IO.

use arauto_protocol::{Line, Message, Operation, Unwritable, hidden::hidden, reply::ALL_CLIENTS};

/// Default size limit of a message, in bytes, including its header but not its line ending. The report's servers have
/// this limit, and so do other servers that are not configured otherwise. A limit that the server states takes
/// precedence, see [`limits`](super::limits).
pub const MESSAGE_BYTES: usize = 1024;

/// Largest message limit that a server can be configured to have, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 65_536;

/// Receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The user of this name.
    One(String),
    /// All clients, including the sender.
    All,
    /// All clients except the sender.
    Others,
}

/// Why a text cannot be sent. Displays as the predicate of a sentence, such as "line 3 ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The message exceeds the message limit.
    #[error(
        "is too long by {over} bytes: a message has at most {limit}, including names and operation; send it in parts"
    )]
    TooLong {
        /// Excess, in bytes.
        over: usize,
        /// Message limit, in bytes.
        limit: usize,
    },
    /// The text is so long that its end was not read.
    #[error("is too long: it has more than {most} bytes, and a message at most {limit}; send it in parts")]
    Endless {
        /// Number of bytes that were read.
        most: usize,
        /// Message limit, in bytes.
        limit: usize,
    },
    /// No message can carry one of its characters.
    #[error("cannot be sent: {0}")]
    Unwritable(#[from] Unwritable),
    /// The text holds a character that is invisible or changes the text direction. Arauto's servers reject it.
    #[error("cannot be sent: character {column} cannot be seen or turns text around (U+{code:04X})")]
    Hidden {
        /// Position of the character in DATA, counted from 1.
        column: usize,
        /// Code point of the character.
        code: u32,
    },
    /// The text is not UTF-8.
    #[error("cannot be sent: it is not UTF-8 from byte {byte} on")]
    NotUtf8 {
        /// Position of the first invalid byte, counted from 1.
        byte: usize,
    },
}

impl To {
    /// Returns a message from `sender` to these receivers.
    fn message<'a>(&'a self, sender: &'a str, data: &'a str) -> Message<'a> {
        let (destination, operation) = match self {
            Self::One(name) => (name.as_str(), Operation::PrivateMessage),
            Self::All => (ALL_CLIENTS, Operation::Broadcast),
            Self::Others => (ALL_CLIENTS, Operation::BroadcastNotMe),
        };
        Message { sender, destination, operation: operation.wire(), data }
    }
}

/// Returns the message that carries `text`, for a server whose message limit is `limit` bytes.
///
/// # Errors
/// If the text is empty, holds a character that cannot be sent, or makes the message longer than `limit`.
pub fn fit(sender: &str, to: &To, text: &str, limit: usize) -> Result<Line, Unfit> {
    if text.is_empty() {
        return Err(Unfit::Empty);
    }
    fit_data(to.message(sender, text), limit)
}

/// Encodes any message. DATA may be empty.
///
/// # Errors
/// If a field holds a character that cannot be sent, or the message is longer than `limit` bytes.
pub fn fit_data(message: Message<'_>, limit: usize) -> Result<Line, Unfit> {
    if let Some((at, c)) = hidden(message.data).next() {
        let column = message.data[..at].chars().count() + 1;
        return Err(Unfit::Hidden { column, code: u32::from(c) });
    }
    fit_secret(message, limit)
}

/// Encodes a message whose DATA is a password, which may hold any characters except control characters.
///
/// # Errors
/// If a field holds a character that no message can carry, or the message is longer than `limit` bytes.
pub fn fit_secret(message: Message<'_>, limit: usize) -> Result<Line, Unfit> {
    let line = Line::new(&message)?;
    match message.encoded_len().saturating_sub(limit) {
        0 => Ok(line),
        over => Err(Unfit::TooLong { over, limit }),
    }
}

#[cfg(test)]
mod tests {
    use arauto_protocol::message::Field;

    use super::*;

    #[test]
    fn to_whom() {
        for (to, line) in [
            (To::One("bob b".to_owned()), "alan | bob b | private_message | hi"),
            (To::All, "alan | all clients | broadcast | hi"),
            (To::Others, "alan | all clients | broadcast_not_me | hi"),
        ] {
            assert_eq!(fit("alan", &to, "hi", 1024).unwrap().text(), line);
        }
    }

    #[test]
    fn what_cannot_be_sent() {
        let unwritable =
            |column, character| Unfit::Unwritable(Unwritable { field: Field::Data, column, character });
        for (text, why) in [
            ("", Unfit::Empty),
            ("a\u{1b}[2J", unwritable(2, '\u{1b}')),
            ("é\n", unwritable(2, '\n')),
            ("\u{9b}", unwritable(1, '\u{9b}')),
            ("é\u{202e}x", Unfit::Hidden { column: 2, code: 0x202e }),
            ("a\u{200d}b", Unfit::Hidden { column: 2, code: 0x200d }),
        ] {
            assert_eq!(fit("alan", &To::All, text, 1024), Err(why), "{text:?}");
        }
        assert!(fit("alan", &To::All, "a\tb", 1024).is_ok());
        let room = MESSAGE_BYTES - "alan | all clients | broadcast | ".len();
        assert!(fit("alan", &To::All, &"x".repeat(room), 1024).is_ok());
        assert_eq!(
            fit("alan", &To::All, &"x".repeat(room + 1), 1024),
            Err(Unfit::TooLong { over: 1, limit: 1024 })
        );
    }
}
