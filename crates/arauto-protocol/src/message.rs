//! [`Message`]: `SENDER | DESTINATION | OPERATION | DATA`, parsed leniently and written exactly.

use bytes::BufMut;

use super::hidden::hidden;

/// DATA of a message without text.
pub const NO_DATA: &str = "no data";

/// OPERATION of the name request and of its answer.
pub const NAME: &str = "name";

/// Separator of two fields, as it is written.
const SEPARATOR: &str = " | ";

/// A TR2.23 message; its fields borrow from the text that was parsed.
///
/// A `Message` can hold any texts. To be sent, it must be converted to a [`Line`], which checks them.
///
/// [`Line`]: super::Line
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The sender's name. A client may leave it empty; the server does not trust it.
    pub sender: &'a str,
    /// The receiver: a user, the server, or all clients.
    pub destination: &'a str,
    /// The operation's name.
    pub operation: &'a str,
    /// The text; [`NO_DATA`] if it was left out.
    pub data: &'a str,
}

/// Why a line is not a message. Columns count characters from 1, as editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("it is not UTF-8 from byte {byte} on")]
    NotUtf8 {
        /// The first invalid byte, counted from 1.
        byte: usize,
    },
    /// The line holds a control character (C0, DEL or C1; a tab is allowed in DATA).
    #[error("character {column} is a control character (U+{code:04X}), and those are refused")]
    Control {
        /// The character's position, counted from 1.
        column: usize,
        /// The character's code point.
        code: u32,
    },
    /// The line holds an invisible character or one that reverses text, see [`hidden`].
    #[error("character {column} cannot be seen or turns text around (U+{code:04X}), and those are refused")]
    Hidden {
        /// The character's position, counted from 1.
        column: usize,
        /// The character's code point.
        code: u32,
    },
    /// The line has fewer than three fields.
    #[error("it has {found} of the 4 fields SENDER | DESTINATION | OPERATION | DATA")]
    MissingFields {
        /// Number of fields found: 1 or 2.
        found: u8,
    },
}

impl<'a> Message<'a> {
    /// Parses a line without its ending.
    ///
    /// The first three `|` separate fields; spaces around the header fields and one space before DATA are removed. DATA
    /// keeps everything else, including further `|`. Without the third `|`, DATA is [`NO_DATA`].
    ///
    /// ```
    /// use arauto_protocol::{Malformed, Message};
    ///
    /// let message = Message::parse("alan|bob|  private_message |hi | there")?;
    /// assert_eq!((message.sender, message.destination), ("alan", "bob"));
    /// assert_eq!((message.operation, message.data), ("private_message", "hi | there"));
    ///
    /// assert_eq!(Message::parse("alan | server | list_clients")?.data, "no data");
    /// assert_eq!(Message::parse("hello"), Err(Malformed::MissingFields { found: 1 }));
    /// # Ok::<(), Malformed>(())
    /// ```
    ///
    /// # Errors
    /// The fault and its position.
    pub fn parse(line: &'a str) -> Result<Self, Malformed> {
        let mut fields = line.splitn(4, '|');
        let header = [fields.next(), fields.next(), fields.next()];
        let data = fields.next();
        refuse_controls(line, data.map_or(line.len(), |data| line.len() - data.len()))?;
        let [Some(sender), Some(destination), Some(operation)] = header else {
            let found = if header[1].is_some() { 2 } else { 1 };
            return Err(Malformed::MissingFields { found });
        };
        let blank = |field: &'a str| field.trim_matches(' ');
        Ok(Self {
            sender: blank(sender),
            destination: blank(destination),
            operation: blank(operation),
            data: data.map_or(NO_DATA, |data| data.strip_prefix(' ').unwrap_or(data)),
        })
    }

    /// Length of the message in bytes on the wire, without a line ending.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.sender.len()
            + self.destination.len()
            + self.operation.len()
            + self.data.len()
            + 3 * SEPARATOR.len()
    }

    /// Checks that the message reads back with the same fields: no control characters except tabs in DATA, and no pipe
    /// in another field than DATA.
    ///
    /// # Errors
    /// The first character that is not allowed.
    pub(crate) fn validate(&self) -> Result<(), Unwritable> {
        let fields = [
            (Field::Sender, self.sender),
            (Field::Destination, self.destination),
            (Field::Operation, self.operation),
            (Field::Data, self.data),
        ];
        for (field, text) in fields {
            if let Some((at, character)) = first_forbidden(field, text) {
                return Err(Unwritable { field, column: text[..at].chars().count() + 1, character });
            }
        }
        Ok(())
    }

    /// Writes the message exactly as the protocol spells it, without a line ending. The message must be valid, see
    /// [`Self::validate`].
    pub(crate) fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(self.sender.as_bytes());
        for field in [self.destination, self.operation, self.data] {
            out.put_slice(SEPARATOR.as_bytes());
            out.put_slice(field.as_bytes());
        }
    }
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The first field.
    Sender,
    /// The second field.
    Destination,
    /// The third field.
    Operation,
    /// The fourth field, the only one that may hold tabs and pipes.
    Data,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sender => "SENDER",
            Self::Destination => "DESTINATION",
            Self::Operation => "OPERATION",
            Self::Data => "DATA",
        })
    }
}

