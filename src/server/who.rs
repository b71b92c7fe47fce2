//! [`Peer`]: the other end of a connection; [`Who`]: how a session is named in the log.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, TcpStream},
};

use slog::{KV, Record, Result, Serializer};

use super::seat::SessionId;
use crate::{
    config::{Flood, LocalConnections},
    protocol::Name,
};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    // Not two `SocketAddr`s: every session has one of these.
    ip: IpAddr,
    port: u16,
    /// Which link an IPv6 address belongs to, where it is one of a link's own.
    scope: u32,
    /// Where it reached this machine.
    reached: IpAddr,
    /// It is on this machine, and its user too.
    pub is_local: bool,
    /// It is a proxy on this machine; its user is elsewhere.
    pub is_proxied: bool,
    /// That proxy is reached by TLS.
    is_proxied_by_tls: bool,
    /// What passes is encrypted on the way.
    pub is_encrypted: bool,
}

impl Peer {
    /// The other end of this connection, which came from this address. `local` says whose connections come from this machine.
    pub fn of(socket: &TcpStream, address: SocketAddr, local: LocalConnections) -> Self {
        let reached = socket.local_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |own| own.ip());
        let ip = address.ip().to_canonical();
        // A machine that connects to its own outer address comes from that address.
        let is_here = ip.is_loopback() || reached.to_canonical() == ip;
        let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
        let peer = Self {
            ip: address.ip(),
            port: address.port(),
            scope,
            reached,
            is_local: is_here,
            is_proxied: false,
            is_proxied_by_tls: false,
            is_encrypted: false,
        };
        match local {
            LocalConnections::Direct => peer,
            LocalConnections::Proxied => peer.proxied(false),
            LocalConnections::TlsProxied => peer.proxied(true),
        }
    }

    /// The same, now that it is known that what comes from this machine comes from a proxy. A peer elsewhere stays as it is.
    #[must_use]
    pub fn proxied(self, by_tls: bool) -> Self {
        if self.is_local {
            Self { is_local: false, is_proxied: true, is_proxied_by_tls: by_tls, ..self }
        } else {
            self
        }
    }

    /// Whether the connection stays within this machine, whoever uses it.
    pub fn is_on_this_machine(&self) -> bool {
        self.is_local || self.is_proxied
    }

    /// Whether `flood.sessions_per_address` and `flood.joins_per_minute` hold. Behind a proxy all clients have its address, so
    /// one of them could lock the others out: there they hold only where the operator asks for them.
    pub fn counts_by_address(&self, flood: &Flood) -> bool {
        flood.governs(self.is_on_this_machine())
    }

    /// What passes between it and the server is nobody else's to read, so that it may send a password.
    pub fn is_private(&self) -> bool {
        self.is_local || self.is_encrypted || self.is_proxied_by_tls
    }

    /// The same, now that it is known that what passes is encrypted.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { is_encrypted: true, ..self }
    }

    /// Where it is. An IPv4 address mapped into IPv6 is given as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.ip.to_canonical()
    }

    /// The address at which it reached this machine, in the same form; unspecified where the system does not say.
    pub fn reached(&self) -> IpAddr {
        self.reached.to_canonical()
    }

    #[cfg(test)]
    pub fn having_reached(self, reached: IpAddr) -> Self {
        Self { reached, ..self }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn elsewhere() -> Self {
        Self::at(IpAddr::from([192, 0, 2, 1]))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn at(address: IpAddr) -> Self {
        let reached = IpAddr::from([192, 0, 2, 254]);
        Self {
            ip: address,
            port: 1,
            scope: 0,
            reached,
            is_local: false,
            is_proxied: false,
            is_proxied_by_tls: false,
            is_encrypted: false,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, port, scope, .. } = *self;
        match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port).fmt(f),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).fmt(f),
        }
    }
}

/// The keys that each line of a session carries. Built when a line is logged, so that it costs a session no memory.
pub struct Who<'a> {
    /// Its number.
    pub id: SessionId,
    /// The other end.
    pub peer: &'a Peer,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_shown_as_the_system_shows_it() {
        // Every session has one.
        assert!(size_of::<Peer>() <= 44, "{}", size_of::<Peer>());
        for text in ["192.0.2.1:7", "[2001:db8::1]:7", "[fe80::1%3]:7", "[::ffff:192.0.2.1]:7"] {
            let address: SocketAddr = text.parse().unwrap();
            let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
            let peer = Peer { ip: address.ip(), port: address.port(), scope, ..Peer::elsewhere() };
            assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn where_a_client_reached_the_server_is_known() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, from) = listener.accept().unwrap();
        let peer = Peer::of(&socket, from, LocalConnections::Direct);
        assert_eq!((peer.reached(), peer.is_local), (IpAddr::V4(Ipv4Addr::LOCALHOST), true));
        assert!(peer.is_private() && !peer.counts_by_address(&Flood::default()));
    }

    #[test]
    fn behind_a_proxy_nobody_is_local() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, from) = listener.accept().unwrap();
        for (local, is_private) in [(LocalConnections::Proxied, false), (LocalConnections::TlsProxied, true)]
        {
            let peer = Peer::of(&socket, from, local);
            assert!(!peer.is_local && peer.is_proxied && peer.is_on_this_machine());
            assert_eq!(peer.is_private(), is_private);
            assert!(!peer.counts_by_address(&Flood::default()));
            assert!(peer.counts_by_address(&Flood { loopback: true, ..Flood::default() }));
        }
        // A peer elsewhere is what it was.
        assert!(!Peer::elsewhere().proxied(true).is_private());
        assert!(Peer::elsewhere().counts_by_address(&Flood::default()));
    }
}
