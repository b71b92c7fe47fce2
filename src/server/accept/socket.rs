//! Listening sockets: [`bind`] makes one, [`prepare`] sets the options that its connections inherit.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::server::net::connection::{UNSENT_BYTES, keepalive};

/// Connections that may wait in the kernel to be accepted.
pub const BACKLOG: i32 = 4096;

/// Binds an address and listens on it.
///
/// # Errors
/// If the address cannot be bound, or the system refuses a socket option.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Lets 0.0.0.0 and [::] be bound side by side.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    prepare(&SockRef::from(&socket))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets the options that accepted connections inherit.
///
/// # Errors
/// If the system refuses an option.
pub fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive())?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_nonblocking(true)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    #[test]
    fn connections_inherit_what_they_need() {
        let ours = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let passed = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare(&SockRef::from(&passed)).unwrap();
        for listener in [ours, passed] {
            assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            listener.set_nonblocking(false).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let socket = SockRef::from(&accepted);
            assert!(accepted.nodelay().unwrap() && socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
        }
    }
}
