//! [`PortAllocator`]: allocates pairs of UDP sockets, for RTP and RTCP, from the range `media.udp_ports`.

use std::{cell::RefCell, collections::BTreeSet, io, net::SocketAddr, ops::RangeInclusive, rc::Rc};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Size requested for a socket's buffer in each direction: 4 MiB. The system may grant less.
const ROOM: usize = 4 * 1024 * 1024;

/// The range of ports, and those that the relay uses.
#[derive(Clone, Debug)]
pub struct PortAllocator {
    range: RangeInclusive<u16>,
    taken: Rc<RefCell<BTreeSet<u16>>>,
}

/// Two sockets at consecutive ports, the first of which is even (RFC 3550, section 11).
#[derive(Debug)]
pub struct PortPair {
    /// For audio.
    pub rtp: UdpSocket,
    /// For reports.
    pub rtcp: UdpSocket,
    /// The first port.
    pub port: u16,
    /// The allocator that the ports return to.
    ports: PortAllocator,
}

impl PortAllocator {
    /// An allocator of this range, of which no port is in use.
    pub fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, taken: Rc::default() }
    }

    /// Whether the relay uses this port.
    pub fn is_taken(&self, port: u16) -> bool {
        self.taken.borrow().contains(&(port & !1))
    }

    /// Allocates a pair at this IP address; the port in `at` is ignored.
    ///
    /// # Errors
    /// If all pairs are in use, or if the system refuses to open a socket.
    pub fn take(&self, at: SocketAddr) -> io::Result<PortPair> {
        self.take_with(at, ROOM)
    }

    /// Allocates a pair like [`Self::take`], but one that is never read: with a minimal buffer, the kernel drops almost
    /// all incoming datagrams.
    ///
    /// # Errors
    /// If all pairs are in use, or if the system refuses to open a socket.
    pub fn take_unread(&self, at: SocketAddr) -> io::Result<PortPair> {
        self.take_with(at, 1)
    }

    fn take_with(&self, at: SocketAddr, room: usize) -> io::Result<PortPair> {
        let (first, pairs) = (first(&self.range), pairs(&self.range));
        if pairs == 0 {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // The search begins at a random pair, so that ports are unpredictable.
        let begin = getrandom::u32()? % u32::from(pairs);
        for number in 0..u32::from(pairs) {
            let place = (begin + number) % u32::from(pairs);
            let port = first + u16::try_from(place * 2).unwrap_or_default();
            if self.is_taken(port) {
                continue;
            }
            let with = |port| {
                let mut at = at;
                at.set_port(port);
                at
            };
            match (bind(with(port), room), bind(with(port + 1), room)) {
                (Ok(rtp), Ok(rtcp)) => {
                    self.taken.borrow_mut().insert(port);
                    return Ok(PortPair { rtp, rtcp, port, ports: self.clone() });
                }
                (Err(error), _) | (_, Err(error)) if error.kind() != io::ErrorKind::AddrInUse => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

impl Drop for PortPair {
    fn drop(&mut self) {
        self.ports.taken.borrow_mut().remove(&self.port);
    }
}

/// Returns the first port of the first pair in a range of ports.
fn first(range: &RangeInclusive<u16>) -> u16 {
    range.start().next_multiple_of(2)
}

/// Returns the number of pairs in a range of ports.
pub fn pairs(range: &RangeInclusive<u16>) -> u16 {
    range.end().saturating_add(1).saturating_sub(first(range)) / 2
}

fn bind(at: SocketAddr, room: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system silently limits these sizes to its maximum.
    socket.set_recv_buffer_size(room)?;
    socket.set_send_buffer_size(room)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_begin_even_and_are_given_back() {
        actix_rt::System::new().block_on(async {
            let at = SocketAddr::from(([127, 0, 0, 1], 0));
            let ports = PortAllocator::new(29_401..=29_405);
            let one = ports.take(at).unwrap();
            let other = ports.take(at).unwrap();
            let mut both = [one.port, other.port];
            both.sort_unstable();
            assert_eq!(both, [29_402, 29_404]);
            assert_eq!(one.rtcp.local_addr().unwrap().port(), one.port + 1);
            assert!(ports.is_taken(29_405) && !ports.is_taken(29_401));
            assert_eq!(ports.take(at).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop(one);
            assert!(ports.take(at).is_ok());
        });
    }
}
