//! `arauto nodes`: prints the nodes of a cluster, as one of them sees them.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use arauto_settings::escape::Escaped;
use serde::Deserialize;

/// Time limit for connecting, and for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum length of an answer. A row has some 150 bytes, and a cluster at most 256 nodes.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Maximum number of header fields of an answer.
const MAX_HEADERS: usize = 32;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum NoNodes {
    /// The address cannot be connected to, or the connection broke.
    #[error("cannot read from {address}: {why}; is monitoring.listen set there?")]
    NoConnection {
        /// The address, escaped for printing.
        address: String,
        /// The system's error.
        why: io::Error,
    },
    /// The answer is not one by HTTP.
    #[error("{address} did not answer by HTTP: is it an address of monitoring.listen?")]
    NoHttp {
        /// The address, escaped for printing.
        address: String,
    },
    /// The server answered with something other than a list of nodes.
    #[error("{address} says: {words}")]
    Refused {
        /// The address, escaped for printing.
        address: String,
        /// The server's words, escaped for printing.
        words: String,
    },
}

impl NoNodes {
    /// Returns the program's exit status: 3 if the server refuses, 4 if there is no connection.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Refused { .. } | Self::NoHttp { .. } => 3,
            Self::NoConnection { .. } => 4,
        }
    }
}

/// The answer of `/nodes`.
#[derive(Debug, Deserialize)]
struct Answer {
    node: String,
    held: bool,
    nodes: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    node: String,
    instance: String,
    ready: bool,
    clients: u64,
    lag: u64,
    since: Option<String>,
}

/// Returns the nodes as the server whose monitoring is at `address` sees them: as a table, or the server's JSON.
///
/// # Errors
/// If the server does not answer within 5 s, or is not a node of a cluster.
pub fn table(address: &str, is_json: bool) -> Result<String, NoNodes> {
    let shown = || Escaped(address).to_string();
    let no_connection = |why| NoNodes::NoConnection { address: shown(), why };
    let refused =
        |words: &str| NoNodes::Refused { address: shown(), words: Escaped(words.trim()).to_string() };
    let answer = get(address, "/nodes").map_err(no_connection)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(&answer);
    let (Ok(httparse::Status::Complete(head)), Some(status)) = (parsed, response.code) else {
        return Err(NoNodes::NoHttp { address: shown() });
    };
    let body = answer.get(head..).unwrap_or_default();
    if status != 200 {
        return Err(refused(&String::from_utf8_lossy(body)));
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| refused("no list of nodes"))?;
    Ok(if is_json { in_ascii(&String::from_utf8_lossy(body)) } else { layout(&answer) })
}

/// Escapes what is not printable ASCII in valid JSON, where it can stand only in strings, or as line breaks between.
fn in_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// Asks for a page by HTTP/1.0, whose answer ends with the connection.
fn get(address: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for resolved in address.to_socket_addrs()? {
        match ask(resolved, address, path) {
            Ok(answer) => return Ok(answer),
            Err(why) => error = why,
        }
    }
    Err(error)
}

fn ask(to: std::net::SocketAddr, host: &str, path: &str) -> io::Result<Vec<u8>> {
    let until = Instant::now() + TIMEOUT;
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let (mut answer, mut part) = (Vec::new(), [0; 8 * 1024]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Ok(answer);
        }
        answer.extend(part.iter().take(read));
        if answer.len() as u64 > MAX_ANSWER_BYTES {
            return Err(io::Error::other("the answer is too long for a list of nodes"));
        }
    }
}

/// Lays the rows out as columns. The node that answered has a star.
fn layout(answer: &Answer) -> String {
    let mut rows = vec![["NODE", "CLIENTS", "LAG", "SINCE", "STATE", "INSTANCE"].map(str::to_owned)];
    for row in &answer.nodes {
        let own = if row.node == answer.node { "*" } else { "" };
        let state = match (row.ready, answer.held && !own.is_empty()) {
            (false, _) => "joining",
            (true, true) => "held",
            (true, false) => "ready",
        };
        rows.push([
            format!("{}{own}", Escaped(&row.node)),
            row.clients.to_string(),
            row.lag.to_string(),
            Escaped(row.since.as_deref().unwrap_or("-")).to_string(),
            state.to_owned(),
            Escaped(&row.instance).to_string(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::BufRead, net::TcpListener, thread};

    /// Answers one request with these bytes, and returns the address.
    fn answering(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A socket that is closed with unread bytes resets the connection.
            let lines = io::BufReader::new(&stream).lines();
            let _ = lines.map_while(Result::ok).find(String::is_empty);
            let _ = stream.write_all(bytes);
        });
        address
    }

    #[test]
    fn the_nodes_are_laid_out_and_nothing_of_a_server_reaches_the_terminal_raw() {
        let address = answering(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"cluster\":\"c\",\"node\":\"n2\",\"position\":7,\
              \"lag\":0,\"held\":true,\"nodes\":[{\"node\":\"n1\",\"instance\":\"00\",\"ready\":false,\"clients\":0,\"lag\":12,\
              \"since\":null},{\"node\":\"n2\",\"instance\":\"\\u001b[2J\",\"ready\":true,\"clients\":1234,\"lag\":0,\
              \"since\":\"2026-11-30T20:00:00Z\"}]}",
        );
        let expected = "\
NODE  CLIENTS  LAG  SINCE                 STATE    INSTANCE
n1    0        12   -                     joining  00
n2*   1234     0    2026-11-30T20:00:00Z  held     \\u{1b}[2J
";
        assert_eq!(table(&address, false).unwrap(), expected);
        let address = answering(
            "HTTP/1.1 200 OK\r\n\r\n{\"node\":\"a\u{9b}2J\u{202e}\u{1f600}\u{7f}\",\n \"held\":false,\"nodes\":[]}\n".as_bytes(),
        );
        let json = "{\"node\":\"a\\u009b2J\\u202e\\ud83d\\ude00\\u007f\",\n \"held\":false,\"nodes\":[]}\n";
        assert_eq!(table(&address, true).unwrap(), json);
    }

    #[test]
    fn what_is_not_a_node_is_said_with_its_status() {
        for (bytes, words, status) in [
            (
                b"HTTP/1.0 404 Not Found\r\n\r\nThis server is not a node of a cluster.\n".as_slice(),
                "says: This server is not a node of a cluster.",
                3,
            ),
            (
                b"server | client | name | no data\n",
                "did not answer by HTTP: is it an address of monitoring.listen?",
                3,
            ),
            (b"HTTP/1.1 200 OK\r\n\r\n{}", "says: no list of nodes", 3),
        ] {
            let address = answering(bytes);
            let error = table(&address, false).unwrap_err();
            assert_eq!((error.to_string(), error.status()), (format!("{address} {words}"), status));
        }
        let error = table("127.0.0.1:1", true).unwrap_err();
        assert_eq!(error.status(), 4, "{error}");
    }
}
