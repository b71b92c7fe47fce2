//! [`Speech`] and [`Ear`]: the framing of messages that a client sends and receives.

/// The framing that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    Lines,
    Telnet,
    WebSocket,
}

/// A handshake with the key of the example in RFC 6455; any key would do.
const HANDSHAKE: &str = "GET /tr2 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Longest payload whose length fits the second byte of a WebSocket frame. All longer messages of a history fit a
/// length of 16 bits.
const SHORT: u8 = 125;

impl Speech {
    /// The bytes that a client sends before its name.
    pub fn greeting(self) -> &'static [u8] {
        match self {
            Self::Lines => b"",
            // The server recognizes telnet by an option that the client offers.
            Self::Telnet => b"\xff\xfb\x18",
            Self::WebSocket => HANDSHAKE.as_bytes(),
        }
    }

    /// Frames a message for sending.
    pub fn framed(self, message: &str) -> Vec<u8> {
        match self {
            Self::Lines => format!("{message}\n").into_bytes(),
            Self::Telnet => format!("{message}\r\n").into_bytes(),
            Self::WebSocket => {
                let mask = *b"mask";
                let mut frame = vec![0x81];
                if message.len() <= usize::from(SHORT) {
                    frame.push(0x80 | u8::try_from(message.len()).expect("a length of 7 bits"));
                } else {
                    frame.push(0x80 | (SHORT + 1));
                    frame.extend(u16::try_from(message.len()).expect("a short message").to_be_bytes());
                }
                frame.extend(mask);
                frame.extend(message.bytes().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
                frame
            }
        }
    }
}

/// Splits what a client receives into messages.
pub struct Ear {
    speech: Speech,
    /// The answer to the WebSocket handshake has been read.
    shaken: bool,
}

impl Ear {
    pub fn of(speech: Speech) -> Self {
        Self { speech, shaken: false }
    }

    /// Removes all complete messages from `unread` and passes them to `note`.
    pub fn take(&mut self, unread: &mut Vec<u8>, mut note: impl FnMut(&[u8])) {
        let mut begin = 0;
        while let Some((message, length)) = self.next(&unread[begin..]) {
            if let Some(message) = message {
                note(message);
            }
            begin += length;
        }
        unread.drain(..begin);
    }

    /// The first frame: its message, or `None` for a frame that is not a message, and its length in bytes. `None` if
    /// the frame is incomplete.
    fn next<'a>(&mut self, bytes: &'a [u8]) -> Option<(Option<&'a [u8]>, usize)> {
        if self.speech != Speech::WebSocket {
            let length = bytes.iter().position(|byte| *byte == b'\n')?;
            // In telnet, the server's refusal of the option precedes the first line, and lines end in `\r\n`.
            let line = bytes[..length].strip_prefix(b"\xff\xfe\x18").unwrap_or(&bytes[..length]);
            return Some((Some(line.strip_suffix(b"\r").unwrap_or(line)), length + 1));
        }
        if !self.shaken {
            let length = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
            self.shaken = true;
            let is_welcome = bytes.starts_with(b"HTTP/1.1 101 ");
            return Some(((!is_welcome).then_some(&bytes[..length]), length));
        }
        let (header, length) = match bytes.get(1)? {
            length @ ..=SHORT => (2, usize::from(*length)),
            _ => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        };
        let payload = bytes.get(header..header + length)?;
        Some(((bytes[0] == 0x81).then_some(payload), header + length))
    }
}
