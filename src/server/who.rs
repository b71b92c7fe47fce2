//! [`Peer`]: the other end of a connection; [`Who`]: how a session is named in the log.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, TcpStream},
};

use slog::{KV, Record, Result, Serializer};

use super::seat::SessionId;
use crate::protocol::Name;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    address: SocketAddr,
    /// It is on this machine.
    pub is_local: bool,
    /// What passes is encrypted on the way.
    pub is_encrypted: bool,
}

impl Peer {
    /// The other end of this connection, which came from this address.
    pub fn of(socket: &TcpStream, address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        // A machine that connects to its own outer address comes from that address.
        let is_own = || socket.local_addr().is_ok_and(|own| own.ip().to_canonical() == ip);
        Self { address, is_local: ip.is_loopback() || is_own(), is_encrypted: false }
    }

    /// What passes between it and the server is nobody else's to read, so that it may send a password.
    pub fn is_private(&self) -> bool {
        self.is_local || self.is_encrypted
    }

    /// The same, now that it is known that what passes is encrypted.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { is_encrypted: true, ..self }
    }

    /// Where it is. An IPv4 address mapped into IPv6 is given as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn elsewhere() -> Self {
        Self::at(IpAddr::from([192, 0, 2, 1]))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn at(address: IpAddr) -> Self {
        Self { address: SocketAddr::from((address, 1)), is_local: false, is_encrypted: false }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The keys that each line of a session carries. Built when a line is logged, so that it costs a session no memory.
pub struct Who<'a> {
    /// Its number.
    pub id: SessionId,
    /// The other end.
    pub peer: Peer,
    /// Its name, once it has one.
    pub name: Option<&'a Name>,
}

impl KV for Who<'_> {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        // The last first, as slog's own macros do.
        if let Some(name) = self.name {
            serializer.emit_str("name", name.as_str())?;
        }
        serializer.emit_arguments("peer", &format_args!("{}", self.peer))?;
        serializer.emit_u64("id", self.id.0)
    }
}
