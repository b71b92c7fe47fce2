//! [`Transport`]: the transport of a stream, as negotiated by the header of that name (RFC 2326, section 12.39).

use std::{fmt, net::IpAddr};

use arauto_rtsp::transport::{LAST_SYSTEM_PORT, TransportSpec, pair};

/// A supported transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP, to or from these ports of the client.
    Udp {
        /// The port of audio.
        rtp: u16,
        /// The port of reports.
        rtcp: u16,
    },
    /// Frames between the messages, on these channels.
    Interleaved {
        /// The channel of audio.
        rtp: u8,
        /// The channel of reports.
        rtcp: u8,
    },
}

/// The properties of a connection that restrict its transports.
#[derive(Clone, Copy, Debug)]
pub struct PeerInfo {
    /// The client's address, the only one that UDP is sent to.
    pub ip: IpAddr,
    /// Whether the connection is encrypted. UDP is not, so it is not offered then.
    pub is_secure: bool,
}

impl Transport {
    /// Chooses the first supported transport of a `Transport` header.
    pub fn choose(header: &str, peer_info: PeerInfo) -> Option<Self> {
        TransportSpec::list(header).find_map(|spec| Self::read(spec, peer_info))
    }

    fn read(spec: TransportSpec, peer_info: PeerInfo) -> Option<Self> {
        let is_interleaved = spec.is_interleaved()?;
        let (mut ports, mut channels) = (None, None);
        for (name, value) in spec.parameters() {
            match name.to_ascii_lowercase().as_str() {
                "multicast" => return None,
                // Another address is rejected: datagrams go only to the client that asks for them.
                "destination" | "source" if value.parse() != Ok(peer_info.ip) => return None,
                "client_port" | "port" => ports = Some(pair::<u16>(value)?),
                "interleaved" => channels = Some(pair::<u8>(value)?),
                _ => {}
            }
        }
        if is_interleaved {
            let (rtp, rtcp) = channels.unwrap_or((0, 1));
            return (rtp != rtcp).then_some(Self::Interleaved { rtp, rtcp });
        }
        let (rtp, rtcp) = ports.filter(|ports| is_pair_of_a_player(*ports))?;
        (!peer_info.is_secure).then_some(Self::Udp { rtp, rtcp })
    }
}

/// Whether a player could use these ports: an even one for RTP and the next for RTCP (RFC 3550, section 11), outside
/// the range of system services (RFC 6335, section 6).
fn is_pair_of_a_player((rtp, rtcp): (u16, u16)) -> bool {
    rtp > LAST_SYSTEM_PORT && rtp.is_multiple_of(2) && rtcp == rtp + 1
}

/// The transport as the response states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The transport that the client asked for.
    pub way: Transport,
    /// For UDP, the relay's first port.
    pub server_port: u16,
    /// For a listener, the relay's SSRC.
    pub ssrc: Option<u32>,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Transport::Udp { rtp, rtcp } => {
                let (one, other) = (self.server_port, self.server_port + 1);
                write!(f, "RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={one}-{other}")?;
            }
            Transport::Interleaved { rtp, rtcp } => {
                write!(f, "RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}")?;
            }
        }
        match self.ssrc {
            Some(ssrc) => write!(f, ";ssrc={ssrc:08X};mode=\"PLAY\""),
            None => f.write_str(";mode=record"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerInfo =
        PeerInfo { ip: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), is_secure: false };

    #[test]
    fn ways_that_can_be_had() {
        let udp = Some(Transport::Udp { rtp: 5000, rtcp: 5001 });
        let tcp = Some(Transport::Interleaved { rtp: 0, rtcp: 1 });
        for (header, way) in [
            ("RTP/AVP/UDP;unicast;client_port=5000-5001;mode=record", udp),
            ("RTP/AVP;unicast;client_port=5000", udp),
            ("RTP/AVP;unicast;destination=192.0.2.7;client_port=5000-5001", udp),
            ("RTP/AVP/TCP;unicast;interleaved=0-1", tcp),
            ("RTP/AVP/TCP;unicast", tcp),
            ("RTP/AVP;multicast, RTP/SAVP;unicast;client_port=1-2,rtp/avp/tcp;unicast;interleaved=0-1", tcp),
            ("RTP/AVP;unicast;destination=192.0.2.8;client_port=5000-5001", None),
            ("RTP/AVP;unicast;source=192.0.2.8;client_port=5000-5001", None),
            ("RTP/AVP;unicast;destination=;client_port=5000-5001", None),
            ("RTP/AVP;multicast;port=5000-5001", None),
            ("RTP/AVP;unicast", None),
            ("RTP/AVP;unicast;client_port=0-1", None),
            ("RTP/AVP;unicast;client_port=53-54", None),
            ("RTP/AVP;unicast;client_port=1022-1023", None),
            ("RTP/AVP;unicast;client_port=5001-5002", None),
            ("RTP/AVP;unicast;client_port=5000-5003", None),
            ("RTP/AVP;unicast;client_port=5001-5000", None),
            ("RTP/AVP;unicast;client_port=65535-0", None),
            ("RTP/AVP;unicast;client_port=1024-1025", Some(Transport::Udp { rtp: 1_024, rtcp: 1_025 })),
            ("RTP/AVP;unicast;client_port=65535", None),
            ("RTP/AVP;unicast;client_port=5000-65536", None),
            ("RTP/AVP/TCP;unicast;interleaved=0-0", None),
            ("RTP/AVP/TCP;unicast;interleaved=255-256", None),
            ("", None),
        ] {
            assert_eq!(Transport::choose(header, PEER), way, "{header}");
        }
        let secure = PeerInfo { is_secure: true, ..PEER };
        assert_eq!(Transport::choose("RTP/AVP;unicast;client_port=5000-5001", secure), None);
        assert_eq!(Transport::choose("RTP/AVP/TCP;unicast", secure), tcp);
    }

    #[test]
    fn what_is_given() {
        let way = Transport::Udp { rtp: 5000, rtcp: 5001 };
        assert_eq!(
            Given { way, server_port: 30_000, ssrc: Some(0xab) }.to_string(),
            "RTP/AVP;unicast;client_port=5000-5001;server_port=30000-30001;ssrc=000000AB;mode=\"PLAY\""
        );
        let way = Transport::Interleaved { rtp: 2, rtcp: 3 };
        assert_eq!(
            Given { way, server_port: 0, ssrc: None }.to_string(),
            "RTP/AVP/TCP;unicast;interleaved=2-3;mode=record"
        );
    }
}
