//! [`Decoder`]: the bytes that a server sends, as messages. No IO: it is told of silence.
//!
//! A server of this project ends each message with a line ending. The report's does not, and what it sends may come
//! several messages in one read, or one in two; see `unframed` for how those are told apart.

mod unframed;

use std::time::Duration;

use bytes::{Buf, BytesMut};

use self::unframed::Unframed;
use super::Received;
use crate::protocol::Message;

/// The longest line that is kept: as many bytes as a server's message limit can be set to, twice.
const MOST_BYTES: usize = 2 * 65536;

/// What every server says first.
const NAME_REQUEST: &[u8] = b"server | client | name | no data";

/// How long a line ending may come after the name request. Without one by then, this server sends none.
const ENDING_WITHIN: Duration = Duration::from_millis(500);

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message.
    Message(Received),
    /// A line that is none. Shown as it is, escaped; no server of this protocol sends one.
    Noise(String),
}

/// How messages end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Not known yet; the name request tells.
    #[default]
    Undecided,
    /// With a line ending.
    Lines,
    /// Where the next begins, or with silence.
    Unframed,
}

/// Cuts what a server sends into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    framing: Framing,
    unframed: Unframed,
    /// What is longer than any message is dropped to its end.
    dropping: bool,
}

impl Decoder {
    /// For a server of this kind.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// How messages end, as far as is known.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// By which name messages are for us.
    pub fn call_me(&mut self, name: &str) {
        self.unframed.call_me(name);
    }

    /// Something was read, and begins here in what is not decoded yet. Servers that send no line endings mostly begin a
    /// message there.
    pub fn read_begins(&mut self, at: usize) {
        if self.framing != Framing::Lines {
            self.unframed.read_begins(at);
        }
    }

    /// Takes the next whole message off the front of what was read.
    pub fn decode(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        if self.framing == Framing::Unframed {
            return self.unframed.decode(bytes);
        }
        loop {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                if bytes.len() > MOST_BYTES {
                    bytes.clear();
                    self.dropping = true;
                }
                return None;
            };
            self.framing = Framing::Lines;
            let line = bytes.split_to(end);
            bytes.advance(1);
            if std::mem::take(&mut self.dropping) {
                return Some(Item::Noise(format!("a line of more than {MOST_BYTES} bytes was dropped")));
            }
            if let Some(item) = item(&line) {
                return Some(item);
            }
        }
    }

    /// After how much silence [`Self::silence`] is to be told of it; `None` if silence means nothing.
    #[must_use]
    pub fn patience(&self, bytes: &BytesMut) -> Option<Duration> {
        match self.framing {
            Framing::Undecided if bytes[..] == *NAME_REQUEST => Some(ENDING_WITHIN),
            Framing::Undecided | Framing::Lines => None,
            Framing::Unframed => self.unframed.patience(bytes),
        }
    }

    /// Nothing came for as long as [`Self::patience`] said: what that ends.
    pub fn silence(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        self.patience(bytes)?;
        self.framing = Framing::Unframed;
        self.unframed.rest(bytes)
    }

    /// What is left when the server sends no more. To be asked until there is nothing.
    pub fn end(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        match self.framing {
            Framing::Unframed => self.unframed.rest(bytes),
            Framing::Undecided | Framing::Lines => item(&std::mem::take(bytes)),
        }
    }
}

/// What a line is; nothing if it is empty.
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
        let mut decoder = Decoder::default();
        let mut read = bytes("server | client | name | no data");
        assert_eq!(decoder.decode(&mut read), None);
        assert_eq!(decoder.patience(&read), Some(ENDING_WITHIN));
        read.extend_from_slice(b"\r\n");
        assert_eq!(decoder.patience(&read), None);
        let Some(Item::Message(request)) = decoder.decode(&mut read) else { panic!("no message") };
        assert_eq!(request.operation, "name");
        assert_eq!(decoder.framing(), Framing::Lines);
        let mut next = bytes("server | client | name | no data");
        assert_eq!(decoder.patience(&next), None);
        assert_eq!(decoder.silence(&mut next), None);
    }

    #[test]
    fn silence_after_the_name_request_means_none() {
        let mut decoder = Decoder::default();
        let mut read = bytes("server | client | name | no dat");
        assert_eq!((decoder.decode(&mut read), decoder.patience(&read)), (None, None));
        read.extend_from_slice(b"a");
        assert_eq!((decoder.decode(&mut read), decoder.patience(&read)), (None, Some(ENDING_WITHIN)));
        let Some(Item::Message(request)) = decoder.silence(&mut read) else { panic!("no message") };
        assert_eq!((request.operation.as_str(), request.data.as_str()), ("name", "no data"));
        assert_eq!((decoder.framing(), read.len()), (Framing::Unframed, 0));
    }

    #[test]
    fn a_line_without_end_is_dropped_up_to_its_end() {
        let mut decoder = Decoder::new(Framing::Lines);
        let mut read = bytes(&"x".repeat(MOST_BYTES + 1));
        assert_eq!(decoder.decode(&mut read), None);
        read.extend_from_slice(b"more\nserver | a | exit | x\n");
        assert!(matches!(decoder.decode(&mut read), Some(Item::Noise(_))));
        assert!(matches!(decoder.decode(&mut read), Some(Item::Message(_))));
    }
}
