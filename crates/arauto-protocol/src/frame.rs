//! [`Frame`]: a unit of a client's input, as its framing delimits it.

use bytes::BytesMut;

/// A unit of a client's input.
///
/// ```
/// use arauto_protocol::{Frame, FrameDecoder};
/// use bytes::BytesMut;
/// use tokio_util::codec::Decoder;
///
/// let mut decoder = FrameDecoder::new(8);
/// let mut input = BytesMut::from("more than eight bytes\n/list\n");
/// assert_eq!(decoder.decode(&mut input)?, Some(Frame::TooLong));
/// assert_eq!(decoder.decode(&mut input)?, Some(Frame::Line("/list".into())));
///
/// let mut http = BytesMut::from("GET / HTTP/1.1\r\n");
/// assert_eq!(FrameDecoder::new(1024).decode(&mut http)?, Some(Frame::Http));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A line without its ending: not empty, at most `limit` bytes, otherwise unchecked.
    Line(BytesMut),
    /// A line that exceeded the limit and was dropped to its end.
    TooLong,
    /// The client's sending side ended in the middle of a line.
    Unfinished,
    /// The end of a line did not arrive in time (`FrameDecoder::abandon`).
    Overdue,
    /// An HTTP request in place of a name.
    Http,
    /// A TLS handshake in place of a name.
    Tls,
    /// The client closed its WebSocket properly.
    Goodbye,
    /// The client violated the WebSocket protocol; nothing more is read.
    Breach(Breach),
}

/// A violation of RFC 6455 by a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A frame is not masked (section 5.1).
    Unmasked,
    /// Reserved bits are set, which belong to extensions (section 5.2); the server offers none.
    Reserved,
    /// An unknown opcode (section 5.2), or a length of more than 63 bits.
    Unknown,
    /// A control frame in fragments, or with more than 125 bytes (section 5.5).
    Control,
    /// A continuation without a message to continue, or a new message inside another (section 5.4).
    Fragment,
    /// A binary frame. Messages are text.
    Binary,
    /// Text that is not UTF-8 (section 8.1).
    NotUtf8,
    /// A close frame with a single byte, or with a code that is invalid or must not be sent (sections 5.5.1 and 7.4).
    CloseCode,
    /// A close frame whose reason is not UTF-8 (section 5.5.1).
    CloseNotUtf8,
    /// The rest of a message did not arrive in time.
    Overdue,
}

impl Breach {
    /// Whether the violation is in a close frame, the last frame of a client.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::CloseCode | Self::CloseNotUtf8)
    }

    /// A description in words that complete "your WebSocket".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unmasked => "sent a frame that is not masked",
            Self::Reserved => "sent a frame of an extension that was not agreed on",
            Self::Unknown => "sent a frame of a kind that there is not",
            Self::Control => "sent a control frame that is in pieces or too long",
            Self::Fragment => "sent the pieces of a message in the wrong order",
            Self::Binary => "sent a binary frame; messages are text",
            Self::NotUtf8 => "sent text that is not UTF-8",
            Self::CloseCode => "sent a close frame whose code is none that may be sent",
            Self::CloseNotUtf8 => "sent a close frame whose reason is not UTF-8",
            Self::Overdue => "did not send the rest of a message in time",
        }
    }
}
