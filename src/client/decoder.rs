//! [`Decoder`]: the bytes that a server sends, as messages.

use bytes::{Buf, BytesMut};

use super::Received;
use crate::protocol::Message;

/// The longest line that is kept: as many bytes as a server's message limit can be set to, twice.
const MOST_BYTES: usize = 2 * 65536;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message.
    Message(Received),
    /// A line that is none. Shown as it is, escaped; no server of this protocol sends one.
    Noise(String),
}

/// Cuts what a server sends into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What is longer than any message is dropped to its end.
    dropping: bool,
}

impl Decoder {
    /// Takes the next whole message off the front of what was read.
    pub fn decode(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        loop {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                if bytes.len() > MOST_BYTES {
                    bytes.clear();
                    self.dropping = true;
                }
                return None;
            };
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

    /// What is left when the server sends no more.
    pub fn end(&mut self, bytes: &mut BytesMut) -> Option<Item> {
        item(&std::mem::take(bytes))
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
