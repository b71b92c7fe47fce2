//! [`Input`]: splits the bytes that a server receives on a connection into requests and the datagrams between them (RFC
//! 2326, section 10.12).

use bytes::{Buf, Bytes, BytesMut};
use rtsp_types::{Message, ParseError, Request};

use crate::description;

/// The longest datagram that is accepted, in bytes. [`Input`] skips longer ones, which networks fragment or drop.
pub const MAX_DATAGRAM: usize = 2048;

/// The largest request head, in bytes: request line, headers and the blank line after them.
pub const MAX_HEAD: usize = 8 * 1024;

/// First byte of a datagram's frame (RFC 2326, section 10.12).
const FRAME: u8 = b'$';

/// Bytes of a frame before the datagram.
const FRAME_HEADER: usize = 4;

/// A complete request or datagram.
#[derive(Debug)]
pub enum Incoming {
    /// A request with its body, which is empty unless the request has a `Content-Length`.
    Request(Request<Vec<u8>>),
    /// An RTP or RTCP datagram, after the number of its interleaved channel.
    Datagram(u8, Bytes),
}

/// Why the rest of the input cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The input is HTTP.
    Http,
    /// The input is another version of RTSP.
    Version,
    /// The head is longer than [`MAX_HEAD`].
    Head,
    /// The body is longer than [`description::MAX_BYTES`].
    Body,
    /// The input is neither a request nor a datagram.
    Malformed,
}

/// Bytes that were read from one connection and are not parsed yet.
///
/// ```
/// use arauto_rtsp::input::{Incoming, Input, Unreadable};
///
/// let mut input = Input::default();
/// input.extend(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x02\x00\x03abc");
/// assert!(matches!(input.next_incoming(), Ok(Some(Incoming::Request(request))) if request.body().is_empty()));
/// assert!(matches!(input.next_incoming(), Ok(Some(Incoming::Datagram(2, bytes))) if bytes[..] == *b"abc"));
/// assert!(matches!(input.next_incoming(), Ok(None)));
/// input.extend(b"GET / HTTP/1.1\r\n");
/// assert!(matches!(input.next_incoming(), Err(Unreadable::Http)));
/// ```
#[derive(Debug, Default)]
pub struct Input {
    bytes: BytesMut,
    /// Parsing waits until this many bytes are present.
    needed: usize,
    /// Bytes to discard, of a datagram that is too long.
    skip: usize,
}

impl Input {
    /// Appends bytes that were read. Call [`Self::next_incoming`] until it returns `None` before appending more: at most
    /// [`MAX_HEAD`] + [`description::MAX_BYTES`] bytes then remain in the buffer.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether an incomplete request or datagram is pending, once [`Self::next_incoming`] has returned `None`.
    #[must_use]
    pub fn is_midway(&self) -> bool {
        !self.bytes.is_empty() || self.skip > 0
    }

