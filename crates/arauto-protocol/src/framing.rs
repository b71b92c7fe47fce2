//! [`FrameDecoder`]: splits bytes into lines for each kind of client, and detects the kind of TCP clients.
//!
//! A session over a WebSocket has the kind [`Kind::WebSocket`] from the start. Every other session starts as
//! [`Kind::Line`]. It becomes [`Kind::Telnet`] at the first IAC byte. It becomes [`Kind::Unframed`] if its answer to
//! the name request is all of its first read and has no line ending, and silence follows; it is a line client again if
//! a later read ends with a line ending. No other changes of kind occur.

use std::io;

use bytes::{Buf, BytesMut};
use memchr::{memchr_iter, memchr2, memchr3};
use tokio_util::codec::Decoder;

use super::{
    foreign::{TLS_HANDSHAKE, is_http},
    frame::Frame,
    kind::Kind,
    message::{self, Message, NAME},
    telnet::{Ended, IAC, Telnet},
    websocket::WebSocket,
};

/// Decodes the bytes of one client.
///
/// In addition to [`Decoder`], the reader calls [`Self::read_done`] after it took all frames of a read. If that returns
/// true, the reader calls [`Self::silence`] when nothing arrives for `compat.unframed_wait_ms`. The reader may time an
/// [`Self::unfinished_line`] and [`Self::abandon`] it.
///
/// ```
/// use arauto_protocol::{Frame, FrameDecoder, Kind};
/// use bytes::BytesMut;
/// use tokio_util::codec::Decoder;
///
/// let mut decoder = FrameDecoder::new(1024);
/// let mut input = BytesMut::from("alan\r\n/all hi\n/li");
/// assert_eq!(decoder.decode(&mut input)?, Some(Frame::Line("alan".into())));
/// assert_eq!(decoder.decode(&mut input)?, Some(Frame::Line("/all hi".into())));
/// assert_eq!(decoder.decode(&mut input)?, None);
/// assert!(!decoder.read_done(&input));
/// assert_eq!(input, "/li");
/// assert_eq!(decoder.kind(), Kind::Line);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    kind: Kind,
    /// Most bytes of a line, its ending not counted.
    limit: u32,
    /// Length of the buffer's prefix that is known to hold no line ending.
    scanned: u32,
    /// Number of lines that have ended, including empty ones. Wraps around: good only to tell a line from the next.
    lines: u32,
    start: Start,
    fate: Fate,
    /// The first read was a whole name message without a line ending.
    may_be_unframed: bool,
    /// The last thing decoded was a line ending, and the read holds nothing after it.
    ends_with_line: bool,
    /// Boxed because few sessions need it, and every session has the field.
    telnet: Option<Box<Telnet>>,
    /// The decoder of a [`Kind::WebSocket`] client.
    websocket: Option<Box<WebSocket>>,
}

/// Progress through the beginning of the stream, where other protocols and a byte order mark are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Nothing was judged yet.
    Bytes,
    /// The first bytes were judged, the first line was not; this is the first read.
    FirstRead,
    /// As [`Self::FirstRead`], in a later read.
    FirstLine,
    /// The first line was judged.
    Over,
    /// The stream is of another protocol; all further bytes are dropped.
    Foreign,
}

