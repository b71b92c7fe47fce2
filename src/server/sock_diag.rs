//! What the kernel knows of one connection, asked by `sock_diag(7)` (Linux).
//!
//! An outbox sees that a slow line takes something only when the kernel asks for more, which is seldom. What the other
//! end has acknowledged is known all the while; and of a program on this machine, what it has read, which its kernel only
//! acknowledges in lumps. Each answer takes some 20 microseconds, however many connections there are.

use std::{io, net::SocketAddr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as KernelAddress, protocols::NETLINK_SOCK_DIAG};

/// Address families and the protocol, as `socket(2)` numbers them.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;

/// Room for the answer, which has 88 bytes.
const ANSWER_BYTES: usize = 512;

/// Bytes that were sent and not taken by the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Its kernel has not acknowledged them.
    pub unacknowledged: u32,
    /// Its kernel has them, and the program has not read them. Only known of programs on this machine (in this network
    /// namespace), else 0.
    pub unread: u32,
}

impl NotTaken {
    /// Whether the other end has taken something since. What its kernel has got and not acknowledged yet counts in both, so
    /// their sum says nothing.
    #[must_use]
    pub fn is_less_than(self, before: Self) -> bool {
        self.unacknowledged < before.unacknowledged || self.unread < before.unread
    }
}

/// What of a TCP connection the other end has not taken.
///
/// # Errors
/// If there is no such connection, or if the kernel does not tell.
pub fn not_taken(local: SocketAddr, peer: SocketAddr) -> io::Result<NotTaken> {
    let unacknowledged = ask(local, peer)?.send_queue;
    // Its own end of the same connection. On another machine there is none to be found.
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
        // Any: INET_DIAG_NOCOOKIE.
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
            // Byte by byte, although the kernel sends none of that on before there is room for much.
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
