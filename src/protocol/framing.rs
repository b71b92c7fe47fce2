//! [`FrameDecoder`]: bytes to lines, for the three kinds of client, and the rule that tells them apart.
//!
//! Every session starts as [`Kind::Line`]. It becomes [`Kind::Telnet`] at the first IAC byte. It becomes
//! [`Kind::Unframed`] if its answer to the name request is all of its first read, has no line ending, and
//! silence follows. It never changes again.

use std::io;

use bytes::{Buf, BytesMut};
use memchr::{memchr_iter, memchr2, memchr3};
use tokio_util::codec::Decoder;

use super::{
    request,
    telnet::{Ended, IAC, Telnet},
};

/// How a client frames its messages, and how it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One message a line: netcat, scripts.
    #[default]
    Line,
    /// The same, with telnet's negotiation.
    Telnet,
    /// One message a `send()`, no line ending: the report's own clients.
    Unframed,
}

impl Kind {
    /// What ends each message sent to such a client.
    #[must_use]
    pub fn ending(self) -> &'static [u8] {
        match self {
            Self::Line => b"\n",
            Self::Telnet => b"\r\n",
            Self::Unframed => b"",
        }
    }
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// One line without its ending; not empty, at most the limit's bytes, otherwise unchecked.
    Line(BytesMut),
    /// A line passed the limit and was dropped to its end.
    TooLong,
    /// The client's sending side ended in the middle of a line.
    Unfinished,
    /// An HTTP request in place of a name.
    Http,
    /// A TLS hello in place of a name.
    Tls,
}

/// Decodes one client's bytes.
///
/// Beside [`Decoder`], whoever reads calls [`Self::read_done`] once a read's frames are taken and, if that asks
/// for it, [`Self::silence`] when nothing came for `compat.unframed_wait_ms`.
#[derive(Debug)]
pub struct FrameDecoder {
    kind: Kind,
    /// The most bytes a line may have, its ending not counted.
    limit: u32,
    /// How much of the buffer is known to hold no line ending.
    scanned: u32,
    start: Start,
    /// A line passed the limit; all is dropped up to its end.
    skipping: bool,
    /// The first read was a whole name message without an ending.
    may_be_unframed: bool,
    /// Boxed because few sessions have one, and every session pays for its place.
    telnet: Option<Box<Telnet>>,
}

/// How far the beginning of the stream, where other protocols and a byte-order mark show, is behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Nothing judged yet.
    Bytes,
    /// The first bytes were judged; the first line was not, and this is the first read.
    FirstRead,
    /// The same in a later read.
    FirstLine,
    /// Past it.
    Over,
    /// Another protocol: whatever follows is dropped.
    Foreign,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const TLS_HANDSHAKE: &[u8] = b"\x16\x03";

