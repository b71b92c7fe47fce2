//! [`Frame`]: what a client sent, as far as its framing goes.

use bytes::BytesMut;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// One line without its ending; not empty, at most the limit's bytes, otherwise unchecked.
    Line(BytesMut),
    /// A line passed the limit and was dropped to its end.
    TooLong,
    /// The client's sending side ended in the middle of a line.
    Unfinished,
    /// The end of a line did not come in time (`FrameDecoder::abandon`).
    Overdue,
    /// An HTTP request in place of a name.
    Http,
    /// A TLS hello in place of a name.
    Tls,
    /// A WebSocket was closed in order.
    Goodbye,
    /// It was not used in order; nothing more of it is read.
    Breach(Breach),
}

/// How a client broke RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A frame that is not masked (section 5.1).
    Unmasked,
    /// Bits that belong to an extension (section 5.2); none is offered.
    Reserved,
    /// An opcode that there is not (section 5.2), or a length that is none.
    Unknown,
    /// A control frame in fragments, or with more than 125 bytes (section 5.5).
    Control,
    /// A fragment of nothing, or a new message in the midst of one (section 5.4).
    Fragment,
    /// A binary frame. Messages are text.
    Binary,
    /// Text that is not UTF-8 (section 8.1).
    NotUtf8,
    /// A close frame with one byte, or with a code that is none or must not be sent (sections 5.5.1 and 7.4).
    CloseCode,
    /// A close frame whose reason is not UTF-8 (section 5.5.1).
    CloseNotUtf8,
    /// The rest of a message did not come in time.
    Overdue,
}

impl Breach {
    /// Whether it was found in what a client sends last.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::CloseCode | Self::CloseNotUtf8)
    }

    /// What was wrong, in words that complete "your WebSocket".
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
