//! Decodes a telnet client's input: lines, option negotiation (RFC 854, 855) and editing keys.

use super::reply;

/// Interpret As Command: the byte that introduces every telnet command.
pub(crate) const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const ERASE_LINE: u8 = 248;
const ERASE_CHARACTER: u8 = 247;
const ARE_YOU_THERE: u8 = 246;
const INTERRUPT_PROCESS: u8 = 244;
const SUBNEGOTIATION_END: u8 = 240;
const BACKSPACE: u8 = 8;
const DEL: u8 = 127;

/// The ECHO option (RFC 857).
const ECHO: u8 = 1;

/// Turns off a client's local echo: the server announces that it will echo, and then does not.
pub const HIDE: &[u8] = &[IAC, WILL, ECHO];

/// Turns a client's local echo on again and ends the line on its screen, because Enter was not shown either.
pub const SHOW: &[u8] = &[IAC, WONT, ECHO, b'\r', b'\n'];

/// Removes a refusal of the ECHO option from `replies`; returns whether there was one. A client that was sent [`HIDE`]
/// agrees by requesting the option, which the decoder refuses like every other; that refusal must not be sent.
///
/// ```
/// use arauto_protocol::{Frame, FrameDecoder, telnet::take_out_refusal};
/// use bytes::BytesMut;
/// use tokio_util::codec::Decoder;
///
/// // The client agrees with DO ECHO; the decoder refuses with WONT ECHO.
/// let mut decoder = FrameDecoder::new(1024);
/// let mut input = BytesMut::from(&b"\xff\xfd\x01opensesame\r\n"[..]);
/// assert_eq!(decoder.decode(&mut input)?, Some(Frame::Line("opensesame".into())));
/// let mut replies = decoder.take_replies();
/// assert_eq!(replies, b"\xff\xfc\x01");
/// assert!(take_out_refusal(&mut replies));
/// assert!(replies.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn take_out_refusal(replies: &mut Vec<u8>) -> bool {
    let refusal = [IAC, WONT, ECHO];
    let found = replies.windows(refusal.len()).position(|window| window == refusal);
    if let Some(at) = found {
        replies.drain(at..at + refusal.len());
    }
    found.is_some()
}

/// Takes a telnet client's bytes one at a time and returns its lines, as edited by its keys.
///
/// Abort Output (AO) is accepted and drops nothing. A client that uses it to flush its display also sends DO
/// TIMING-MARK and waits for the answer, which is a refusal as for every option.
#[derive(Debug, Default)]
pub(crate) struct Telnet {
    state: State,
    line: Vec<u8>,
    /// The line exceeded the limit and is dropped to its end.
    overflowed: bool,
    replies: Vec<u8>,
    /// Are You There was answered; a single answer is enough for all such commands in a read.
    answered_are_you_there: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// A complete line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Line(Vec<u8>),
    TooLong,
}

impl Telnet {
    /// A decoder that continues a line client's input with the part of the line received so far.
    pub(crate) fn after(line: &[u8], overflowed: bool) -> Self {
        Self { line: if overflowed { Vec::new() } else { line.to_vec() }, overflowed, ..Self::default() }
    }

    /// Takes one byte; returns the line that it ends, if any. A line has at most `limit` bytes.
    pub(crate) fn push(&mut self, byte: u8, limit: usize) -> Option<Ended> {
        self.state = match (self.state, byte) {
            (State::Data, IAC) => State::Command,
            (State::Data, _) => return self.data(byte, limit),
            (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
            (State::Command, SUBNEGOTIATION) => State::Subnegotiation,
            (State::Command, _) => {
                self.command(byte, limit);
                State::Data
            }
            (State::Option(verb), option) => {
                self.refuse(verb, option);
                State::Data
            }
            (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
            (State::SubnegotiationCommand, SUBNEGOTIATION_END) => State::Data,
            (State::Subnegotiation | State::SubnegotiationCommand, _) => State::Subnegotiation,
        };
        None
    }

    /// Whether a line has begun and not ended.
    pub(crate) fn is_mid_line(&self) -> bool {
        self.overflowed || !self.line.is_empty()
    }

    /// Takes the bytes to send outside of messages: refusals, and the answer to Are You There.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        self.answered_are_you_there = false;
        std::mem::take(&mut self.replies)
    }

    fn data(&mut self, byte: u8, limit: usize) -> Option<Ended> {
        match byte {
            b'\n' => return Some(self.end(limit)),
            0 if self.line.last() == Some(&b'\r') => return Some(self.end(limit)),
            BACKSPACE | DEL => self.erase_character(),
            _ => self.keep(byte, limit),
        }
        None
    }

    fn keep(&mut self, byte: u8, limit: usize) {
        // The byte after the limit may be the carriage return of the line ending.
        if self.line.len() > limit {
            self.overflowed = true;
            // The new byte is kept, because a NUL ends the line only after a carriage return.
            self.line.clear();
        }
        self.line.push(byte);
    }

    fn end(&mut self, limit: usize) -> Ended {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overflowed) || line.len() > limit {
            Ended::TooLong
        } else {
            Ended::Line(line)
        }
    }

