//! [`Codec`]: decodes and encodes RTSP messages, and the datagrams interleaved with them.

use bytes::{Buf, BufMut, BytesMut};
use rtsp_types::{Message, ParseError, headers::HeaderValue};
use tokio_util::codec::{Decoder, Encoder};

use super::RtspError;

/// Maximum size of a message, in bytes: an interleaved datagram with its 4-byte header. RTSP's own messages have some
/// hundred bytes.
const MAX_BYTES: usize = 4 + 65_535;

/// A stateless codec: no message depends on an earlier one.
pub(super) struct Codec;

impl Decoder for Codec {
    type Item = Message<Vec<u8>>;
    type Error = RtspError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, RtspError> {
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
                if bytes.len().saturating_add(more) > MAX_BYTES {
                    return Err(RtspError::Malformed("a message is too long"));
                }
                Ok(None)
            }
            Err(ParseError::Error) => Err(RtspError::Malformed("that is no message")),
        }
    }
}

/// Whether a header value holds a control character, which would end it and begin another header or message. Parts of
/// the values come from a server, and the library writes them unchanged.
fn is_split(message: &Message<Vec<u8>>) -> bool {
    let holds_control = |value: &HeaderValue| value.as_str().contains(char::is_control);
    match message {
        Message::Request(request) => request.headers().any(|(_, value)| holds_control(value)),
        Message::Response(response) => response.headers().any(|(_, value)| holds_control(value)),
        Message::Data(_) => false,
    }
}

impl Encoder<Message<Vec<u8>>> for Codec {
    type Error = RtspError;

    fn encode(&mut self, message: Message<Vec<u8>>, bytes: &mut BytesMut) -> Result<(), RtspError> {
        if is_split(&message) {
            return Err(RtspError::Malformed("a header would be two"));
        }
        let written = message.write(&mut bytes.writer());
        written.map_err(|_| RtspError::Malformed("a message cannot be written"))
    }
}

#[cfg(test)]
mod tests {
    use rtsp_types::{Method, Request, Version, headers::SESSION};

    use super::*;

    #[test]
    fn no_header_begins_another() {
        for (session, is_written) in
            [("12;timeout=60", true), ("1\r\nX: y", false), ("1\ny", false), ("\u{85}", false)]
        {
            let request =
                Request::builder(Method::Play, Version::V1_0).header(SESSION, session).build(Vec::new());
            let mut bytes = BytesMut::new();
            let written = Codec.encode(request.into(), &mut bytes);
            assert_eq!((written.is_ok(), bytes.is_empty()), (is_written, !is_written), "{session:?}");
        }
    }
}
