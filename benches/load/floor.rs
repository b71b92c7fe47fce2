//! The floor: a bare server that writes what it reads to every other connection. No parsing, no names, no actors.
//!
//! Uses one thread and one epoll. A read of up to 64 KiB costs one `write()` per receiver; no server that sends to each
//! connection separately can do with less.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use slab::Slab;

const READ_BYTES: usize = 64 * 1024;

/// Maximum bytes queued for a client that does not read. A client that exceeds this is disconnected, which ends the
/// measurement; the windows of the loads are smaller.
const UNREAD_BYTES: usize = 8 * 1024 * 1024;

const LISTENER: Token = Token(usize::MAX - 1);

struct Client {
    stream: TcpStream,
    /// Data that the socket has not accepted.
    rest: VecDeque<u8>,
}

/// Serves until the process is killed.
pub fn serve(port: u16) -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients)?;
                continue;
            }
            if event.is_writable() {
                flush(&mut clients, key);
            }
            if event.is_readable() {
                relay(&mut clients, key, &mut buffer);
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, clients: &mut Slab<Client>) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        // A client counts as joined once it has read something.
        stream.write_all(b"\n")?;
        let entry = clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(entry.key()), interest)?;
        entry.insert(Client { stream, rest: VecDeque::new() });
    }
}

/// Reads until a read is not full: then nothing is left, and epoll reports when more arrives.
fn relay(clients: &mut Slab<Client>, from: usize, buffer: &mut [u8]) {
    while let Some(client) = clients.get_mut(from) {
        let read = match client.stream.read(buffer) {
            Ok(read @ 1..) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // The connection ended or failed.
            Ok(0) | Err(_) => {
                clients.remove(from);
                return;
            }
        };
        let bytes = &buffer[..read];
        clients.retain(|key, client| key == from || client.write(bytes).is_ok());
        if read < buffer.len() {
            return;
        }
    }
}

fn flush(clients: &mut Slab<Client>, key: usize) {
    if clients.get_mut(key).is_some_and(|client| client.flush().is_err()) {
        clients.remove(key);
    }
}

impl Client {
    /// Performs one `write()`, unless data is already queued.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = if self.rest.is_empty() { taken(self.stream.write(bytes))? } else { 0 };
        self.rest.extend(&bytes[written..]);
        if self.rest.len() > UNREAD_BYTES {
            return Err(ErrorKind::TimedOut.into());
        }
        // Epoll reports room only after a write that found none.
        if 0 < written && written < bytes.len() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.rest.is_empty() {
            match taken(self.stream.write(self.rest.as_slices().0))? {
                0 => break,
                written => drop(self.rest.drain(..written)),
            }
        }
        Ok(())
    }
}

/// Number of bytes that a socket accepted; 0 if it is full.
fn taken(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        outcome => outcome,
    }
}