    fn command(&mut self, command: u8, limit: usize) {
        match command {
            IAC => self.keep(IAC, limit),
            ERASE_CHARACTER => self.erase_character(),
            // A user who interrupts at a prompt discards the line being typed.
            ERASE_LINE | INTERRUPT_PROCESS => {
                self.line.clear();
                self.overflowed = false;
            }
            ARE_YOU_THERE if !self.answered_are_you_there => {
                self.answered_are_you_there = true;
                self.replies.extend_from_slice(reply::ARE_YOU_THERE.as_bytes());
            }
            _ => {}
        }
    }

    fn erase_character(&mut self) {
        let is_continuation = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
        while self.line.pop().is_some_and(is_continuation) {}
    }

    /// Refuses every option. Refusals are not answered, so that two refusing ends fall silent (RFC 1143).
    fn refuse(&mut self, verb: u8, option: u8) {
        match verb {
            DO => self.replies.extend_from_slice(&[IAC, WONT, option]),
            WILL => self.replies.extend_from_slice(&[IAC, DONT, option]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> (Vec<Ended>, Vec<u8>) {
        let mut telnet = Telnet::default();
        let ended = bytes.iter().filter_map(|byte| telnet.push(*byte, 16)).collect();
        (ended, telnet.take_replies())
    }

    fn line(text: &[u8]) -> Ended {
        Ended::Line(text.to_vec())
    }

    #[test]
    fn every_option_is_refused_and_refusals_are_not_answered() {
        let (ended, replies) = lines(b"a\xff\xfd\x01l\xff\xfb\x18a\xff\xfe\x01n\xff\xfc\x18\r\n");
        assert_eq!(ended, [line(b"alan")]);
        assert_eq!(replies, b"\xff\xfc\x01\xff\xfe\x18");
    }

    #[test]
    fn the_one_refusal_is_taken_out_that_nobody_asked_for() {
        let (_, mut replies) = lines(b"\xff\xfd\x03\xff\xfd\x01\xff\xfd\x01");
        assert!(take_out_refusal(&mut replies));
        assert_eq!(replies, b"\xff\xfc\x03\xff\xfc\x01");
        assert!(take_out_refusal(&mut replies));
        assert!(!take_out_refusal(&mut replies));
        assert_eq!(replies, b"\xff\xfc\x03");
    }

    #[test]
    fn an_option_of_value_ten_ends_no_line() {
        assert_eq!(lines(b"al\xff\xfd\x0aan\r\0").0, [line(b"alan")]);
    }

    #[test]
    fn subnegotiation_reaches_no_message() {
        assert_eq!(lines(b"al\xff\xfa\x18\x00xterm\n\xff\xff\xf0\xff\xf0an\n").0, [line(b"alan")]);
    }

    #[test]
    fn keys_edit_the_line() {
        for typed in [
            &b"alx\x08an\n"[..],
            b"alx\x7fan\n",
            b"al\xc3\xa9\x7fan\n",
            b"alx\xff\xf7an\n",
            b"oops\xff\xf4alan\n",
            b"oops\xff\xf8alan\n",
            b"\x7f\x7falan\n",
            b"al\xff\xf5an\n",
            b"al\xff\xf1an\n",
        ] {
            assert_eq!(lines(typed).0, [line(b"alan")], "{typed:?}");
        }
        assert_eq!(lines(b"one\n\x7f\x7ftwo\n").0, [line(b"one"), line(b"two")]);
    }

    #[test]
    fn long_lines_are_dropped_to_their_end() {
        let (ended, _) =
            lines(b"0123456789abcdef\r\n0123456789abcdefg\r\n0123456789abcdef0123456789abcdef\r\0ok\n");
        assert_eq!(ended, [line(b"0123456789abcdef"), Ended::TooLong, Ended::TooLong, line(b"ok")]);
    }

    #[test]
    fn are_you_there_is_answered_once_a_read() {
        assert_eq!(lines(b"\xff\xf6\xff\xf6").1, reply::ARE_YOU_THERE.as_bytes());
    }
}
