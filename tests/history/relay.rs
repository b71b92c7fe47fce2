//! [`Relay`]: stands between a client and the server, and does wrong: what a server would do that drops, doubles, swaps
//! or alters one message in a thousand.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::letter::Letter;

/// A wrong that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Drop,
    Double,
    /// A broadcast changes places with the next.
    Swap,
    Alter,
}

/// How many broadcasts there are to one that is wronged.
const ONE_IN: u64 = 1000;

/// A relay to one server, for one connection.
pub struct Relay {
    pub address: SocketAddr,
    done: Arc<AtomicU64>,
}

impl Relay {
    /// A relay that does its first wrong to this broadcast of those that come by.
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
                // Either side's end is the other's.
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Write);
            });
            let mut done_wrong = DoneWrong { wrong, next: first, held: None, done: &count };
            // As above.
            let _ = done_wrong.pass_on(server, &client);
            let _ = client.shutdown(Shutdown::Write);
        });
        Self { address, done }
    }

    /// How much wrong it has done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// The way from the server to the client.
struct DoneWrong<'a> {
    wrong: Wrong,
    /// How many broadcasts come by before the next that is wronged.
    next: u64,
    /// Changes places with the next.
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

    /// What is passed on for a line.
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
