//! [`Peer`]: the other end of a connection; [`LogFields`]: the log keys of a session.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, TcpStream},
};

use arauto_protocol::Name;
use slog::{KV, Record, Result, Serializer};

use super::session_ref::SessionId;
use crate::config::{Flood, LocalConnections};

/// How clients reach a proxy on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proxy {
    ReachedInTheOpen,
    ReachedByTls,
}

/// Whether a connection from `ip`, which reached this machine at the address `reached`, stays within this machine.
pub fn is_on_this_machine(ip: IpAddr, reached: IpAddr) -> bool {
    let ip = ip.to_canonical();
    // A connection from a machine to its own outer address comes from that address.
    ip.is_loopback() || ip == reached.to_canonical()
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    // Two `SocketAddr`s would be larger, and every session has a `Peer`.
    ip: IpAddr,
    port: u16,
    /// Scope (interface) of a link-local IPv6 address, otherwise 0.
    scope: u32,
    /// Address at which the peer reached this machine.
    reached: IpAddr,
    /// The peer is on this machine, and so is its user.
    pub is_local: bool,
    /// Present if the peer is a proxy on this machine, whose user is elsewhere.
    proxy: Option<Proxy>,
    /// The connection to the server is encrypted.
    pub is_encrypted: bool,
}

impl Peer {
    /// Creates the peer of a socket that was accepted from `address`. `local` says how to treat connections from this
    /// machine.
    pub fn of(socket: &TcpStream, address: SocketAddr, local: LocalConnections) -> Self {
        let reached = socket.local_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |own| own.ip());
        let ip = address.ip().to_canonical();
        let is_here = is_on_this_machine(ip, reached);
        let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
        let peer = Self {
            ip: address.ip(),
            port: address.port(),
            scope,
            reached,
            is_local: is_here,
            proxy: None,
            is_encrypted: false,
        };
        match local {
            LocalConnections::Direct => peer,
            LocalConnections::Proxied => peer.proxied(false),
            LocalConnections::TlsProxied => peer.proxied(true),
        }
    }

    /// Marks a peer on this machine as a proxy, which its clients reach by TLS if `by_tls`. A peer elsewhere stays as
    /// it is.
    #[must_use]
    pub fn proxied(self, by_tls: bool) -> Self {
        if self.is_local {
            let proxy = if by_tls { Proxy::ReachedByTls } else { Proxy::ReachedInTheOpen };
            Self { is_local: false, proxy: Some(proxy), ..self }
        } else {
            self
        }
    }

    /// Whether the peer is a proxy on this machine.
    pub fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    /// Whether the connection stays within this machine, whether a local user or a proxy opened it.
    pub fn is_on_this_machine(&self) -> bool {
        self.is_local || self.is_proxied()
    }

    /// Whether `flood.sessions_per_address` and `flood.joins_per_minute` apply to the peer. On connections within this
    /// machine, they apply only if the operator asks for that (`flood.loopback`): all clients of a proxy have its
    /// address, so one of them could lock the others out.
    pub fn counts_by_address(&self, flood: &Flood) -> bool {
        flood.governs(self.is_on_this_machine())
    }

    /// Whether no third party can read what the peer sends, so that it may send a password.
    pub fn is_private(&self) -> bool {
        self.is_local || self.is_encrypted || self.proxy == Some(Proxy::ReachedByTls)
    }

    /// Marks the connection as encrypted.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { is_encrypted: true, ..self }
    }

    /// Address of the peer. An IPv4 address mapped into IPv6 is returned as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.ip.to_canonical()
    }

    /// Address at which the peer reached this machine, in the form of [`Self::ip`]; unspecified if the system does not
    /// say.
    pub fn reached(&self) -> IpAddr {
        self.reached.to_canonical()
    }

    /// The peer of a session at another node of the cluster, as far as that node has told.
    pub fn at_another_node(ip: IpAddr, is_on_its_machine: bool) -> Self {
        let reached = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { ip, port: 0, scope: 0, reached, is_local: is_on_its_machine, proxy: None, is_encrypted: false }
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
        Self { ip: address, port: 1, scope: 0, reached, is_local: false, proxy: None, is_encrypted: false }
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

/// The keys in each log line of a session. Built when a line is logged, so that they cost a session no memory.
pub struct LogFields<'a> {
    /// Number of the session.
    pub id: SessionId,
    /// Other end of the connection.
    pub peer: &'a Peer,
    /// Name of the session, once it has one.
    pub name: Option<&'a Name>,
}

impl KV for LogFields<'_> {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        // The last key first, as slog's own macros do.
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
        // Every session has a `Peer`.
        assert!(size_of::<Peer>() <= 44, "{}", size_of::<Peer>());
        for text in ["192.0.2.1:7", "[2001:db8::1]:7", "[fe80::1%3]:7", "[::ffff:192.0.2.1]:7"] {
            let address: SocketAddr = text.parse().unwrap();
            let scope = if let SocketAddr::V6(address) = address { address.scope_id() } else { 0 };
            let peer = Peer { ip: address.ip(), port: address.port(), scope, ..Peer::elsewhere() };
            assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn a_connection_to_the_machines_own_address_stays_on_it() {
        for (ip, reached, is_here) in [
            ("127.0.0.2", "127.0.0.1", true),
            ("::1", "::1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.254", false),
            ("2001:db8::1", "2001:db8::2", false),
        ] {
            assert_eq!(is_on_this_machine(ip.parse().unwrap(), reached.parse().unwrap()), is_here, "{ip}");
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
            assert!(!peer.is_local && peer.is_proxied() && peer.is_on_this_machine());
            assert_eq!(peer.is_private(), is_private);
            assert!(!peer.counts_by_address(&Flood::default()));
            assert!(peer.counts_by_address(&Flood { loopback: true, ..Flood::default() }));
        }
        // A peer elsewhere stays as it was.
        assert!(!Peer::elsewhere().proxied(true).is_private());
        assert!(Peer::elsewhere().counts_by_address(&Flood::default()));
    }
}
