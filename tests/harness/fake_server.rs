//! [`FakeServer`]: a server that does what a test says, however wrong, and keeps every byte that it was sent.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{DEADLINE, wait_until};

/// A server on a port of its own. It serves until the test ends.
pub struct FakeServer {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

/// All that clients sent.
#[derive(Default)]
struct Heard {
    connections: usize,
    bytes: Vec<u8>,
    /// How many bytes a client took before it took no more, see [`Peer::shut_out`].
    taken: Option<u64>,
}

/// After so long without a byte taken, a client takes no more.
const STALLED: Duration = Duration::from_secs(3);

/// One connection, seen from the server.
pub struct Peer {
    reader: BufReader<Recorded>,
}

/// A stream whose bytes are kept as they are read.
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
    /// Serves each connection by a thread that runs `serve`; the connection ends with it.
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

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    /// How many bytes a client took before it took no more.
    pub fn refused(&self) -> u64 {
        let taken = || self.heard.lock().unwrap().taken;
        wait_until("a client that takes no more", || taken().is_some());
        taken().unwrap()
    }

    /// All that clients sent, once it satisfies the test.
    pub fn heard(&self, is_enough: impl Fn(&str) -> bool) -> String {
        let all = || String::from_utf8(self.heard.lock().unwrap().bytes.clone()).unwrap();
        wait_until("what the client sends", || is_enough(&all()));
        all()
    }
}

impl Peer {
    /// Asks for the name, and gives whatever is asked for.
    pub fn welcome(&mut self) -> String {
        self.say("server | client | name | no data");
        let line = self.line().expect("a name");
        let name = line.rsplit(" | ").next().unwrap().to_owned();
        self.say(&format!("server | {name} | connection_confirmation | You are now connected to the server"));
        name
    }

    /// Sends a line. Whether there was somebody to take it.
    pub fn say(&mut self, line: &str) -> bool {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Sends these bytes. Whether there was somebody to take them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_mut().stream.write_all(bytes).is_ok()
    }

    /// The next line, its ending taken off; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end_matches('\n').to_owned()),
            _ => None,
        }
    }

    /// Answers `limits` as a server that does not know it; the next line that is anything else.
    pub fn request(&mut self, name: &str) -> Option<String> {
        loop {
            let line = self.line()?;
            if !line.contains(" | limits | ") {
                return Some(line);
            }
            self.say(&format!("server | {name} | Unknown_operation | Operation (limits) is not supported"));
        }
    }

    /// Sends lines as fast as they are taken, until nobody takes any more; how many bytes those were.
    pub fn flood(&mut self, mut line: impl FnMut(u64) -> String) -> u64 {
        let mut sent = 0;
        for number in 0.. {
            let mut batch = String::new();
            for part in 0..16 {
                batch += &line(16 * number + part);
                batch.push('\n');
            }
            if !self.write(batch.as_bytes()) {
                break;
            }
            sent += batch.len() as u64;
        }
        sent
    }

    /// Sends this line again and again until the client has taken nothing for [`STALLED`], and then the rest of the last.
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

    /// Reads until the client ends the connection.
    pub fn until_the_end(&mut self) {
        while self.line().is_some() {}
    }
}
