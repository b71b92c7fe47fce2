//! The floor: a bare server that writes what it reads to every other connection. No parsing, no names, no actors.
//!
//! One thread and one epoll. A read of up to 64 KiB costs one `write()` a receiver; no server that sends to each
//! connection on its own can do with less.

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

/// How much may wait for a client that does not read. One that falls further behind is cut off, which ends the
/// measurement; the load's windows are smaller.
const UNREAD_BYTES: usize = 8 * 1024 * 1024;

const LISTENER: Token = Token(usize::MAX - 1);

struct Client {
    stream: TcpStream,
    /// What the socket did not take.
    rest: VecDeque<u8>,
}

/// Serves until the process is ended.
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

/// One read after the other, until one is not full: then nothing is left, and epoll tells when more comes.
fn relay(clients: &mut Slab<Client>, from: usize, buffer: &mut [u8]) {
    while let Some(client) = clients.get_mut(from) {
        let read = match client.stream.read(buffer) {
            Ok(read @ 1..) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // Gone, in whatever way.
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
    /// One `write()`, unless something waits already.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = if self.rest.is_empty() { taken(self.stream.write(bytes))? } else { 0 };
        self.rest.extend(&bytes[written..]);
        if self.rest.len() > UNREAD_BYTES {
            return Err(ErrorKind::TimedOut.into());
        }
        // Epoll tells of room only after a write that found none.
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

/// How much a socket took; one that is full takes nothing.
fn taken(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        outcome => outcome,
    }
}
