//! [`Codec`]: RTSP's messages, and datagrams between them, out of bytes and into bytes.

use bytes::{Buf, BufMut, BytesMut};
use rtsp_types::{Message, ParseError};
use tokio_util::codec::{Decoder, Encoder};

use super::Failure;

/// The most bytes of one message: a datagram with what stands before it. RTSP's own have some hundred.
const MOST_BYTES: usize = 4 + 65_535;

/// Knows nothing from one message to the next.
pub(super) struct Codec;

impl Decoder for Codec {
    type Item = Message<Vec<u8>>;
    type Error = Failure;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, Failure> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match Message::parse(&bytes[..]) {
            Ok((message, length)) => {
                bytes.advance(length);
                Ok(Some(message))
            }
            Err(ParseError::Incomplete(more)) => {
                let more = more.map_or(1, std::num::NonZero::get);
                if bytes.len().saturating_add(more) > MOST_BYTES {
                    return Err(Failure::Malformed("a message is too long"));
                }
                Ok(None)
            }
            Err(ParseError::Error) => Err(Failure::Malformed("that is no message")),
        }
    }
}

impl Encoder<Message<Vec<u8>>> for Codec {
    type Error = Failure;

    fn encode(&mut self, message: Message<Vec<u8>>, bytes: &mut BytesMut) -> Result<(), Failure> {
        let written = message.write(&mut bytes.writer());
        written.map_err(|_| Failure::Malformed("a message cannot be written"))
    }
}