    /// Number of bytes in the buffer.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the next complete request or datagram, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`Unreadable`] if the input cannot become a request or a datagram. The position of the next message is then
    /// unknown, so the connection has to be closed.
    pub fn next_incoming(&mut self) -> Result<Option<Incoming>, Unreadable> {
        loop {
            let skipped = self.skip.min(self.bytes.len());
            self.bytes.advance(skipped);
            self.skip -= skipped;
            while let Some(b'\r' | b'\n') = self.bytes.first() {
                self.bytes.advance(1);
            }
            if self.bytes.is_empty() || self.bytes.len() < self.needed {
                return Ok(None);
            }
            self.needed = 0;
            if self.bytes[0] != FRAME {
                return self.message();
            }
            let Some((header, _)) = self.bytes.split_first_chunk::<FRAME_HEADER>() else { return Ok(None) };
            let [_, channel, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_DATAGRAM {
                self.skip = FRAME_HEADER + length;
                continue;
            }
            if self.bytes.len() < FRAME_HEADER + length {
                self.needed = FRAME_HEADER + length;
                return Ok(None);
            }
            self.bytes.advance(FRAME_HEADER);
            return Ok(Some(Incoming::Datagram(channel, self.bytes.split_to(length).freeze())));
        }
    }

    fn message(&mut self) -> Result<Option<Incoming>, Unreadable> {
        self.judge_first_line()?;
        let Some(head) = self.head()? else { return Ok(None) };
        match Message::<Vec<u8>>::parse(&self.bytes[..]) {
            Ok((message, length)) => {
                self.bytes.advance(length);
                match message {
                    Message::Request(request) if request.body().len() > description::MAX_BYTES => {
                        Err(Unreadable::Body)
                    }
                    Message::Request(request) => Ok(Some(Incoming::Request(request))),
                    // A server sends no requests, so it expects no responses.
                    Message::Response(_) | Message::Data(_) => Err(Unreadable::Malformed),
                }
            }
            Err(ParseError::Incomplete(more)) => {
                let more = more.map_or(1, std::num::NonZeroUsize::get);
                let needed = self.bytes.len().checked_add(more).ok_or(Unreadable::Body)?;
                if needed > head + description::MAX_BYTES {
                    return Err(Unreadable::Body);
                }
                self.needed = needed;
                Ok(None)
            }
            Err(ParseError::Error) => Err(Unreadable::Malformed),
        }
    }

    /// Rejects early what cannot become a request.
    fn judge_first_line(&self) -> Result<(), Unreadable> {
        let Some(end) = memchr::memchr(b'\n', &self.bytes) else {
            return if self.bytes.len() > MAX_HEAD { Err(Unreadable::Head) } else { Ok(()) };
        };
        let line = self.bytes[..end].trim_ascii_end();
        let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        match last {
            b"RTSP/1.0" => Ok(()),
            _ if last.starts_with(b"HTTP/") => Err(Unreadable::Http),
            _ if last.starts_with(b"RTSP/") => Err(Unreadable::Version),
            _ => Err(Unreadable::Malformed),
        }
    }

    /// The length of the head, if it is complete.
    fn head(&self) -> Result<Option<usize>, Unreadable> {
        let searched = &self.bytes[..self.bytes.len().min(MAX_HEAD)];
        match memchr::memmem::find(searched, b"\r\n\r\n") {
            Some(end) => Ok(Some(end + 4)),
            None if searched.len() == MAX_HEAD => Err(Unreadable::Head),
            // Other line endings are not RTSP. Rejected here, because such a head would never be complete.
            None if memchr::memmem::find(searched, b"\n\n").is_some() => Err(Unreadable::Malformed),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses these bytes, and checks that the result does not depend on how they are split.
    fn read(bytes: &[u8]) -> Result<Vec<String>, Unreadable> {
        let read_in = |pieces: Vec<&[u8]>| {
            let mut input = Input::default();
            let mut all = Vec::new();
            for piece in pieces {
                input.extend(piece);
                while let Some(incoming) = input.next_incoming()? {
                    all.push(match incoming {
                        Incoming::Request(request) => {
                            format!("{} {}", <&str>::from(request.method()), request.body().len())
                        }
                        Incoming::Datagram(channel, bytes) => format!("{channel} {}", bytes.len()),
                    });
                }
            }
            assert!(!input.is_midway() || input.bytes.len() <= bytes.len());
            Ok(all)
        };
        let whole = read_in(vec![bytes]);
        assert_eq!(read_in(bytes.chunks(1).collect()), whole);
        assert_eq!(read_in(bytes.chunks(7).collect()), whole);
        whole
    }

    #[test]
    fn requests_and_datagrams_in_any_pieces() {
        let mut bytes = b"\r\nOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x01\x00\x03abc".to_vec();
        bytes.extend(
            b"ANNOUNCE rtsp://h/7f3a RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\n$\x00\x00\x00",
        );
        // A datagram that is too long is skipped.
        bytes.extend([b"$\0".as_slice(), &4_000u16.to_be_bytes(), &[0; 4_000], b"$\x02\0\x01x"].concat());
        assert_eq!(read(&bytes).unwrap(), ["OPTIONS 0", "1 3", "ANNOUNCE 5", "0 0", "2 1"]);
    }

    #[test]
    fn what_is_none() {
        let long = format!("OPTIONS * RTSP/1.0\r\nX: {}", "x".repeat(MAX_HEAD));
        let line = "x".repeat(MAX_HEAD + 1);
        let whole = format!("OPTIONS * RTSP/1.0\r\nContent-Length: 16385\r\n\r\n{}", "x".repeat(16_385));
        for (bytes, why) in [
            ("GET / HTTP/1.1\r\n\r\n", Unreadable::Http),
            ("OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", Unreadable::Version),
            ("hello\r\n", Unreadable::Malformed),
            ("OPTIONS * RTSP/1.0\nCSeq: 1\n\n", Unreadable::Malformed),
            ("OPTIONS * RTSP/1.0\r\nno header\r\n\r\n", Unreadable::Malformed),
            ("OPTIONS * RTSP/1.0\r\nContent-Length: x\r\n\r\n", Unreadable::Malformed),
            ("OPTIONS * RTSP/1.0\r\nContent-Length: 16385\r\n\r\n", Unreadable::Body),
            ("OPTIONS * RTSP/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n", Unreadable::Body),
            ("RTSP/1.0 200 OK\r\n\r\n", Unreadable::Malformed),
            (&long, Unreadable::Head),
            (&line, Unreadable::Head),
            (&whole, Unreadable::Body),
        ] {
            assert_eq!(read(bytes.as_bytes()), Err(why), "{}", bytes.chars().take(60).collect::<String>());
        }
    }
}
