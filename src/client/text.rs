//! [`fit`]: whether a text can be sent as one message. No IO.

use crate::protocol::{Line, Message, Operation, Unwritable, hidden::hidden, reply::ALL_CLIENTS};

/// The most bytes that a message may have, its header counted and its line ending not: what servers take unless set up
/// otherwise, and all that the report's do. Where a server says another, see [`limits`](super::limits), that counts.
pub const MESSAGE_BYTES: usize = 1024;

/// The most that any server can be set to take.
pub const MAX_MESSAGE_BYTES: usize = 65_536;

/// Whom messages are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// One user.
    One(String),
    /// Everyone, the sender too.
    All,
    /// Everyone but the sender.
    Others,
}

/// Why a text cannot be sent. Reads on after what it is of: "line 3 ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It ends the message limit.
    #[error(
        "is too long by {over} bytes: a message has at most {limit}, names and operation among them; send it in parts"
    )]
    TooLong {
        /// By how much.
        over: usize,
        /// How many bytes a message has at most.
        limit: usize,
    },
    /// It is so long that nobody counted.
    #[error("is too long: it has more than {most} bytes, and a message at most {limit}; send it in parts")]
    Endless {
        /// How many were looked at.
        most: usize,
        /// How many bytes a message has at most.
        limit: usize,
    },
    /// No message can carry one of its characters.
    #[error("cannot be sent: {0}")]
    Unwritable(#[from] Unwritable),
    /// It holds a character that cannot be seen or that turns text around. No server of this project takes it.
    #[error("cannot be sent: character {column} cannot be seen or turns text around (U+{code:04X})")]
    Hidden {
        /// Which character of DATA, counted from 1.
        column: usize,
        /// Its code point.
        code: u32,
    },
    /// It is not UTF-8.
    #[error("cannot be sent: it is not UTF-8 from byte {byte} on")]
    NotUtf8 {
        /// The first byte that is wrong, counted from 1.
        byte: usize,
    },
}

impl To {
    /// A message from `sender` to these.
    fn message<'a>(&'a self, sender: &'a str, data: &'a str) -> Message<'a> {
        let (destination, operation) = match self {
            Self::One(name) => (name.as_str(), Operation::PrivateMessage),
            Self::All => (ALL_CLIENTS, Operation::Broadcast),
            Self::Others => (ALL_CLIENTS, Operation::BroadcastNotMe),
        };
        Message { sender, destination, operation: operation.wire(), data }
    }
}

/// The message that says this, to a server that takes messages of at most `limit` bytes.
///
/// # Errors
/// If no message can.
pub fn fit(sender: &str, to: &To, text: &str, limit: usize) -> Result<Line, Unfit> {
    if text.is_empty() {
        return Err(Unfit::Empty);
    }
    fit_data(to.message(sender, text), limit)
}

/// The line for any message, whose DATA may be empty.
///
/// # Errors
/// If a field holds what no message can carry, or the message is longer than `limit` bytes.
pub fn fit_data(message: Message<'_>, limit: usize) -> Result<Line, Unfit> {
    if let Some((at, c)) = hidden(message.data).next() {
        let column = message.data[..at].chars().count() + 1;
        return Err(Unfit::Hidden { column, code: u32::from(c) });
    }
    fit_secret(message, limit)
}

/// As [`fit_data`], for a password, which may hold any characters but control characters.
///
/// # Errors
/// As those of [`fit_data`].
pub fn fit_secret(message: Message<'_>, limit: usize) -> Result<Line, Unfit> {
    let line = Line::new(&message)?;
    match message.encoded_len().saturating_sub(limit) {
        0 => Ok(line),
        over => Err(Unfit::TooLong { over, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::Field;

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
