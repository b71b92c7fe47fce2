//! [`AdvertisedAddresses`]: picks the address at which a client gets its streams: `media.public_host` if set, else the
//! address where it reached the server if that is listened on, else another one that it can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arauto_rtsp::{Address, Key, StreamId};

use crate::server::common::peer::Peer;

/// The addresses that serve streams.
#[derive(Clone, Debug, Default)]
pub struct AdvertisedAddresses {
    /// For RTSP.
    pub rtsp: Vec<SocketAddr>,
    /// For RTSP over TLS.
    pub rtsps: Vec<SocketAddr>,
    /// For the page.
    pub http: Vec<SocketAddr>,
    /// For the page over TLS.
    pub https: Vec<SocketAddr>,
}

/// Scheme, host and port at which one client gets its streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Endpoint {
    /// The URL of a stream, with a key.
    pub fn address(&self, stream: StreamId, key: Key) -> Address {
        Address { scheme: self.scheme, host: self.host.clone(), port: self.port, stream, key }
    }
}

impl AdvertisedAddresses {
    /// The RTSP endpoint for this client. `None` if the client can reach none of the addresses.
    pub fn rtsp(&self, peer: &Peer, public_host: &str) -> Option<Endpoint> {
        either(("rtsp", &self.rtsp), ("rtsps", &self.rtsps), peer, public_host)
    }

    /// The HTTP endpoint for this client. `None` if the client can reach none of the addresses.
    pub fn http(&self, peer: &Peer, public_host: &str) -> Option<Endpoint> {
        either(("http", &self.http), ("https", &self.https), peer, public_host)
    }
}

