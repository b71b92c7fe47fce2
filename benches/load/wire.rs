//! The bytes of each protocol: how a client joins, and how a message is sent.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result, ensure};

/// The byte that DATA consists of. No server sends it in anything else, so its count shows how much was delivered,
/// whatever surrounds it (nats may send a PING at any time).
pub const PAYLOAD: u8 = b'x';

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// TR2.23. A message goes to all clients except its sender.
    Arauto,
    /// TR2.23 with a number and a time before each line.
    Tagged,
    /// TR2.23 through a WebSocket.
    WebSocket,
    /// The floor: data goes to all clients except its writer.
    Write,
    /// RESP, with one channel.
    Redis,
    /// The protocol of nats, with one subject.
    Nats,
}

impl Wire {
    /// Whether a client that receives can also send. A Redis client cannot, so its senders are additional clients.
    pub fn receivers_can_send(self) -> bool {
        self != Self::Redis
    }

    /// Joins. On return, the client has read all it was sent, and the server has finished handling it.
    pub fn join(self, stream: &TcpStream, number: usize, receives: bool) -> Result<()> {
        // No data follows an answer until all clients have joined, so none is lost with the buffer.
        let mut answers = Answers(BufReader::with_capacity(1024, stream));
        match self {
            Self::Arauto | Self::Tagged => {
                let name = member(number);
                answers.expect("server | client | name | no data\n")?;
                say(stream, &format!("{name}\n"))?;
                answers.expect(&format!(
                    "server | {name} | connection_confirmation | You are now connected to the server\n"
                ))?;
                if self == Self::Tagged {
                    say(stream, "/tags on\n")?;
                    let answer = answers.next()?;
                    ensure!(answer.contains(" | tags | on, log "), "the server says {answer:?} to tags");
                }
                Ok(())
            }
            Self::WebSocket => {
                let name = member(number);
                say(stream, HANDSHAKE)?;
                while answers.next()? != "\r\n" {}
                answers.expect_frame("server | client | name | no data")?;
                (&*stream).write_all(&masked(&name))?;
                answers.expect_frame(&format!(
                    "server | {name} | connection_confirmation | You are now connected to the server"
                ))
            }
            Self::Write => answers.expect("\n"),
            Self::Redis if receives => {
                say(stream, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nb\r\n")?;
                ["*3\r\n", "$9\r\n", "subscribe\r\n", "$1\r\n", "b\r\n", ":1\r\n"]
                    .into_iter()
                    .try_for_each(|line| answers.expect(line))
            }
            Self::Redis => {
                say(stream, "PING\r\n")?;
                answers.expect("+PONG\r\n")
            }
            Self::Nats => {
                let subscribe = if receives { "SUB b 1\r\n" } else { "" };
                let info = answers.next()?;
                ensure!(info.starts_with("INFO "), "the server says {info:?} and not INFO");
                say(
                    stream,
                    &format!(
                        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false}}\r\n{subscribe}PING\r\n"
                    ),
                )?;
                answers.expect("PONG\r\n")
            }
        }
    }

    /// A message with `size` bytes of DATA, as this member sends it.
    pub fn message(self, number: usize, size: usize) -> Vec<u8> {
        let data = char::from(PAYLOAD).to_string().repeat(size);
        match self {
            // The floor carries as many bytes as the server.
            Self::Arauto | Self::Tagged | Self::Write => {
                format!("{} | all clients | broadcast_not_me | {data}\n", member(number))
            }
            Self::WebSocket => {
                return masked(&format!("{} | all clients | broadcast_not_me | {data}", member(number)));
            }
            Self::Redis => format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nb\r\n${size}\r\n{data}\r\n"),
            Self::Nats => format!("PUB b {size}\r\n{data}\r\n"),
        }
        .into_bytes()
    }
}

/// The key is that of RFC 6455's example; any key will do.
const HANDSHAKE: &str = "GET /tr2 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client's text frame. A mask of zeros leaves it readable.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0x80 | 0x7e);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 0x7f);
            frame.extend((text.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// The name of a client. All names have the same length, so that all messages do.
pub fn member(number: usize) -> String {
    format!("m{number:05}")
}

fn say(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())
}

/// The server's answers, line by line.
struct Answers<'a>(BufReader<&'a TcpStream>);

impl Answers<'_> {
    fn next(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).context("no answer to a client that joins")?;
        Ok(line)
    }

    /// Expects a server frame of less than 126 bytes.
    fn expect_frame(&mut self, expected: &str) -> Result<()> {
        let mut frame = vec![0; 2 + expected.len()];
        self.0.read_exact(&mut frame).context("no answer to a client that joins")?;
        let text = String::from_utf8_lossy(&frame[2..]);
        ensure!(text == expected, "the server says {text:?} and not {expected:?}");
        Ok(())
    }

    fn expect(&mut self, expected: &str) -> Result<()> {
        let line = self.next()?;
        ensure!(line == expected, "the server says {line:?} and not {expected:?}");
        Ok(())
    }
}
