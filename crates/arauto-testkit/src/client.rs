//! [`Client`]: a test client that compares bytes exactly.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::DEADLINE;

/// A client that compares what it receives, byte for byte.
pub struct Client<S = TcpStream> {
    pub(crate) stream: S,
    /// Bytes read beyond the last line.
    pub(crate) ahead: VecDeque<u8>,
    /// Line ending of the messages in both directions; may be empty.
    pub ending: &'static str,
}

impl Client {
    /// Connects a line client, and reads nothing.
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server that listens");
        Self::from_stream(stream)
    }

    /// Makes a line client of a connection.
    pub fn from_stream(stream: TcpStream) -> Self {
        Self { stream: ready(stream), ahead: VecDeque::new(), ending: "\n" }
    }

    /// The connection. Bytes that were read ahead are missing from it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Closes the sending side; the client can still read.
    pub fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

/// Sets the timeouts of reads and writes to [`DEADLINE`], and `TCP_NODELAY`.
pub(crate) fn ready(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl<S: Read + Write> Client<S> {
    /// The connection. Bytes that were read ahead are lost.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Sends a message with this client's line ending.
    pub fn send(&mut self, message: &str) {
        self.send_bytes(format!("{message}{}", self.ending).as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a connection that takes bytes");
        self.stream.flush().expect("a connection that takes bytes");
    }

    /// Checks that the next bytes are this message with this client's line ending.
    #[track_caller]
    pub fn expect(&mut self, message: &str) {
        self.expect_bytes(format!("{message}{}", self.ending).as_bytes());
    }

    /// Checks that these bytes come next, and reads no more.
    #[track_caller]
    pub fn expect_bytes(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let mut filled = 0;
        while filled < got.len() {
            match self.read(&mut got[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    panic!("{error} after {:?}, waiting for {:?}", text(&got[..filled]), text(expected))
                }
            }
            // Stops at the first difference: a shorter answer would leave the client waiting for the rest.
            if !expected.starts_with(&got[..filled]) {
                break;
            }
        }
        assert_eq!(text(&got[..filled]), text(expected));
    }

    /// Fills `bytes`, first with what an earlier call read ahead, then from the stream.
    pub fn read_exact(&mut self, bytes: &mut [u8]) {
        let (known, new) = bytes.split_at_mut(bytes.len().min(self.ahead.len()));
        self.ahead.read_exact(known).expect("bytes read ahead");
        self.stream.read_exact(new).expect("bytes to come");
    }

    /// Sends a message and checks that the answer is what comes next.
    #[track_caller]
    pub fn ask(&mut self, message: &str, answer: &str) {
        self.send(message);
        self.expect(answer);
    }

    /// Checks that nothing has been sent to this client: requests an echo, which has to be what comes next.
    #[track_caller]
    pub fn expect_nothing_before_an_echo(&mut self, name: &str) {
        self.ask(&format!("{name} | {name} | echo | ?"), &format!("{name} | {name} | echo | ?"));
    }

    /// Returns what a single `recv(1024)` yields.
    #[track_caller]
    pub fn recv(&mut self) -> String {
        let mut buffer = [0; 1024];
        let read = self.read(&mut buffer).expect("something to receive");
        text(&buffer[..read])
    }

    /// Takes bytes that were read ahead, or reads once if there are none.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() { self.stream.read(buffer) } else { self.ahead.read(buffer) }
    }

    /// Reads a line and returns it without its ending.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.line_or_end().expect("a line, and not the end")
    }

    /// As [`Self::line`], but returns `None` if the connection ends in order.
    #[track_caller]
    pub fn line_or_end(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            if let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
                line.extend(self.ahead.drain(..=end));
                let line = line.strip_suffix(self.ending.as_bytes()).expect("this client's line ending");
                return Some(text(line));
            }
            line.extend(self.ahead.drain(..));
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) if line.is_empty() => return None,
                Ok(0) => panic!("closed after {:?}", text(&line)),
                Ok(read) => self.ahead.extend(&buffer[..read]),
                Err(error) => panic!("{error} after {:?}", text(&line)),
            }
        }
    }

    /// Checks that the connection ends in order, without further bytes.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        rest.extend(self.ahead.drain(..));
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(text(&rest), "", "more came before the end"),
            Err(error) => panic!("{error} in place of the end"),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
