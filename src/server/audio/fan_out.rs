//! Sends one datagram to many listeners: each listener's own header before the same bytes, many in one system call.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    net::SocketAddr,
};

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use tokio::{io::Interest, net::UdpSocket, sync::Notify};

use super::rewrite::HEADER;

/// Datagrams in one system call. The kernel allows up to 1,024.
const AT_ONCE: usize = 256;

/// The most datagrams queued for a socket whose send buffer is full. Further ones are lost, as a network would lose
/// them.
const MAX_WAITING: usize = 16 * 1024;

/// A datagram's copy for one listener.
#[derive(Clone, Copy, Debug)]
pub struct Copy {
    /// The listener's address.
    pub to: SocketAddr,
    /// The listener's RTP header.
    pub header: [u8; HEADER],
}

/// Numbers of copies sent and lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Copies that the kernel took, or that were queued for it.
    pub sent: usize,
    /// Copies that were dropped.
    pub lost: usize,
}

/// Datagrams queued for a socket whose send buffer is full.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: RefCell<VecDeque<(SocketAddr, Vec<u8>)>>,
    filled: Notify,
}

impl Backlog {
    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Waits until datagrams are queued. May return although the queue is empty.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    fn add(&self, copies: &[Copy], rest: &[u8]) -> Outcome {
        let mut waiting = self.waiting.borrow_mut();
        let room = MAX_WAITING.saturating_sub(waiting.len()).min(copies.len());
        waiting.extend(copies[..room].iter().map(|copy| (copy.to, [&copy.header[..], rest].concat())));
        if room > 0 {
            self.filled.notify_one();
        }
        Outcome { sent: room, lost: copies.len() - room }
    }

    /// Sends queued datagrams until the send buffer is full.
    pub fn drain(&self, socket: &UdpSocket) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some((to, bytes)) = waiting.front() {
            match socket.try_send_to(bytes, *to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Another error concerns this destination only, so the next datagram may succeed.
                _ => waiting.pop_front(),
            };
        }
    }
}

/// Sends copies that have the same `rest` after their headers. Queues those that the socket does not take.
pub fn send(socket: &UdpSocket, backlog: &Backlog, copies: &[Copy], rest: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut left = copies;
    // Queued datagrams go first.
    while backlog.is_empty() && !left.is_empty() {
        let (now, after) = left.split_at(left.len().min(AT_ONCE));
        match socket.try_io(Interest::WRITABLE, || send_at_once(socket, now, rest)) {
            Ok(sent) => {
                outcome.sent += sent;
                left = if sent == now.len() { after } else { &left[sent..] };
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The error concerns the first copy.
            Err(_) => {
                outcome.lost += 1;
                left = &left[1..];
            }
        }
    }
    let Outcome { sent, lost } = backlog.add(left, rest);
    Outcome { sent: outcome.sent + sent, lost: outcome.lost + lost }
}

/// Sends copies in one system call, and returns how many the kernel took, at least one.
fn send_at_once(socket: &UdpSocket, copies: &[Copy], rest: &[u8]) -> io::Result<usize> {
    let addresses: Vec<SocketAddrAny> = copies.iter().map(|copy| copy.to.into()).collect();
    let parts: Vec<[IoSlice<'_>; 2]> =
        copies.iter().map(|copy| [IoSlice::new(&copy.header), IoSlice::new(rest)]).collect();
    let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> = Vec::new();
    nothing.resize_with(copies.len(), SendAncillaryBuffer::default);
    let mut messages: Vec<MMsgHdr<'_>> = addresses
        .iter()
        .zip(&parts)
        .zip(&mut nothing)
        .map(|((address, parts), nothing)| MMsgHdr::new_with_addr(address, parts, nothing))
        .collect();
    Ok(sendmmsg(socket, &mut messages, SendFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_own_header_and_who_cannot_be_sent_to_is_in_nobodys_way() {
        actix_rt::System::new().block_on(async {
            let from = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut listeners = Vec::new();
            for _ in 0..300 {
                listeners.push(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
            }
            let numbers = || (0..=u8::MAX).cycle();
            let mut copies: Vec<Copy> = numbers()
                .zip(&listeners)
                .map(|(number, listener)| Copy {
                    to: listener.local_addr().unwrap(),
                    header: [number; HEADER],
                })
                .collect();
            // The kernel rejects port 0.
            copies.insert(10, Copy { to: SocketAddr::from(([127, 0, 0, 1], 0)), header: [0; HEADER] });
            let backlog = Backlog::default();
            from.writable().await.unwrap();
            assert_eq!(send(&from, &backlog, &copies, b"sound"), Outcome { sent: 300, lost: 1 });
            for (number, listener) in numbers().zip(&listeners) {
                let mut bytes = [0; 64];
                let length = listener.recv(&mut bytes).unwrap();
                assert_eq!(bytes[..length], [&[number; HEADER][..], b"sound"].concat());
            }
        });
    }

    #[test]
    fn what_waits_is_bounded_and_goes_first() {
        actix_rt::System::new().block_on(async {
            let from = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let listener = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let copy = |number| Copy { to: listener.local_addr().unwrap(), header: [number; HEADER] };
            let backlog = Backlog::default();
            assert_eq!(backlog.add(&[copy(1)], b"a"), Outcome { sent: 1, lost: 0 });
            from.writable().await.unwrap();
            send(&from, &backlog, &[copy(2)], b"b");
            backlog.drain(&from);
            for (number, rest) in [(1, b"a"), (2, b"b")] {
                let mut bytes = [0; 64];
                let length = listener.recv(&mut bytes).unwrap();
                assert_eq!(bytes[..length], [&[number; HEADER][..], rest].concat());
            }
            let many = vec![copy(3); MAX_WAITING + 5];
            assert_eq!(backlog.add(&many, b"c"), Outcome { sent: MAX_WAITING, lost: 5 });
        });
    }
}
