//! [`Line`]: one encoded message, ready to be sent.

use bytes::{BufMut, Bytes, BytesMut};

use super::{kind::Kind, message::Message, websocket};

/// One encoded message and the newline that ends it.
///
/// By construction the newline is the only one, so a `Line` can be appended to others without
/// a second look. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(Bytes);

impl Line {
    /// The message's bytes with the newline: what a line client is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The message's text without the newline, for the log.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0[..self.0.len() - 1]).unwrap_or_default()
    }

    /// The bytes that a client of this kind is sent for this line.
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

impl From<&Message<'_>> for Line {
    fn from(message: &Message<'_>) -> Self {
        let mut bytes = BytesMut::with_capacity(message.encoded_len() + 1);
        message.encode(&mut bytes);
        bytes.put_u8(b'\n');
        Self(bytes.freeze())
    }
}
