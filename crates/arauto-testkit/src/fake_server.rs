//! [`FakeServer`]: a server that follows a test's script, valid or not, and records all bytes that it receives.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::{DEADLINE, wait_until};

/// A server on a free port. It serves until the test program ends.
pub struct FakeServer {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

/// A record of all connections.
#[derive(Default)]
struct Heard {
    connections: usize,
    bytes: Vec<u8>,
    /// Number of bytes written to a client before it stopped reading, see [`Peer::shut_out`].
    taken: Option<u64>,
}

/// Time without a byte written after which a client counts as no longer reading.
const STALLED: Duration = Duration::from_secs(3);

/// The server's end of a connection.
pub struct Peer {
    reader: BufReader<Recorded>,
}

/// A stream that records the bytes read from it.
struct Recorded {
    stream: TcpStream,
    heard: Arc<Mutex<Heard>>,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.heard.lock().unwrap().bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

impl FakeServer {
    /// Runs `serve` for each connection on a thread of its own; the connection closes when `serve` returns.
    pub fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let (kept, serve) = (Arc::clone(&heard), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let (heard, serve) = (Arc::clone(&kept), Arc::clone(&serve));
                heard.lock().unwrap().connections += 1;
                thread::spawn(move || serve(Peer { reader: BufReader::new(Recorded { stream, heard }) }));
            }
        });
        Self { address, heard }
    }

    /// The address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    /// Waits until a client no longer reads, and returns the number of bytes written to it before.
    pub fn refused(&self) -> u64 {
        let taken = || self.heard.lock().unwrap().taken;
        wait_until("a client that takes no more", || taken().is_some());
        taken().unwrap()
    }

    /// Waits until `is_enough` accepts all bytes that clients have sent, and returns them.
    pub fn heard(&self, is_enough: impl Fn(&str) -> bool) -> String {
        let all = || String::from_utf8(self.heard.lock().unwrap().bytes.clone()).unwrap();
        wait_until("what the client sends", || is_enough(&all()));
        all()
    }
}

impl Peer {
    /// Asks for a name and confirms whatever the client sends, which it returns.
    pub fn welcome(&mut self) -> String {
        self.say("server | client | name | no data");
        let line = self.line().expect("a name");
        let name = line.rsplit(" | ").next().unwrap().to_owned();
        self.say(&format!("server | {name} | connection_confirmation | You are now connected to the server"));
        name
    }

    /// Sends a line. Returns `false` if the connection has failed.
    pub fn say(&mut self, line: &str) -> bool {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Sends these bytes. Returns `false` if the connection has failed.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_mut().stream.write_all(bytes).is_ok()
    }

    /// The next line without its ending; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end_matches('\n').to_owned()),
            _ => None,
        }
    }

    /// Returns the next line that is not a `limits` request. Answers those as a server that does not support them.
    pub fn request(&mut self, name: &str) -> Option<String> {
        loop {
            let line = self.line()?;
            if !line.contains(" | limits | ") {
                return Some(line);
            }
            self.say(&format!("server | {name} | Unknown_operation | Operation (limits) is not supported"));
        }
    }

    /// Sends lines as fast as the client reads them, until the connection fails. Returns the number of bytes that were
    /// written.
    pub fn flood(&mut self, mut line: impl FnMut(u64) -> String) -> u64 {
        let mut sent = 0;
        for number in 0.. {
            let mut batch = String::new();
            for part in 0..16 {
                batch += &line(16 * number + part);
                batch.push('\n');
            }
            let mut rest = batch.as_bytes();
            while !rest.is_empty() {
                match self.reader.get_mut().stream.write(rest) {
                    Ok(written @ 1..) => {
                        sent += written as u64;
                        rest = &rest[written..];
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => return sent,
                }
            }
        }
        sent
    }

    /// Sends this line repeatedly until nothing can be written for `STALLED`, then waits until it can write the rest of
    /// the last line.
    pub fn shut_out(&mut self, line: &str) {
        let line = format!("{line}\n");
        let Recorded { stream, heard } = self.reader.get_mut();
        stream.set_write_timeout(Some(STALLED)).unwrap();
        let (mut taken, mut at) = (0, 0);
        while let Ok(written @ 1..) = stream.write(&line.as_bytes()[at..]) {
            taken += written as u64;
            at = (at + written) % line.len();
        }
        heard.lock().unwrap().taken = Some(taken);
        stream.set_write_timeout(None).unwrap();
        self.write(&line.as_bytes()[at..]);
    }

    /// Reads until the client closes the connection.
    pub fn until_the_end(&mut self) {
        while self.line().is_some() {}
    }
}