/// Prefers the plain endpoint, or the encrypted one if the client's own connection is encrypted; falls back to the
/// other.
fn either(
    plain: (&'static str, &[SocketAddr]),
    encrypted: (&'static str, &[SocketAddr]),
    peer: &Peer,
    public_host: &str,
) -> Option<Endpoint> {
    let (first, second) = if peer.is_encrypted { (encrypted, plain) } else { (plain, encrypted) };
    [first, second].into_iter().find_map(|(scheme, listening)| {
        let (host, port) = choose(listening, peer, public_host)?;
        Some(Endpoint { scheme, host, port })
    })
}

fn choose(listening: &[SocketAddr], peer: &Peer, public_host: &str) -> Option<(String, u16)> {
    if !public_host.is_empty() {
        let open = listening.iter().find(|address| !address.ip().is_loopback()).or(listening.first())?;
        let host = public_host.parse().map_or_else(|_| public_host.to_owned(), in_address);
        return Some((host, open.port()));
    }
    let reached = peer.reached();
    let is_there = |at: &&SocketAddr| {
        at.ip() == reached || at.ip().is_unspecified() && at.is_ipv4() == reached.is_ipv4()
    };
    // A link-local address is given without its zone, because each machine names zones in its own way: the client
    // knows the zone of its own connection, and users of other programs add it themselves.
    if let Some(at) = listening.iter().find(is_there) {
        return Some((in_address(reached), at.port()));
    }
    listening.iter().find_map(|at| {
        let ip = match at.ip() {
            ip if ip.is_unspecified() && at.is_ipv4() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        // Any other address was configured to be reached, but a loopback address only from this machine.
        (peer.is_on_this_machine() || !ip.is_loopback()).then(|| (in_address(ip), at.port()))
    })
}

/// An IP address in the form that URLs use.
fn in_address(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(reached: &str, is_local: bool, is_encrypted: bool) -> Peer {
        let mut peer = Peer::elsewhere().having_reached(reached.parse().unwrap());
        peer.is_local = is_local;
        if is_encrypted { peer.encrypted() } else { peer }
    }

    fn of(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn endpoint(addresses: &AdvertisedAddresses, peer: &Peer, public_host: &str) -> Option<String> {
        addresses
            .rtsp(peer, public_host)
            .map(|Endpoint { scheme, host, port }| format!("{scheme}://{host}:{port}"))
    }

    #[test]
    fn streams_are_where_the_client_reached_the_server() {
        for (listening, reached, is_local, at) in [
            (&["127.0.0.1:1"][..], "127.0.0.1", true, Some("rtsp://127.0.0.1:1")),
            (&["0.0.0.0:1"], "192.0.2.7", false, Some("rtsp://192.0.2.7:1")),
            (&["[::]:1"], "2001:db8::7", false, Some("rtsp://[2001:db8::7]:1")),
            (&["192.0.2.7:1"], "192.0.2.7", false, Some("rtsp://192.0.2.7:1")),
            (&["127.0.0.1:1", "192.0.2.7:2"], "192.0.2.7", false, Some("rtsp://192.0.2.7:2")),
            (&["192.0.2.8:2"], "192.0.2.7", false, Some("rtsp://192.0.2.8:2")),
            // An IPv4 client of an IPv6 socket.
            (&["0.0.0.0:1"], "::ffff:192.0.2.7", false, Some("rtsp://192.0.2.7:1")),
            // From this machine, through another of its addresses.
            (&["127.0.0.1:1"], "192.0.2.7", true, Some("rtsp://127.0.0.1:1")),
            (&["0.0.0.0:1"], "::1", true, Some("rtsp://127.0.0.1:1")),
            (&["[::]:1"], "127.0.0.1", true, Some("rtsp://[::1]:1")),
            (&["127.0.0.1:1"], "192.0.2.7", false, None),
            (&["[::1]:1"], "192.0.2.7", false, None),
            (&["[::]:1"], "fe80::7", false, Some("rtsp://[fe80::7]:1")),
            (&["[::]:1"], "192.0.2.7", false, None),
            (&[], "127.0.0.1", true, None),
        ] {
            let addresses = AdvertisedAddresses { rtsp: of(listening), ..AdvertisedAddresses::default() };
            let found = endpoint(&addresses, &peer(reached, is_local, false), "");
            assert_eq!(found.as_deref(), at, "{listening:?} {reached}");
        }
    }

    #[test]
    fn a_public_host_is_what_it_is_called() {
        let addresses =
            AdvertisedAddresses { rtsp: of(&["127.0.0.1:1", "0.0.0.0:2"]), ..AdvertisedAddresses::default() };
        for (host, at) in [("lab.example", "rtsp://lab.example:2"), ("2001:db8::1", "rtsp://[2001:db8::1]:2")]
        {
            assert_eq!(endpoint(&addresses, &peer("192.0.2.7", false, false), host).as_deref(), Some(at));
        }
        let addresses = AdvertisedAddresses { rtsp: of(&["127.0.0.1:1"]), ..AdvertisedAddresses::default() };
        let at = endpoint(&addresses, &peer("192.0.2.7", false, false), "lab.example");
        assert_eq!(at.as_deref(), Some("rtsp://lab.example:1"));
    }

    #[test]
    fn encrypted_for_who_came_so_and_where_there_is_nothing_else() {
        let both = AdvertisedAddresses {
            rtsp: of(&["0.0.0.0:1"]),
            rtsps: of(&["0.0.0.0:2"]),
            ..AdvertisedAddresses::default()
        };
        let plain = AdvertisedAddresses { rtsps: Vec::new(), ..both.clone() };
        let encrypted = AdvertisedAddresses { rtsp: Vec::new(), ..both.clone() };
        let narrow = AdvertisedAddresses { rtsps: of(&["127.0.0.1:2"]), ..both.clone() };
        for (addresses, is_encrypted, at) in [
            (&both, false, "rtsp://192.0.2.7:1"),
            (&both, true, "rtsps://192.0.2.7:2"),
            (&plain, true, "rtsp://192.0.2.7:1"),
            (&encrypted, false, "rtsps://192.0.2.7:2"),
            (&narrow, true, "rtsp://192.0.2.7:1"),
        ] {
            assert_eq!(endpoint(addresses, &peer("192.0.2.7", false, is_encrypted), "").as_deref(), Some(at));
        }
    }

    #[test]
    fn the_page_likewise() {
        let addresses = AdvertisedAddresses {
            http: of(&["0.0.0.0:1"]),
            https: of(&["0.0.0.0:2"]),
            ..AdvertisedAddresses::default()
        };
        let key: Key = "00112233445566778899aabbccddeeff".parse().unwrap();
        for (is_encrypted, at) in [(false, "http://192.0.2.7:1"), (true, "https://192.0.2.7:2")] {
            let address = addresses.http(&peer("192.0.2.7", false, is_encrypted), "").unwrap();
            let address = address.address(StreamId(0x7f3a), key).to_string();
            assert_eq!(address, format!("{at}/7f3a?key=00112233445566778899aabbccddeeff"));
        }
    }
}