/// Treatment of the line that is being received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// The line is kept.
    #[default]
    Kept,
    /// The line exceeded the limit. Its bytes are dropped, and [`Frame::TooLong`] is emitted at its end.
    TooLong,
    /// The line did not end in time, for which [`Frame::Overdue`] was emitted. Its bytes are dropped up to its end.
    Abandoned,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl FrameDecoder {
    /// A decoder for lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            kind: Kind::Line,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            scanned: 0,
            lines: 0,
            start: Start::Bytes,
            fate: Fate::Kept,
            may_be_unframed: false,
            ends_with_line: false,
            telnet: None,
            websocket: None,
        }
    }

    /// A decoder for WebSocket frames with messages of at most `limit` bytes.
    #[must_use]
    pub fn for_websocket(limit: usize) -> Self {
        let websocket = Some(Box::default());
        Self { kind: Kind::WebSocket, start: Start::FirstLine, websocket, ..Self::new(limit) }
    }

    /// The kind of the client, as far as it is known.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Takes the bytes to send to a telnet client or a WebSocket outside of messages.
    pub fn take_replies(&mut self) -> Vec<u8> {
        match (&mut self.telnet, &mut self.websocket) {
            (Some(telnet), _) => telnet.take_replies(),
            (_, Some(websocket)) => websocket.take_replies(),
            _ => Vec::new(),
        }
    }

    /// Whether the input since the last call shows activity of the client. False only if a WebSocket sent nothing but
    /// answers to our pings, which its library sends by itself.
    pub fn take_heard(&mut self) -> bool {
        self.websocket.as_mut().is_none_or(|websocket| websocket.take_heard())
    }

    /// Must be called when all frames of a read were taken; `rest` is what the read left over. Returns whether a
    /// following silence is significant, see [`Self::silence`].
    pub fn read_done(&mut self, rest: &[u8]) -> bool {
        let first = self.start == Start::FirstRead;
        if first {
            self.start = Start::FirstLine;
        }
        match self.kind {
            Kind::Line => {
                self.may_be_unframed = first && self.fate == Fate::Kept && is_whole_introduction(rest);
                self.may_be_unframed
            }
            Kind::Telnet | Kind::WebSocket => false,
            // The client sends line endings after all. They may come late: a microcontroller may send them in packets
            // of their own.
            Kind::Unframed if self.ends_with_line => {
                self.kind = Kind::Line;
                false
            }
            Kind::Unframed => self.fate != Fate::Kept || !rest.is_empty(),
        }
    }

    /// Must be called when nothing arrived for the time that [`Self::read_done`] asked for. Then the bytes read so far
    /// are an unframed message.
    ///
    /// ```
    /// use arauto_protocol::{Frame, FrameDecoder, Kind};
    /// use bytes::BytesMut;
    /// use tokio_util::codec::Decoder;
    ///
    /// let mut decoder = FrameDecoder::new(1024);
    /// let mut input = BytesMut::from("alan | server | name | alan");
    /// assert_eq!(decoder.decode(&mut input)?, None);
    /// assert!(decoder.read_done(&input));
    /// assert_eq!(decoder.silence(&mut input), Some(Frame::Line("alan | server | name | alan".into())));
    /// assert_eq!(decoder.kind(), Kind::Unframed);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn silence(&mut self, src: &mut BytesMut) -> Option<Frame> {
        if std::mem::take(&mut self.may_be_unframed) {
            self.kind = Kind::Unframed;
        }
        if self.kind == Kind::Unframed { self.rest(src) } else { None }
    }

    /// Whether the answer to the name request was received, valid or not.
    #[must_use]
    pub fn is_past_first_line(&self) -> bool {
        self.start == Start::Over
    }

    /// Number of the line that has begun and not ended. `None` for the first line and an abandoned one. `rest` is what
    /// the last read left over.
    #[must_use]
    pub fn unfinished_line(&self, rest: &[u8]) -> Option<u32> {
        let has_begun = !rest.is_empty()
            || self.fate == Fate::TooLong
            || self.telnet.as_ref().is_some_and(|telnet| telnet.is_mid_line())
            || self.websocket.as_ref().is_some_and(|websocket| websocket.is_mid_message());
        let counts = self.is_past_first_line() && self.fate != Fate::Abandoned;
        (has_begun && counts).then_some(self.lines)
    }

    /// Drops the unfinished line and all bytes up to its end.
    pub fn abandon(&mut self, src: &mut BytesMut) -> Frame {
        if let Some(websocket) = &mut self.websocket {
            return websocket.abandon(src);
        }
        self.fate = Fate::Abandoned;
        self.drop_all_but_return(src);
        Frame::Overdue
    }

    /// Ends a line and returns its fate.
    fn end_line(&mut self) -> Fate {
        self.lines = self.lines.wrapping_add(1);
        std::mem::take(&mut self.fate)
    }

    /// Takes all bytes that are not framed yet as one unframed message.
    fn rest(&mut self, src: &mut BytesMut) -> Option<Frame> {
        self.start = Start::Over;
        self.scanned = 0;
        let mut message = src.split();
        // A carriage return is the first half of an ending whose second half is still on its way.
        if message.ends_with(b"\r") {
            message.truncate(message.len() - 1);
        }
        match self.end_line() {
            Fate::Abandoned => None,
            Fate::TooLong => Some(Frame::TooLong),
            Fate::Kept if message.len() > self.limit as usize => Some(Frame::TooLong),
            Fate::Kept => (!message.is_empty()).then_some(Frame::Line(message)),
        }
    }

    /// Judges the first bytes of the stream. `None` if more bytes are needed.
    fn judge_start(&mut self, src: &mut BytesMut) -> Option<()> {
        for mark in [BYTE_ORDER_MARK, TLS_HANDSHAKE] {
            if src.len() < mark.len() && mark.starts_with(src) {
                return None;
            }
        }
        self.start = if src.starts_with(TLS_HANDSHAKE) { Start::Foreign } else { Start::FirstRead };
        if src.starts_with(BYTE_ORDER_MARK) {
            src.advance(BYTE_ORDER_MARK.len());
        }
        Some(())
    }

    /// Finds the end of the next line, or the first telnet command.
    fn scan(&mut self, src: &[u8]) -> Found {
        let mut from = self.scanned as usize;
        while let Some(at) = match self.kind {
            Kind::Unframed => memchr2(b'\n', 0, &src[from..]),
            Kind::Line | Kind::Telnet | Kind::WebSocket => memchr3(b'\n', 0, IAC, &src[from..]),
        } {
            let at = from + at;
            let after_return = at > 0 && src[at - 1] == b'\r';
            match src[at] {
                IAC => return Found::Iac(at),
                0 if !after_return => from = at + 1,
                _ => return Found::End { line: at - usize::from(after_return), over: at + 1 },
            }
        }
        Found::Nothing
    }

    /// The next frame of a client that ends its lines.
    fn next_line(&mut self, src: &mut BytesMut) -> Option<Frame> {
        let limit = self.limit as usize;
        loop {
            match self.scan(src) {
                // Empty lines can be many, and need no split of the buffer.
                Found::End { line: 0, over } if self.fate == Fate::Kept => {
                    self.scanned = 0;
                    self.end_line();
                    src.advance(over);
                    self.ends_with_line = src.is_empty();
                }
                Found::End { line: end, over } => {
                    self.scanned = 0;
                    let mut line = src.split_to(over);
                    line.truncate(end);
                    self.ends_with_line = src.is_empty();
                    if let Some(frame) = self.judge_line(line) {
                        return Some(frame);
                    }
                }
                Found::Iac(at) if at > limit + 1 && self.is_http_request(src) => {
                    return Some(Frame::Http);
                }
                Found::Iac(at) => {
                    let overflowed = self.fate == Fate::TooLong || at > limit + 1;
                    // From here on, the telnet decoder remembers the overflow.
                    self.fate = if self.fate == Fate::Abandoned { Fate::Abandoned } else { Fate::Kept };
                    self.telnet = Some(Box::new(Telnet::after(&src[..at], overflowed)));
                    self.kind = Kind::Telnet;
                    src.advance(at);
                    return self.next_telnet_line(src);
                }
                Found::Nothing => {
                    self.ends_with_line &= src.is_empty();
                    self.scanned = u32::try_from(src.len()).unwrap_or(u32::MAX);
                    // The byte after the limit may be the carriage return of the line ending.
                    if self.fate != Fate::Kept || src.len() > limit + 1 {
                        return self.skip(src);
                    }
                    return None;
                }
            }
        }
    }

    /// The frame for a line without its ending. `None` if the line is ignored, because it is empty or abandoned.
    fn judge_line(&mut self, line: BytesMut) -> Option<Frame> {
        let fate = self.end_line();
        let too_long = fate == Fate::TooLong || line.len() > self.limit as usize;
        if fate == Fate::Abandoned || line.is_empty() && !too_long {
            return None;
        }
        if self.is_http_request(&line) {
            return Some(Frame::Http);
        }
        self.start = Start::Over;
        Some(if too_long { Frame::TooLong } else { Frame::Line(line) })
    }

    /// Drops the bytes so far of a line that is dropped to its end.
    fn skip(&mut self, src: &mut BytesMut) -> Option<Frame> {
        if self.is_http_request(src) {
            return Some(Frame::Http);
        }
        self.start = Start::Over;
        if self.fate == Fate::Kept {
            self.fate = Fate::TooLong;
        }
        self.drop_all_but_return(src);
        None
    }

    /// Drops the buffer but for a final carriage return, after which a NUL would end the line.
    fn drop_all_but_return(&mut self, src: &mut BytesMut) {
        src.advance(src.len() - usize::from(src.ends_with(b"\r")));
        self.scanned = u32::from(!src.is_empty());
    }

    fn next_telnet_line(&mut self, src: &mut BytesMut) -> Option<Frame> {
        let limit = self.limit as usize;
        let telnet = self.telnet.get_or_insert_default();
        while src.has_remaining() {
            let Some(ended) = telnet.push(src.get_u8(), limit) else { continue };
            self.lines = self.lines.wrapping_add(1);
            let fate = std::mem::take(&mut self.fate);
            let frame = match ended {
                _ if fate == Fate::Abandoned => continue,
                Ended::Line(line) if line.is_empty() => continue,
                Ended::Line(line) => Frame::Line(line.as_slice().into()),
                Ended::TooLong => Frame::TooLong,
            };
            self.start = Start::Over;
            return Some(frame);
        }
        None
    }

    fn next_websocket_message(&mut self, src: &mut BytesMut) -> Option<Frame> {
        let frame = self.websocket.get_or_insert_default().next(src, self.limit as usize)?;
        self.lines = self.lines.wrapping_add(1);
        self.start = Start::Over;
        Some(frame)
    }

    /// Whether the first line of the stream is HTTP's. If so, the rest of the stream is foreign.
    fn is_http_request(&mut self, line: &[u8]) -> bool {
        // Only these bytes are certain to be there when a line is found to be too long.
        let head = &line[..line.len().min(self.limit as usize + 1)];
        let is_first_line = matches!(self.start, Start::FirstRead | Start::FirstLine);
        let foreign = is_first_line && is_http(head);
        if foreign {
            self.start = Start::Foreign;
        }
        foreign
    }
}