impl FrameDecoder {
    /// A decoder for lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            kind: Kind::Line,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            scanned: 0,
            start: Start::Bytes,
            skipping: false,
            may_be_unframed: false,
            telnet: None,
        }
    }

    /// What kind of client this has turned out to be so far.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a telnet client is to be sent outside of all messages.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.telnet.as_mut().map(|telnet| telnet.take_replies()).unwrap_or_default()
    }

    /// All frames of one read are taken. Tells whether silence from here on would mean something.
    pub fn read_done(&mut self, rest: &[u8]) -> bool {
        let first = self.start == Start::FirstRead;
        if first {
            self.start = Start::FirstLine;
        }
        match self.kind {
            Kind::Line => {
                self.may_be_unframed = first && !self.skipping && request::is_whole_introduction(rest);
                self.may_be_unframed
            }
            Kind::Telnet => false,
            Kind::Unframed => self.skipping || !rest.is_empty(),
        }
    }

    /// Nothing came for as long as [`Self::read_done`] asked to wait: what was read is one unframed message.
    pub fn silence(&mut self, src: &mut BytesMut) -> Option<Frame> {
        if std::mem::take(&mut self.may_be_unframed) {
            self.kind = Kind::Unframed;
        }
        if self.kind == Kind::Unframed { self.rest(src) } else { None }
    }

    /// Everything read and not yet framed, as one unframed message.
    fn rest(&mut self, src: &mut BytesMut) -> Option<Frame> {
        self.start = Start::Over;
        self.scanned = 0;
        if std::mem::take(&mut self.skipping) || src.len() > self.limit as usize {
            src.clear();
            return Some(Frame::TooLong);
        }
        (!src.is_empty()).then(|| Frame::Line(src.split()))
    }

    /// Judges the first bytes of the stream. `None`: more are needed.
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

    /// Finds where the next line ends, or where the client turns out to speak telnet.
    fn scan(&mut self, src: &[u8]) -> Found {
        let mut from = self.scanned as usize;
        while let Some(at) = match self.kind {
            Kind::Unframed => memchr2(b'\n', 0, &src[from..]),
            Kind::Line | Kind::Telnet => memchr3(b'\n', 0, IAC, &src[from..]),
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
                Found::End { line: end, over } => {
                    self.scanned = 0;
                    let mut line = src.split_to(over);
                    line.truncate(end);
                    if let Some(frame) = self.judge_line(line) {
                        return Some(frame);
                    }
                }
                Found::Iac(at) if at > limit + 1 && self.is_http_request(src) => {
                    return Some(Frame::Http);
                }
                Found::Iac(at) => {
                    let overflowed = std::mem::take(&mut self.skipping) || at > limit + 1;
                    self.telnet = Some(Box::new(Telnet::after(&src[..at], overflowed)));
                    self.kind = Kind::Telnet;
                    src.advance(at);
                    return self.next_telnet_line(src);
                }
                Found::Nothing => {
                    self.scanned = u32::try_from(src.len()).unwrap_or(u32::MAX);
                    // One byte over the limit may be the carriage return of the ending.
                    if self.skipping || src.len() > limit + 1 {
                        return self.skip(src);
                    }
                    return None;
                }
            }
        }
    }

    /// What a line, its ending taken off, amounts to; `None` if it is empty and thus ignored.
    fn judge_line(&mut self, line: BytesMut) -> Option<Frame> {
        let too_long = std::mem::take(&mut self.skipping) || line.len() > self.limit as usize;
        if line.is_empty() && !too_long {
            return None;
        }
        if self.is_http_request(&line) {
            return Some(Frame::Http);
        }
        self.start = Start::Over;
        Some(if too_long { Frame::TooLong } else { Frame::Line(line) })
    }

    /// Drops what there is of an over-long line but a last carriage return, with which a NUL would end it.
    fn skip(&mut self, src: &mut BytesMut) -> Option<Frame> {
        if self.is_http_request(src) {
            return Some(Frame::Http);
        }
        self.start = Start::Over;
        self.skipping = true;
        src.advance(src.len() - usize::from(src.ends_with(b"\r")));
        self.scanned = u32::from(!src.is_empty());
        None
    }

    fn next_telnet_line(&mut self, src: &mut BytesMut) -> Option<Frame> {
        let limit = self.limit as usize;
        let telnet = self.telnet.get_or_insert_default();
        while src.has_remaining() {
            match telnet.push(src.get_u8(), limit) {
                Some(Ended::TooLong) => return Some(Frame::TooLong),
                Some(Ended::Line(line)) if !line.is_empty() => {
                    return Some(Frame::Line(line.as_slice().into()));
                }
                Some(Ended::Line(_)) | None => {}
            }
        }
        None
    }

    /// Whether the first line of the stream is HTTP's; if so, the stream is foreign from here on.
    fn is_http_request(&mut self, line: &[u8]) -> bool {
        // No more is looked at than there is for sure when an over-long line is noticed.
        let head = &line[..line.len().min(self.limit as usize + 1)];
        let is_first_line = matches!(self.start, Start::FirstRead | Start::FirstLine);
        let foreign = is_first_line && is_http(head);
        if foreign {
            self.start = Start::Foreign;
        }
        foreign
    }
}

