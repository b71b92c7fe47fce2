//! [`Relay`]: a relay between a client and the server that misbehaves as a faulty server would: it drops, duplicates,
//! swaps or alters one broadcast in 1000.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::letter::Letter;

/// How the relay misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Drop,
    Double,
    /// Passes on a broadcast after the next one.
    Swap,
    Alter,
}

/// The relay misbehaves for one in this many broadcasts.
const ONE_IN: u64 = 1000;

/// A relay for one connection to a server.
pub struct Relay {
    pub address: SocketAddr,
    done: Arc<AtomicU64>,
}

impl Relay {
    /// Starts a relay that first misbehaves after `first` broadcasts.
    pub fn start(server: SocketAddr, wrong: Wrong, first: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let done = Arc::<AtomicU64>::default();
        let count = Arc::clone(&done);
        std::thread::spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let server = TcpStream::connect(server).expect("a server");
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                // Any failure ends the relay in this direction.
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            let mut done_wrong = DoneWrong { wrong, next: first, held: None, done: &count };
            // Any failure ends this direction, too.
            let _ = done_wrong.pass_on(server, &client);
            let _ = client.shutdown(Shutdown::Write);
        });
        Self { address, done }
    }

    /// Number of times that it has misbehaved.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// The direction from the server to the client.
struct DoneWrong<'a> {
    wrong: Wrong,
    /// Number of broadcasts to pass on before the relay misbehaves next.
    next: u64,
    /// A broadcast to pass on after the next one.
    held: Option<Vec<u8>>,
    done: &'a AtomicU64,
}

impl DoneWrong<'_> {
    fn pass_on(&mut self, server: TcpStream, mut client: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(server);
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            for line in self.next(line) {
                client.write_all(&line)?;
            }
        }
    }

    /// The lines to pass on for a line from the server.
    fn next(&mut self, mut line: Vec<u8>) -> Vec<Vec<u8>> {
        let letter =
            str::from_utf8(&line).ok().and_then(|line| Letter::read(line.trim_end_matches(['\r', '\n'])));
        if !letter.is_some_and(|letter| letter.to.is_broadcast()) {
            return vec![line];
        }
        if let Some(held) = self.held.take() {
            return vec![line, held];
        }
        if self.next > 0 {
            self.next -= 1;
            return vec![line];
        }
        self.next = ONE_IN - 1;
        self.done.fetch_add(1, Ordering::Relaxed);
        match self.wrong {
            Wrong::Drop => Vec::new(),
            Wrong::Double => vec![line.clone(), line],
            Wrong::Swap => {
                self.held = Some(line);
                Vec::new()
            }
            Wrong::Alter => {
                let place = line.len() - 3;
                line[place] = if line[place] == b'x' { b'y' } else { b'x' };
                vec![line]
            }
        }
    }
}
