//! [`Line`]: one encoded message, ready to be sent.

use std::{borrow::Cow, ops::Deref};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    hidden::{hidden, without_hidden},
    kind::Kind,
    message::{Field, Message, Unwritable, first_forbidden},
    name::Name,
    operation::Operation,
    tag::Tag,
    websocket,
};

/// An encoded message with the newline that ends it.
///
/// Client and server send nothing but `Line`s, and every `Line` reads back as the message that it was made from: the
/// newline is the only control character except for tabs in DATA, and no field but DATA holds a pipe. So `Line`s can be
/// concatenated without further checks, and no text from outside can become a second message. Cloning shares the bytes.
///
/// ```
/// use arauto_protocol::{Kind, Line, Message};
///
/// let message = Message { sender: "alan", destination: "bob", operation: "private_message", data: "hi" };
/// let line = Line::new(&message)?;
/// assert_eq!(line.as_bytes(), b"alan | bob | private_message | hi\n");
/// assert_eq!(line.framed(Kind::Telnet), "alan | bob | private_message | hi\r\n");
/// assert_eq!(line.message(), message);
///
/// let two_messages = Message { data: "hi\n/close", ..message };
/// assert!(Line::new(&two_messages).is_err());
/// assert_eq!(Line::lossy(&two_messages).message().data, "hi\u{fffd}/close");
/// # Ok::<(), arauto_protocol::Unwritable>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(Bytes);

impl Line {
    /// Encodes a message if it reads back with the same fields. For texts whose author can be told about a fault.
    ///
    /// # Errors
    /// The first character that a message must not hold.
    pub fn new(message: &Message<'_>) -> Result<Self, Unwritable> {
        message.validate()?;
        Ok(Self::encoded(message))
    }

    /// Encodes a message with U+FFFD in place of each character that a message must not hold, and of each that is
    /// [hidden](super::hidden). For the server, whose answer must be sent whatever it quotes.
    #[must_use]
    pub fn lossy(message: &Message<'_>) -> Self {
        let Message { sender, destination, operation, data } = message;
        let is_hidden = |text: &&str| hidden(text).next().is_some();
        if message.validate().is_ok() && ![sender, destination, operation, data].into_iter().any(is_hidden) {
            return Self::encoded(message);
        }
        let [sender, destination, operation, data] = [
            replaced(Field::Sender, sender),
            replaced(Field::Destination, destination),
            replaced(Field::Operation, operation),
            replaced(Field::Data, data),
        ];
        Self::encoded(&Message {
            sender: &sender,
            destination: &destination,
            operation: &operation,
            data: &data,
        })
    }

    /// A message from a user to another. All fields were checked before, so none is checked again.
    #[must_use]
    pub fn between(sender: &Name, destination: &Name, operation: Operation, data: &CheckedData) -> Self {
        let message = Message {
            sender: sender.as_str(),
            destination: destination.as_str(),
            operation: operation.wire(),
            data,
        };
        debug_assert_eq!(Self::lossy(&message), Self::encoded(&message), "a field that was not judged");
        Self::encoded(&message)
    }

    fn encoded(message: &Message<'_>) -> Self {
        let mut bytes = BytesMut::with_capacity(message.encoded_len() + 1);
        message.encode(&mut bytes);
        bytes.put_u8(b'\n');
        Self(bytes.freeze())
    }

    /// The fields; blanks around all fields but DATA are removed.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        // Every `Line` was made from a message that reads back, see `new`.
        Message::parse(self.text()).unwrap_or_default()
    }

    /// The message's bytes with the newline, as line clients receive them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The message's text without the newline, for the log.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0[..self.0.len() - 1]).unwrap_or_default()
    }

    /// The bytes that send this line with a tag to a client of this kind.
    #[must_use]
    pub fn tagged(&self, tag: Tag, kind: Kind) -> Bytes {
        let mut line = BytesMut::with_capacity(self.0.len() + Tag::MAX_BYTES);
        tag.put(&mut line);
        line.put_slice(&self.0);
        Self(line.freeze()).framed(kind)
    }

    /// The bytes that send this line to a client of this kind.
    #[must_use]
    pub fn framed(&self, kind: Kind) -> Bytes {
        match kind {
            Kind::Line => self.0.clone(),
            Kind::Unframed => self.0.slice(..self.0.len() - 1),
            Kind::Telnet => {
                let mut framed = BytesMut::with_capacity(self.0.len() + 1);
                framed.put_slice(&self.0[..self.0.len() - 1]);
                framed.put_slice(kind.ending());
                framed.freeze()
            }
            Kind::WebSocket => {
                let mut framed = BytesMut::with_capacity(self.0.len() + 3);
                websocket::put_text(&mut framed, &self.0[..self.0.len() - 1]);
                framed.freeze()
            }
        }
    }
}