/// The result of [`FrameDecoder::scan`].
enum Found {
    /// The line's content ends before byte `line`, its ending before byte `over`.
    End {
        line: usize,
        over: usize,
    },
    /// A telnet command begins at this byte.
    Iac(usize),
    Nothing,
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = io::Error;

    /// Never fails: any bytes are frames.
    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<Frame>> {
        if self.start == Start::Bytes {
            if self.judge_start(src).is_none() {
                return Ok(None);
            }
            if self.start == Start::Foreign {
                src.clear();
                return Ok(Some(Frame::Tls));
            }
        }
        if self.start == Start::Foreign {
            src.clear();
            return Ok(None);
        }
        Ok(match self.kind {
            Kind::Line => self.next_line(src),
            Kind::Telnet => self.next_telnet_line(src),
            Kind::WebSocket => self.next_websocket_message(src),
            Kind::Unframed => {
                let line = self.next_line(src);
                if line.is_none() && is_whole_message(src) { self.rest(src) } else { line }
            }
        })
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> io::Result<Option<Frame>> {
        let frame = self.decode(src)?;
        if frame.is_some() || self.start == Start::Foreign {
            return Ok(frame);
        }
        if self.kind == Kind::Unframed {
            return Ok(self.rest(src));
        }
        let mid_line = self.telnet.take().is_some_and(|telnet| telnet.is_mid_line())
            || self.websocket.take().is_some_and(|websocket| websocket.is_mid_message());
        let fate = self.end_line();
        let unfinished = fate != Fate::Abandoned && (mid_line || fate == Fate::TooLong || !src.is_empty());
        src.clear();
        self.scanned = 0;
        Ok(unfinished.then_some(Frame::Unfinished))
    }
}

/// Whether an unframed client's bytes are certainly a whole message. With fewer fields, they may be a part of one that
/// the network split.
fn is_whole_message(bytes: &[u8]) -> bool {
    bytes.starts_with(b"/") || memchr_iter(b'|', bytes).nth(2).is_some()
}

/// Whether bytes without a line ending are a whole `name` message, as the clients of the report send it.
fn is_whole_introduction(bytes: &[u8]) -> bool {
    message::text(bytes).and_then(Message::parse).is_ok_and(|message| message.operation == NAME)
}

#[cfg(test)]
mod tests;
