//! [`Raw`]: a client of NATS that sends any header, forged ones included.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use crate::server::Server;

/// A connection as `root`. A server without users ignores the name.
pub struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    /// Connects.
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let mut raw = Self { stream: BufReader::new(stream) };
        assert!(raw.line().starts_with("INFO "));
        raw.write(b"CONNECT {\"verbose\":false,\"headers\":true,\"user\":\"root\",\"pass\":\"root\"}\r\n");
        raw.flush();
        raw
    }

    /// Publishes a message.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) {
        self.write(format!("PUB {subject} {}\r\n", payload.len()).as_bytes());
        self.write(payload);
        self.write(b"\r\n");
        self.flush();
    }

    /// Publishes a message with these lines as its header.
    pub fn publish_with_head(&mut self, subject: &str, lines: &[&str], payload: &[u8]) {
        self.publish_after(subject, &format!("NATS/1.0\r\n{}\r\n\r\n", lines.join("\r\n")), payload);
    }

    /// Publishes a message with this status as its header.
    pub fn publish_with_status(&mut self, subject: &str, status: &str, payload: &[u8]) {
        self.publish_after(subject, &format!("NATS/1.0 {status}\r\n\r\n"), payload);
    }

    fn publish_after(&mut self, subject: &str, head: &str, payload: &[u8]) {
        self.write(
            format!("HPUB {subject} {} {}\r\n{head}", head.len(), head.len() + payload.len()).as_bytes(),
        );
        self.write(payload);
        self.write(b"\r\n");
        self.flush();
    }

    /// Asks JetStream, and returns its answer.
    pub fn ask(&mut self, request: &str, question: &str) -> Value {
        self.write(b"SUB _INBOX.raw 1\r\nUNSUB 1 1\r\n");
        self.write(
            format!("PUB $JS.API.{request} _INBOX.raw {}\r\n{question}\r\n", question.len()).as_bytes(),
        );
        loop {
            let line = self.line();
            let Some(rest) = line.strip_prefix("MSG _INBOX.raw ") else { continue };
            let length = rest.trim().rsplit(' ').next().expect("a length").parse().expect("a number");
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).expect("an answer");
            return serde_json::from_slice(&payload).expect("JSON");
        }
    }

    /// The position of the newest message.
    pub fn last_position(&mut self) -> u64 {
        let info = self.ask("STREAM.INFO.ARAUTO_c", "");
        info["state"]["last_seq"].as_u64().unwrap_or_else(|| panic!("{info}"))
    }

    /// Whether the server tells its time with the settings of a stream, so has version 2.10 or later.
    pub fn tells_time(&mut self) -> bool {
        self.ask("STREAM.INFO.ARAUTO_c", "")["ts"].is_string()
    }

    /// Waits until the server has read all that was written.
    fn flush(&mut self) {
        self.write(b"PING\r\n");
        while self.line().trim() != "PONG" {}
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("a connection");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        assert!(!line.is_empty() && !line.starts_with("-ERR"), "{line:?}");
        line
    }
}
