//! [`MessageDecoder`]: turns the bytes that a server sends into messages. No IO; the caller reports silence.
//!
//! A server of this project ends each message with a line ending. The report's server does not: one read may hold
//! several messages, or part of one. The module `unframed` tells those apart.

mod unframed;

use std::time::Duration;

use arauto_protocol::Message;
use bytes::{Buf, BytesMut};

use self::unframed::Unframed;
use super::OwnedMessage;

/// Longest line that is kept: twice the largest message limit that a server can be set to (64 KiB).
const MAX_BYTES: usize = 2 * 65536;

/// The first message of every server.
const NAME_REQUEST: &[u8] = b"server | client | name | no data";

/// Time for a line ending to follow the name request. A server that sends none by then is treated as sending none at
/// all.
const ENDING_TIMEOUT: Duration = Duration::from_millis(500);

/// A unit of what the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message.
    Message(OwnedMessage),
    /// A line that is not a message. It is shown as it is, escaped; no server of this protocol sends one.
    Noise(String),
}

/// How messages end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Unknown until the name request has come.
    #[default]
    Undecided,
    /// With a line ending.
    Lines,
    /// Where the next message begins, or with silence.
    Unframed,
}

/// Cuts what a server sends into messages.
#[derive(Debug, Default)]
pub struct MessageDecoder {
    framing: Framing,
    unframed: Unframed,
    /// An overlong line is being dropped up to its line ending.
    dropping: bool,
}

impl MessageDecoder {
    /// Returns a decoder for a server of this kind.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Returns how messages end, as far as is known.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Sets the name of this client, as it appears in the destination of messages.
    pub fn call_me(&mut self, name: &str) {
        self.unframed.call_me(name);
    }

    /// Reports that a read began at offset `at` of the undecoded bytes. Servers that send no line endings usually
    /// begin a message there.
    pub fn read_begins(&mut self, at: usize) {
        if self.framing != Framing::Lines {
            self.unframed.read_begins(at);
        }
    }

    /// Takes the next whole message off the front of the bytes.
    pub fn decode(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        if self.framing == Framing::Unframed {
            return self.unframed.decode(bytes);
        }
        loop {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                if bytes.len() > MAX_BYTES {
                    bytes.clear();
                    self.dropping = true;
                }
                return None;
            };
            self.framing = Framing::Lines;
            let line = bytes.split_to(end);
            bytes.advance(1);
            if std::mem::take(&mut self.dropping) {
                return Some(Item::Noise(format!("a line of more than {MAX_BYTES} bytes was dropped")));
            }
            if let Some(item) = item(&line) {
                return Some(item);
            }
        }
    }

    /// Returns how long to wait for more bytes before calling [`Self::silence`]. `None` if silence means nothing.
    #[must_use]
    pub fn silence_timeout(&self, bytes: &BytesMut) -> Option<Duration> {
        match self.framing {
            Framing::Undecided if bytes[..] == *NAME_REQUEST => Some(ENDING_TIMEOUT),
            Framing::Undecided | Framing::Lines => None,
            Framing::Unframed => self.unframed.silence_timeout(bytes),
        }
    }

    /// Reports that nothing came for the time that [`Self::silence_timeout`] returned. Returns the item that this
    /// completes.
    pub fn silence(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        self.silence_timeout(bytes)?;
        self.framing = Framing::Unframed;
        self.unframed.rest(bytes)
    }

    /// Returns the items that are left when the server sends no more. Call it until it returns `None`.
    pub fn end(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        match self.framing {
            Framing::Unframed => self.unframed.rest(bytes),
            Framing::Undecided | Framing::Lines => item(&std::mem::take(bytes)),
        }
    }
}

/// Parses a line. `None` if the line is empty.
fn item(line: &[u8]) -> Option<Item> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\r', '\0']);
    if text.is_empty() {
        return None;
    }
    Some(match Message::parse(text) {
        Ok(message) => Item::Message(message.into()),
        Err(_) => Item::Noise(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> BytesMut {
        BytesMut::from(text)
    }

    #[test]
    fn a_line_ending_after_the_name_request_means_lines() {
        let mut decoder = MessageDecoder::default();
        let mut read = bytes("server | client | name | no data");
        assert_eq!(decoder.decode(&mut read), None);
        assert_eq!(decoder.silence_timeout(&read), Some(ENDING_TIMEOUT));
        read.extend_from_slice(b"\r\n");
        assert_eq!(decoder.silence_timeout(&read), None);
        let Some(Item::Message(request)) = decoder.decode(&mut read) else { panic!("no message") };
        assert_eq!(request.operation, "name");
        assert_eq!(decoder.framing(), Framing::Lines);
        let mut next = bytes("server | client | name | no data");
        assert_eq!(decoder.silence_timeout(&next), None);
        assert_eq!(decoder.silence(&mut next), None);
    }

    #[test]
    fn silence_after_the_name_request_means_none() {
        let mut decoder = MessageDecoder::default();
        let mut read = bytes("server | client | name | no dat");
        assert_eq!((decoder.decode(&mut read), decoder.silence_timeout(&read)), (None, None));
        read.extend_from_slice(b"a");
        assert_eq!((decoder.decode(&mut read), decoder.silence_timeout(&read)), (None, Some(ENDING_TIMEOUT)));
        let Some(Item::Message(request)) = decoder.silence(&mut read) else { panic!("no message") };
        assert_eq!((request.operation.as_str(), request.data.as_str()), ("name", "no data"));
        assert_eq!((decoder.framing(), read.len()), (Framing::Unframed, 0));
    }

    #[test]
    fn a_line_without_end_is_dropped_up_to_its_end() {
        let mut decoder = MessageDecoder::new(Framing::Lines);
        let mut read = bytes(&"x".repeat(MAX_BYTES + 1));
        assert_eq!(decoder.decode(&mut read), None);
        read.extend_from_slice(b"more\nserver | a | exit | x\n");
        assert!(matches!(decoder.decode(&mut read), Some(Item::Noise(_))));
        assert!(matches!(decoder.decode(&mut read), Some(Item::Message(_))));
    }
}
