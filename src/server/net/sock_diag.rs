//! Queries the kernel's state of one TCP connection by `sock_diag(7)` (Linux).
//!
//! An outbox notices that a slow connection makes progress only when the kernel asks for more data, which is seldom.
//! The kernel's state shows at any time how much the other end has acknowledged and, for a program on this machine, how
//! much it has read, which its kernel acknowledges only in large steps. Each query takes about 20 µs, regardless of the
//! number of connections.

use std::{io, net::SocketAddr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as KernelAddress, protocols::NETLINK_SOCK_DIAG};

/// Address families and the protocol number, as in `socket(2)`.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// Size of the buffer for the answer, which has 88 bytes.
const ANSWER_BYTES: usize = 512;

/// Bytes that were sent and that the other end has not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Bytes that the other end's kernel has not acknowledged.
    pub unacknowledged: u32,
    /// Bytes that the other end's kernel has and its program has not read. Known only for programs on this machine (in
    /// this network namespace), otherwise 0.
    pub unread: u32,
}

impl NotTaken {
    /// Whether the other end has taken bytes since `before`. Bytes that its kernel has received and not acknowledged
    /// yet count in both fields, so the sum of the fields says nothing.
    #[must_use]
    pub fn is_less_than(self, before: Self) -> bool {
        self.unacknowledged < before.unacknowledged || self.unread < before.unread
    }
}

/// Returns how many bytes of a TCP connection the other end has not taken.
///
/// # Errors
/// If there is no such connection, or if the kernel cannot be asked.
pub fn not_taken(local: SocketAddr, peer: SocketAddr) -> io::Result<NotTaken> {
    let unacknowledged = ask(local, peer)?.send_queue;
    // The other end's socket of the same connection. If the other end is on another machine, the kernel finds none.
    let unread = ask(peer, local).map_or(0, |theirs| theirs.recv_queue);
    Ok(NotTaken { unacknowledged, unread })
}

fn ask(local: SocketAddr, peer: SocketAddr) -> io::Result<InetResponseHeader> {
    let kernel = Socket::new(NETLINK_SOCK_DIAG)?;
    kernel.connect(&KernelAddress::new(0, 0))?;
    kernel.send(&question(local, peer), 0)?;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    kernel.recv(&mut answer, 0)?;
    match NetlinkMessage::deserialize(&answer).map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => Ok(found.header),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn question(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let connection = SocketId {
        source_port: local.port(),
        destination_port: peer.port(),
        source_address: local.ip(),
        destination_address: peer.ip(),
        interface_id: 0,
        // INET_DIAG_NOCOOKIE: matches any socket.
        cookie: [0xff; 8],
    };
    let request = InetRequest {
        family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: connection,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn what_the_other_end_has_not_taken_is_counted() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let mut reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut writer, peer) = listener.accept().unwrap();
            let local = writer.local_addr().unwrap();
            assert_eq!(not_taken(local, peer).unwrap(), NotTaken { unacknowledged: 0, unread: 0 });
            writer.set_nonblocking(true).unwrap();
            let mut written = 0;
            while let Ok(more) = writer.write(&[0; 10_000]) {
                written += more;
            }
            // Reads of one byte each are seen, although the kernel acknowledges none before there is room for many.
            for _ in 0..3 {
                let before = not_taken(local, peer).unwrap();
                assert!(before.unacknowledged > 0, "{before:?} of {written}");
                reader.read_exact(&mut [0]).unwrap();
                let after = not_taken(local, peer).unwrap();
                assert!(
                    after.is_less_than(before) && after.unread == before.unread - 1,
                    "{before:?} {after:?}"
                );
                assert!(!after.is_less_than(after));
            }
            reader.read_exact(&mut vec![0; written - 3]).unwrap();
            assert_eq!(not_taken(local, peer).unwrap().unread, 0);
        }
    }

    #[test]
    fn an_unknown_connection_is_an_error() {
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!(not_taken(nobody, nobody).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