/// A character that no message may hold, in a text that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// The field that holds the character.
    pub field: Field,
    /// The character's position in the field, counted from 1.
    pub column: usize,
    /// The character: a control character, or a pipe in another field than DATA.
    pub character: char,
}

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, column, character } = self;
        write!(f, "character {column}")?;
        if *field != Field::Data {
            write!(f, " of {field}")?;
        }
        match character {
            '|' => f.write_str(" is a |, which separates fields"),
            control => write!(f, " is a control character (U+{:04X})", u32::from(*control)),
        }
    }
}

impl std::error::Error for Unwritable {}

/// The first character that this field must not hold, with its byte position.
pub(crate) fn first_forbidden(field: Field, text: &str) -> Option<(usize, char)> {
    let is_data = field == Field::Data;
    if !is_suspicious(text) && (is_data || !text.contains('|')) {
        return None;
    }
    text.char_indices().find(|(_, c)| match c {
        '\t' | '|' => !is_data,
        c => c.is_control(),
    })
}

/// Whether a text may hold a control character. Bytes are checked because that is faster than decoding characters; 0xC2
/// is the first byte of C1 characters, among others.
fn is_suspicious(text: &str) -> bool {
    let suspicious = |byte| matches!(byte, 0..b' ' | 0x7f | 0xc2);
    // Not `any`: checking all bytes, many at a time, is faster than stopping at the first.
    text.bytes().fold(false, |found, byte| found | suspicious(byte))
}

/// The text of a line, if it is UTF-8.
///
/// # Errors
/// [`Malformed::NotUtf8`] with the first invalid byte.
pub fn text(line: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(line).map_err(|error| Malformed::NotUtf8 { byte: error.valid_up_to() + 1 })
}

/// Refuses control characters, so that a client cannot send escape sequences to another's terminal. From byte
/// `data_start` on, tabs are allowed.
///
/// # Errors
/// [`Malformed::Control`] with the first such character.
pub(crate) fn refuse_controls(line: &str, data_start: usize) -> Result<(), Malformed> {
    // Most lines end here: they hold none.
    if !is_suspicious(line) {
        return Ok(());
    }
    let refused = |(at, c): &(usize, char)| c.is_control() && !(*c == '\t' && *at >= data_start);
    match line.char_indices().find(refused) {
        None => Ok(()),
        Some((at, c)) => {
            Err(Malformed::Control { column: line[..at].chars().count() + 1, code: u32::from(c) })
        }
    }
}

/// Refuses invisible characters and those that reverse text, with which a sender could make readers see another text.
///
/// # Errors
/// [`Malformed::Hidden`] with the first such character.
pub fn refuse_hidden(text: &str) -> Result<(), Malformed> {
    match hidden(text).next() {
        None => Ok(()),
        Some((at, c)) => {
            Err(Malformed::Hidden { column: text[..at].chars().count() + 1, code: u32::from(c) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_leniently() {
        let exact = Message { sender: "alan", destination: "bob", operation: "private_message", data: "hi" };
        for line in [
            "alan | bob | private_message | hi",
            "alan|bob|private_message|hi",
            "  alan  |bob |  private_message|  hi",
        ] {
            let data = if line.ends_with("  hi") { " hi" } else { "hi" };
            assert_eq!(Message::parse(line), Ok(Message { data, ..exact }), "{line}");
        }
    }

    #[test]
    fn data_keeps_pipes_and_blanks() {
        assert_eq!(Message::parse("a | b | echo | x | y  ").unwrap().data, "x | y  ");
        assert_eq!(Message::parse("a | b | echo |").unwrap().data, "");
    }

    #[test]
    fn data_left_out_is_no_data() {
        assert_eq!(Message::parse("a | server | list_clients").unwrap().data, NO_DATA);
    }

    #[test]
    fn control_characters_are_refused_where_they_stand() {
        let refused = |line| Message::parse(line).unwrap_err();
        assert_eq!(refused("a | b | echo | \u{1b}[2J"), Malformed::Control { column: 16, code: 0x1b });
        assert_eq!(refused("é\u{9b} | b | echo | x"), Malformed::Control { column: 2, code: 0x9b });
        assert_eq!(refused("a\t| b | echo | x"), Malformed::Control { column: 2, code: 9 });
        assert_eq!(refused("a\t"), Malformed::Control { column: 2, code: 9 });
        assert_eq!(refused("a | b | echo | \u{7f}"), Malformed::Control { column: 16, code: 0x7f });
        assert_eq!(Message::parse("a | b | echo | x\ty").unwrap().data, "x\ty");
    }

    #[test]
    fn missing_fields_are_counted() {
        assert_eq!(Message::parse("hello"), Err(Malformed::MissingFields { found: 1 }));
        assert_eq!(Message::parse("alan | bob"), Err(Malformed::MissingFields { found: 2 }));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(
            sender in "[^|\\p{Cc} ][^|\\p{Cc}]{0,8}[^|\\p{Cc} ]", destination in "[a-z]{0,4}",
            operation in "[a-z_]{1,12}", data in "[^\\p{Cc}]{0,40}",
        ) {
            let message = Message { sender: &sender, destination: &destination, operation: &operation, data: &data };
            let mut out = Vec::new();
            message.encode(&mut out);
            proptest::prop_assert_eq!(out.len(), message.encoded_len());
            let line = String::from_utf8(out).unwrap();
            proptest::prop_assert_eq!(Message::parse(&line), Ok(message));
        }

        #[test]
        fn any_text_is_judged_without_panic(line in ".*") {
            let _ = Message::parse(&line);
        }
    }
}