/// What [`FrameDecoder::scan`] came upon.
enum Found {
    /// The line's content ends before byte `line`, its ending before byte `over`.
    End {
        line: usize,
        over: usize,
    },
    /// A telnet command begins here.
    Iac(usize),
    Nothing,
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = io::Error;

    /// Never fails: whatever the bytes, they are frames.
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
        let mid_line = self.telnet.take().is_some_and(|telnet| telnet.is_mid_line());
        let unfinished = mid_line || std::mem::take(&mut self.skipping) || !src.is_empty();
        src.clear();
        self.scanned = 0;
        Ok(unfinished.then_some(Frame::Unfinished))
    }
}

/// Whether an unframed client's bytes are a message for sure; fewer fields may be a message cut by the network.
fn is_whole_message(bytes: &[u8]) -> bool {
    bytes.starts_with(b"/") || memchr_iter(b'|', bytes).nth(2).is_some()
}

/// Whether a first line is an HTTP request line.
fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"];
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    METHODS.contains(&method)
        && (target.starts_with(b"/")
            || target.starts_with(b"http")
            || words.next().is_some_and(|version| version.starts_with(b"HTTP/")))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMIT: usize = 64;

    /// Frames of a stream that arrives in these reads, to its end.
    fn frames(reads: &[&[u8]]) -> (Vec<Frame>, Kind) {
        let mut decoder = FrameDecoder::new(LIMIT);
        let mut src = BytesMut::new();
        let mut frames = Vec::new();
        for read in reads {
            src.extend_from_slice(read);
            while let Some(frame) = decoder.decode(&mut src).unwrap() {
                frames.push(frame);
            }
            decoder.read_done(&src);
        }
        while let Some(frame) = decoder.decode_eof(&mut src).unwrap() {
            frames.push(frame);
        }
        (frames, decoder.kind())
    }

    fn line(text: &str) -> Frame {
        Frame::Line(text.into())
    }

    #[test]
    fn every_line_ending() {
        let sent = b"\n\r\none\ntwo\r\nthree\r\0\r\n\nfour\n";
        assert_eq!(frames(&[sent]).0, [line("one"), line("two"), line("three"), line("four")]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_start_only() {
        assert_eq!(
            frames(&[b"\xef\xbb", b"\xbfalan\n\xef\xbb\xbfbob\n"]).0,
            [line("alan"), line("\u{feff}bob")]
        );
    }

    #[test]
    fn a_nul_alone_ends_nothing() {
        assert_eq!(frames(&[b"a\0b\n"]).0, [line("a\0b")]);
    }

    #[test]
    fn lines_at_and_over_the_limit() {
        let fits = "x".repeat(LIMIT);
        let sent = format!("{fits}\r\n{fits}x\n{fits}{fits}{fits}\r\0ok\n");
        assert_eq!(frames(&[sent.as_bytes()]).0, [line(&fits), Frame::TooLong, Frame::TooLong, line("ok")]);
    }

    #[test]
    fn the_end_of_the_stream_in_a_line() {
        assert_eq!(frames(&[b"one\ntw"]).0, [line("one"), Frame::Unfinished]);
        assert_eq!(frames(&[b"one\n"]).0, [line("one")]);
        assert_eq!(frames(&[b"\xff\xfd\x01tw"]).0, [Frame::Unfinished]);
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(300));
        for http in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &long] {
            assert_eq!(frames(&[http.as_bytes()]).0, [Frame::Http], "{http}");
        }
        assert_eq!(frames(&[b"\x16", b"\x03\x01\x02\x00\x01\x00\n\n"]).0, [Frame::Tls]);
        assert_eq!(frames(&[b"alan\nGET / HTTP/1.1\r\n"]).0, [line("alan"), line("GET / HTTP/1.1")]);
    }

    #[test]
    fn telnet_from_the_first_iac_on() {
        let (seen, kind) = frames(&[b"alan\r\nal\xff\xfb\x18x\x7fan\r\0"]);
        assert_eq!((seen, kind), (vec![line("alan"), line("alan")], Kind::Telnet));
    }

    const INTRODUCTION: &[u8] = b"alan | server | name | alan";

    /// A decoder that took the introduction in one read, and what it answered to silence.
    fn unframed() -> (FrameDecoder, BytesMut) {
        let mut decoder = FrameDecoder::new(LIMIT);
        let mut src = BytesMut::from(INTRODUCTION);
        assert_eq!(decoder.decode(&mut src).unwrap(), None);
        assert!(decoder.read_done(&src));
        assert_eq!(decoder.silence(&mut src), Some(Frame::Line(INTRODUCTION.into())));
        assert_eq!(decoder.kind(), Kind::Unframed);
        (decoder, src)
    }

    #[test]
    fn unframed_only_after_silence_on_one_read() {
        unframed();
        for reads in [[&INTRODUCTION[..5], &INTRODUCTION[5..]], [INTRODUCTION, b"\n"], [b"ala", b"n"]] {
            let mut decoder = FrameDecoder::new(LIMIT);
            let mut src = BytesMut::new();
            let mut awaits_silence = false;
            for read in reads {
                src.extend_from_slice(read);
                while decoder.decode(&mut src).unwrap().is_some() {}
                awaits_silence = decoder.read_done(&src);
            }
            assert!(!awaits_silence, "{reads:?}");
            assert_eq!(decoder.kind(), Kind::Line);
        }
    }

    #[test]
    fn unframed_messages_are_reads() {
        let (mut decoder, mut src) = unframed();
        let mut read = |bytes: &[u8]| {
            src.extend_from_slice(bytes);
            let mut frames = Vec::new();
            while let Some(frame) = decoder.decode(&mut src).unwrap() {
                frames.push(frame);
            }
            let mut waits = false;
            while decoder.read_done(&src) {
                waits = true;
                frames.extend(decoder.silence(&mut src));
            }
            (frames, waits)
        };
        assert_eq!(read(b"alan | alan | echo | hi"), (vec![line("alan | alan | echo | hi")], false));
        assert_eq!(read(b"alan | server | exit"), (vec![line("alan | server | exit")], true));
        assert_eq!(read(b"/list"), (vec![line("/list")], false));
        assert_eq!(
            read(b"a | b | echo | x\na | b | echo | y"),
            (vec![line("a | b | echo | x"), line("a | b | echo | y")], false)
        );
        assert_eq!(read(&[b'|'; LIMIT + 1]), (vec![Frame::TooLong], false));
        assert_eq!(read(&[b'|'; 3 * LIMIT]), (vec![Frame::TooLong], true));
        assert_eq!(
            read(b"alan | alan | echo | \xff"),
            (vec![Frame::Line(b"alan | alan | echo | \xff"[..].into())], false)
        );
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            vec(any::<u8>(), 0..12),
            "[a-z |]{0,80}".prop_map(String::into_bytes),
            prop::sample::select(vec![
                &b"\n"[..],
                b"\r\n",
                b"\r\0",
                b"\r",
                b"\0",
                b"\xef\xbb\xbf",
                b"\xff\xfd\x01",
                b"\xff\xf4",
                b"\xff\xff",
                b"\xff\xfa\x18x\xff\xf0",
                b"\x08",
                b"\x7f",
                b"GET / HTTP/1.1",
                b"\x16\x03\x01",
                "é".as_bytes(),
            ])
            .prop_map(<[u8]>::to_vec),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn cuts_change_nothing(pieces in vec(piece(), 0..12), cuts in vec(any::<prop::sample::Index>(), 0..20)) {
            let sent = pieces.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(sent.len() + 1)).collect();
            cuts.extend([0, sent.len()]);
            cuts.sort_unstable();
            let reads: Vec<&[u8]> = cuts.windows(2).map(|cut| &sent[cut[0]..cut[1]]).collect();
            let bytes: Vec<&[u8]> = sent.chunks(1).collect();
            let whole = frames(&[&sent]);
            prop_assert_eq!(&frames(&reads), &whole);
            prop_assert_eq!(&frames(&bytes), &whole);
            for frame in whole.0 {
                if let Frame::Line(line) = frame {
                    prop_assert!(!line.is_empty() && line.len() <= LIMIT);
                }
            }
        }
    }
}
