//! Drives the clients: all on one thread and one epoll, so that the other cores are left to the server.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token, event::Event};
use socket2::SockRef;

use crate::{
    servers::{DEADLINE, Server},
    wire::PAYLOAD,
};

/// The shape of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Number of clients that listen. A single sender is additional to these; several senders are among them.
    pub receivers: usize,
    /// Bytes of DATA in a message.
    pub size: usize,
    /// Number of clients that send.
    pub senders: usize,
    /// Number of messages of each sender in flight.
    pub window: usize,
}

impl Load {
    /// Number of messages in flight, of all senders.
    pub fn on_the_way(self) -> usize {
        self.senders * self.window
    }
}

/// Maximum bytes of one read.
const READ_BYTES: usize = 256 * 1024;

/// Clients that have joined and are ready to send and receive.
pub struct Clients {
    poll: Poll,
    members: Vec<Client>,
    /// Index in `members` of the first sender; the other senders follow it.
    first_sender: usize,
    load: Load,
    /// Number of clients that receive each message.
    heard_by: usize,
    buffer: Vec<u8>,
}

struct Client {
    stream: mio::net::TcpStream,
    message: Vec<u8>,
    /// Data that the socket has not accepted yet.
    unsent: Vec<u8>,
}

impl Clients {
    /// Joins the clients one after the other.
    pub fn join(server: &Server, load: Load) -> Result<Self> {
        Self::join_spread(&[server], load)
    }

    /// Joins the clients one after the other, each at the next of these servers.
    pub fn join_spread(servers: &[&Server], load: Load) -> Result<Self> {
        let wire = servers[0].wire();
        let members_send = load.senders > 1 && wire.receivers_can_send();
        let further = if members_send { 0 } else { load.senders };
        let poll = Poll::new()?;
        let mut members = Vec::with_capacity(load.receivers + further);
        let first_sender = if members_send { 0 } else { load.receivers };
        let senders = first_sender..first_sender + load.senders;
        for number in 0..load.receivers + further {
            let stream = join(servers[number % servers.len()], number, number < load.receivers)
                .with_context(|| format!("client {number} cannot join"))?;
            // Resets the connection at close, so that its port is free at once and not after minutes.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest)?;
            let sends = senders.contains(&number);
            let message = if sends { wire.message(number, load.size) } else { Vec::new() };
            members.push(Client { stream, message, unsent: Vec::new() });
        }
        let heard_by = if members_send { load.receivers - 1 } else { load.receivers };
        Ok(Self { poll, members, first_sender, load, heard_by, buffer: vec![0; READ_BYTES] })
    }

    /// Number of deliveries that `messages` make.
    pub fn deliveries(&self, messages: usize) -> usize {
        messages * self.heard_by
    }

    /// Sends `messages` messages, by each sender in turn, and waits until all receivers have them.
    ///
    /// Deliveries are counted for all receivers together: the oldest message counts as delivered to all once the bytes
    /// delivered reach the total of it and of all messages before it.
    pub fn deliver(&mut self, messages: usize) -> Result<()> {
        let expected = self.deliveries(messages) * self.load.size;
        let mut events = Events::with_capacity(1024);
        let (mut sent, mut heard) = (0, 0);
        let mut progress = Instant::now();
        loop {
            let delivered = heard / (self.heard_by * self.load.size);
            let due = messages.min(delivered + self.load.on_the_way());
            self.send(sent, due)?;
            sent = due;
            if heard >= expected {
                ensure!(heard == expected, "{heard} bytes of DATA came where {expected} were sent");
                return Ok(());
            }
            if let Err(error) = self.poll.poll(&mut events, Some(DEADLINE))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            let more: usize = events.iter().map(|event| self.attend(event)).sum::<Result<_>>()?;
            heard += more;
            if more > 0 {
                progress = Instant::now();
            } else if progress.elapsed() >= DEADLINE {
                bail!("nothing was delivered for {DEADLINE:?}, after {heard} of {expected} bytes of DATA");
            }
        }
    }

    /// Sends the messages numbered `from..to`. The data of one sender goes out in one write.
    fn send(&mut self, from: usize, to: usize) -> Result<()> {
        let senders = self.load.senders;
        for number in from..to {
            let sender = &mut self.members[self.first_sender + number % senders];
            sender.unsent.extend_from_slice(&sender.message);
        }
        for number in from..to.min(from + senders) {
            self.members[self.first_sender + number % senders].flush()?;
        }
        Ok(())
    }

    /// Handles an event of one client. Returns the number of DATA bytes received.
    fn attend(&mut self, event: &Event) -> Result<usize> {
        let Token(number) = event.token();
        let client = &mut self.members[number];
        if event.is_writable() {
            client.flush()?;
        }
        if !event.is_readable() {
            return Ok(0);
        }
        client.receive(&mut self.buffer).with_context(|| format!("client {number} is cut off"))
    }
}

impl Client {
    fn flush(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a sender is cut off"),
            }
        }
        Ok(())
    }

    /// Reads until a read is not full: then nothing is left, and epoll reports when more arrives.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut data = 0;
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => {
                    // A sum of bytes instead of `count()`, which the compiler turns into slower code.
                    data += buffer[..read].iter().map(|&byte| usize::from(byte == PAYLOAD)).sum::<usize>();
                    if read < buffer.len() {
                        return Ok(data);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(data),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Connects a client that has joined and has read all it was sent.
pub fn join(server: &Server, number: usize, receives: bool) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.address())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    server.wire().join(&stream, number, receives)?;
    // Acknowledge every read, as connections do that have only listened for a while. By default, a connection that has
    // also sent does so only after it was idle; the floor's clients have sent nothing, and would not be comparable.
    #[cfg(target_os = "linux")]
    SockRef::from(&stream).set_tcp_quickack(true)?;
    Ok(stream)
}