/// Text that is valid as DATA: no control characters except tabs, and no [hidden](super::hidden) characters.
///
/// ```
/// use arauto_protocol::line::CheckedData;
///
/// assert_eq!(&*CheckedData::lossy("a\tb | c"), "a\tb | c");
/// assert_eq!(&*CheckedData::lossy("two\nlines"), "two\u{fffd}lines");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedData(Box<str>);

impl CheckedData {
    /// The text as DATA, with U+FFFD in place of each character that DATA must not hold.
    #[must_use]
    pub fn lossy(text: &str) -> Self {
        Self(replaced(Field::Data, text).into())
    }

    /// A text that was checked before.
    #[cfg(feature = "serde")]
    pub(crate) fn checked(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for CheckedData {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The text with U+FFFD in place of hidden characters and of those that the field must not hold.
fn replaced(field: Field, text: &str) -> Cow<'_, str> {
    let text = without_hidden(text);
    if first_forbidden(field, &text).is_none() {
        return text;
    }
    let is_fine = |c: char| first_forbidden(field, c.encode_utf8(&mut [0; 4])).is_none();
    Cow::Owned(text.chars().map(|c| if is_fine(c) { c } else { char::REPLACEMENT_CHARACTER }).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_be_another_message_is_no_line() {
        let plain = Message { sender: "rui", destination: "dj", operation: "play", data: "x" };
        for (message, field, column, character) in [
            (Message { data: "x\n/close", ..plain }, Field::Data, 2, '\n'),
            (Message { data: "é\r", ..plain }, Field::Data, 2, '\r'),
            (Message { data: "\0", ..plain }, Field::Data, 1, '\0'),
            (Message { data: "\u{7f}", ..plain }, Field::Data, 1, '\u{7f}'),
            (Message { data: "\u{85}", ..plain }, Field::Data, 1, '\u{85}'),
            (Message { data: "\u{9f}", ..plain }, Field::Data, 1, '\u{9f}'),
            (Message { sender: "r\nui", ..plain }, Field::Sender, 2, '\n'),
            (Message { sender: "r|ui", ..plain }, Field::Sender, 2, '|'),
            (Message { destination: "dj | exit", ..plain }, Field::Destination, 4, '|'),
            (Message { destination: "d\tj", ..plain }, Field::Destination, 2, '\t'),
            (Message { operation: "play|x", ..plain }, Field::Operation, 5, '|'),
            (Message { operation: "\u{1b}", ..plain }, Field::Operation, 1, '\u{1b}'),
        ] {
            assert_eq!(Line::new(&message), Err(Unwritable { field, column, character }), "{message:?}");
        }
        let line = Line::new(&Message { data: "a\tb | c", ..plain }).unwrap();
        assert_eq!(line.as_bytes(), b"rui | dj | play | a\tb | c\n");
        assert_eq!(line.message(), Message { data: "a\tb | c", ..plain });
    }

    #[test]
    fn a_line_between_users_is_the_message_with_its_data_judged_once() {
        let [rui, dj] = ["rui", "dj"].map(|name| Name::parse(name, 489).unwrap());
        for data in ["a\tb | c", "é 👩\u{200d}💻", "x\ny", "evil\u{202e}fdp.exe", "\u{fe0f}x", ""] {
            let line = Line::between(&rui, &dj, Operation::PrivateMessage, &CheckedData::lossy(data));
            let message = Message { sender: "rui", destination: "dj", operation: "private_message", data };
            assert_eq!(line, Line::lossy(&message), "{data:?}");
        }
    }

    #[test]
    fn why_a_text_is_no_line_is_said_in_words() {
        let said = |field, character| Unwritable { field, column: 3, character }.to_string();
        assert_eq!(said(Field::Data, '\n'), "character 3 is a control character (U+000A)");
        assert_eq!(
            said(Field::Destination, '|'),
            "character 3 of DESTINATION is a |, which separates fields"
        );
    }

    /// Texts with many characters that a message must not contain.
    fn anything() -> impl Strategy<Value = String> {
        let forbidden =
            prop::sample::select(&['\0', '\n', '\r', '\t', '\u{1b}', '\u{9b}', '|', '\u{2028}'][..]);
        prop::collection::vec(prop_oneof![any::<char>(), forbidden, prop::char::range(' ', '~')], 0..40)
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn every_line_reads_back(texts in [anything(), anything(), anything(), anything()]) {
            let [sender, destination, operation, data] = texts.each_ref().map(String::as_str);
            let message = Message { sender, destination, operation, data };
            let trimmed = Message {
                sender: sender.trim_matches(' '),
                destination: destination.trim_matches(' '),
                operation: operation.trim_matches(' '),
                data,
            };
            match Line::new(&message) {
                Ok(line) => prop_assert_eq!(line.message(), trimmed),
                Err(_) => prop_assert!(message.validate().is_err()),
            }
            let line = Line::lossy(&message);
            let text = line.text();
            prop_assert!(Message::parse(text).is_ok(), "{:?}", text);
            prop_assert!(!text.contains(['\n', '\r']));
            prop_assert_eq!(hidden(text).next(), None);
        }
    }
}
