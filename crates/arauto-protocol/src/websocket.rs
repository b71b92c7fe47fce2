//! WebSocket framing (RFC 6455): one message per text frame, in both directions.
//!
//! Decodes a client's bytes to [`Frame`]s, as `framing.rs` does for lines, and encodes a server's frames. The handshake
//! before them is handled by HTTP.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::frame::{Breach, Frame};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Longest payload of a control frame (section 5.5).
const MAX_CONTROL_BYTES: u64 = 125;
/// Longest header of a client's frame: two bytes, a length of 8 bytes, and the mask.
const HEADER_BYTES: usize = 2 + 8 + MASK_BYTES;
const MASK_BYTES: usize = 4;

/// Decodes one client's frames. Like `FrameDecoder`, it leaves incomplete input in the buffer: at most the longest
/// message and a header.
///
/// ```
/// use arauto_protocol::{Frame, websocket::WebSocket};
/// use bytes::BytesMut;
///
/// // The masked frame of RFC 6455, section 5.7, and a ping with the payload `hi` and a mask of zeros.
/// let mut input = BytesMut::from(&b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x82\0\0\0\0hi"[..]);
/// let mut websocket = WebSocket::default();
/// assert_eq!(websocket.next(&mut input, 1024), Some(Frame::Line("Hello".into())));
/// assert_eq!(websocket.next(&mut input, 1024), None);
/// assert_eq!(websocket.take_replies(), b"\x8a\x02hi");
/// ```
#[derive(Debug, Default)]
pub struct WebSocket {
    /// Bytes to send outside of messages.
    replies: Vec<u8>,
    /// The fragments received so far of a fragmented message.
    message: Option<BytesMut>,
    /// The fragmented message, or the frame being skipped, exceeds the limit.
    too_long: bool,
    /// A frame that is too long and is being dropped.
    skipped: Option<Skipped>,
    /// The connection was closed or is broken: all further input is dropped.
    over: bool,
    /// Whether anything but answers to our pings was received.
    heard: bool,
}

/// A frame whose payload is dropped.
#[derive(Clone, Copy, Debug)]
struct Skipped {
    /// Bytes of the payload that are still to come.
    left: u64,
    /// Whether the frame is the last of its message.
    fin: bool,
}

/// A client's frame header.
struct Header {
    opcode: u8,
    fin: bool,
    mask: [u8; MASK_BYTES],
    /// Length of the payload in bytes.
    length: u64,
    /// Length of the header in bytes.
    size: usize,
}

impl WebSocket {
    /// Takes the bytes to send outside of messages: answers to pings.
    pub fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// Whether anything but answers to our pings was received since the last call.
    pub fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Whether a message has begun and not ended, not counting bytes in the buffer.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        !self.over && (self.message.is_some() || self.skipped.is_some())
    }

    /// Gives up the connection, because the client did not send the rest of a message in time.
    pub fn abandon(&mut self, src: &mut BytesMut) -> Frame {
        self.broken(src, Breach::Overdue)
    }

    /// The next message of at most `limit` bytes, or another event. Empty messages are ignored.
    pub fn next(&mut self, src: &mut BytesMut, limit: usize) -> Option<Frame> {
        loop {
            if self.over {
                src.clear();
                return None;
            }
            if let Some(skipped) = self.skipped.take() {
                if let Some(frame) = self.skip(skipped, src) {
                    return Some(frame);
                }
                if self.skipped.is_some() {
                    return None;
                }
            }
            let header = match header(src) {
                Ok(header) => header?,
                Err(breach) => return Some(self.broken(src, breach)),
            };
            if let Err(breach) = self.judge(&header) {
                return Some(self.broken(src, breach));
            }
            let is_control = header.opcode >= CLOSE;
            self.heard |= header.opcode != PONG;
            let kept = self.message.as_ref().map_or(0, BytesMut::len);
            // A line ending of up to two bytes at the end of a message does not count.
            let room = (limit + 2).saturating_sub(kept);
            if !is_control && (self.too_long || header.length > room as u64) {
                src.advance(header.size);
                self.too_long = true;
                self.skipped = Some(Skipped { left: header.length, fin: header.fin });
                self.message = (!header.fin).then(BytesMut::new);
                continue;
            }
            // At most the length of a message, so it fits into `usize`.
            let length = usize::try_from(header.length).unwrap_or(usize::MAX);
            if src.len() - header.size < length {
                return None;
            }
            src.advance(header.size);
            let mut payload = src.split_to(length);
            unmask(&mut payload, header.mask);
            let frame = match header.opcode {
                CLOSE => {
                    self.over = true;
                    Some(judge_close(&payload).map_or_else(Frame::Breach, |()| Frame::Goodbye))
                }
                PING => {
                    put_header(&mut self.replies, PONG, payload.len());
                    self.replies.extend_from_slice(&payload);
                    None
                }
                PONG => None,
                _ => self.piece(payload, header.fin, limit),
            };
            if let Some(frame) = frame {
                self.over |= matches!(frame, Frame::Breach(_));
                return Some(frame);
            }
        }
    }

    fn broken(&mut self, src: &mut BytesMut, breach: Breach) -> Frame {
        self.over = true;
        src.clear();
        Frame::Breach(breach)
    }

    /// Whether this frame is allowed at this point.
    fn judge(&self, header: &Header) -> Result<(), Breach> {
        match header.opcode {
            CLOSE | PING | PONG if !header.fin || header.length > MAX_CONTROL_BYTES => Err(Breach::Control),
            CONTINUATION if self.message.is_none() => Err(Breach::Fragment),
            TEXT | BINARY if self.message.is_some() => Err(Breach::Fragment),
            BINARY => Err(Breach::Binary),
            TEXT | CONTINUATION | CLOSE | PING | PONG => Ok(()),
            _ => Err(Breach::Unknown),
        }
    }

    /// Drops the available bytes of a frame that is too long.
    fn skip(&mut self, Skipped { left, fin }: Skipped, src: &mut BytesMut) -> Option<Frame> {
        let there = left.min(src.len() as u64);
        // At most the buffer's length, so it fits into `usize`.
        src.advance(usize::try_from(there).unwrap_or(usize::MAX));
        if there < left {
            self.skipped = Some(Skipped { left: left - there, fin });
            return None;
        }
        self.too_long = !fin;
        fin.then_some(Frame::TooLong)
    }

    /// Adds a fragment to the message; returns the message if the fragment is its last.
    fn piece(&mut self, payload: BytesMut, fin: bool, limit: usize) -> Option<Frame> {
        let mut message = match self.message.take() {
            Some(mut message) => {
                message.extend_from_slice(&payload);
                message
            }
            None => payload,
        };
        if !fin {
            self.message = Some(message);
            return None;
        }
        if std::str::from_utf8(&message).is_err() {
            return Some(Frame::Breach(Breach::NotUtf8));
        }
        message.truncate(without_ending(&message).len());
        match message.len() {
            0 => None,
            length if length > limit => Some(Frame::TooLong),
            _ => Some(Frame::Line(message)),
        }
    }
}

/// Validates the payload of a close frame: empty, or a code and an optional reason (section 5.5.1).
fn judge_close(payload: &[u8]) -> Result<(), Breach> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(()) } else { Err(Breach::CloseCode) };
    };
    // The codes of section 7.4.1 that may be sent, those registered since, and the ranges for libraries and
    // applications.
    if !matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Breach::CloseCode);
    }
    std::str::from_utf8(reason).map(drop).map_err(|_| Breach::CloseNotUtf8)
}

/// Removes a line ending, which clients that read their text by lines send along.
fn without_ending(message: &[u8]) -> &[u8] {
    let line = message.strip_suffix(b"\n").unwrap_or(message);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Parses the header at the beginning of a client's bytes. `None` if it is incomplete.
fn header(src: &[u8]) -> Result<Option<Header>, Breach> {
    let [first, second, rest @ ..] = src else { return Ok(None) };
    if first & RESERVED != 0 {
        return Err(Breach::Reserved);
    }
    if second & MASKED == 0 {
        return Err(Breach::Unmasked);
    }
    let (length, rest) = match second & LENGTH {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => (u64::from(length), rest),
    };
    // The most significant bit of a 64-bit length must be 0 (section 5.2).
    if length > u64::MAX >> 1 {
        return Err(Breach::Unknown);
    }
    let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let size = src.len() - rest.len();
    debug_assert!(size <= HEADER_BYTES);
    Ok(Some(Header { opcode: first & OPCODE, fin: first & FIN != 0, mask: *mask, length, size }))
}

fn unmask(payload: &mut [u8], mask: [u8; MASK_BYTES]) {
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Writes the header of an unfragmented frame from the server. Servers do not mask.
fn put_header(to: &mut impl BufMut, opcode: u8, length: usize) {
    to.put_u8(FIN | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => to.put_u8(length),
        (_, Ok(length)) => {
            to.put_u8(126);
            to.put_u16(length);
        }
        _ => {
            to.put_u8(127);
            to.put_u64(length as u64);
        }
    }
}

/// Writes a message as a text frame from the server.
///
/// ```
/// use arauto_protocol::websocket::{frame_len, put_text};
///
/// let mut frame = bytes::BytesMut::new();
/// put_text(&mut frame, b"Hello");
/// assert_eq!(frame, &b"\x81\x05Hello"[..]);
/// assert_eq!(frame_len(&frame), 7);
/// ```
pub fn put_text(to: &mut BytesMut, text: &[u8]) {
    put_header(to, TEXT, text.len());
    to.put_slice(text);
}

/// A close frame from the server with this code (section 7.4).
///
/// ```
/// assert_eq!(arauto_protocol::websocket::close_frame(1000), &b"\x88\x02\x03\xe8"[..]);
/// ```
#[must_use]
pub fn close_frame(code: u16) -> Bytes {
    let mut frame = BytesMut::with_capacity(4);
    put_header(&mut frame, CLOSE, 2);
    frame.put_u16(code);
    frame.freeze()
}

/// A ping frame from the server, without payload.
pub const PING_FRAME: &[u8] = &[FIN | PING, 0];

/// Length of the server's frame at the beginning of these bytes.
#[must_use]
pub fn frame_len(bytes: &[u8]) -> usize {
    let [_, length, rest @ ..] = bytes else { return bytes.len() };
    match (length, rest.first_chunk(), rest.first_chunk()) {
        (126, Some(length), _) => 4 + usize::from(u16::from_be_bytes(*length)),
        (127, _, Some(length)) => {
            let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
            length.saturating_add(10)
        }
        (length, ..) => 2 + usize::from(*length),
    }
}

#[cfg(test)]
mod tests;
