//! [`Agreed`]: writes and parses the `Transport` header (RFC 2326, section 12.39), as far as a client needs it.

use arauto_rtsp::transport::{LAST_SYSTEM_PORT, TransportSpec, pair};

use super::Transport;

/// The transport of one stream, as the server's answer states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreed {
    /// UDP, to these ports of the server for RTP and RTCP.
    Udp(u16, u16),
    /// Interleaved, on these channels for RTP and RTCP.
    Interleaved(u8, u8),
}

/// Returns the requested transport. `ports`: this machine's for RTP and RTCP; if `None`, packets are interleaved.
pub(super) fn asked(ports: Option<(u16, u16)>, is_record: bool) -> String {
    let mode = if is_record { ";mode=record" } else { "" };
    match ports {
        Some((rtp, rtcp)) => format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}{mode}"),
        None => format!("RTP/AVP/TCP;unicast;interleaved=0-1{mode}"),
    }
}

impl Agreed {
    /// Parses the answer to a request for transport by `way`.
    pub(super) fn parse(header: &str, way: Transport) -> Option<Self> {
        let spec = TransportSpec::only(header);
        match way {
            Transport::Udp => {
                let (rtp, rtcp) = pair(spec.parameter("server_port")?)?;
                // The client never sends to system services of the server's machine.
                (rtp > LAST_SYSTEM_PORT && rtcp > LAST_SYSTEM_PORT).then_some(Self::Udp(rtp, rtcp))
            }
            Transport::Interleaved => {
                let (rtp, rtcp) = pair(spec.parameter("interleaved")?)?;
                Some(Self::Interleaved(rtp, rtcp))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(asked(Some((6_970, 6_971)), true), "RTP/AVP;unicast;client_port=6970-6971;mode=record");
        assert_eq!(asked(None, false), "RTP/AVP/TCP;unicast;interleaved=0-1");
        let udp = |header| Agreed::parse(header, Transport::Udp);
        assert_eq!(
            udp("RTP/AVP;unicast;client_port=1-2;server_port=30000-30001;ssrc=1234"),
            Some(Agreed::Udp(30_000, 30_001))
        );
        assert_eq!(udp("RTP/AVP/UDP;unicast; Server_Port=30000"), Some(Agreed::Udp(30_000, 30_001)));
        assert_eq!(udp("RTP/AVP;mode=\"PLAY,RECORD\";server_port=30000"), Some(Agreed::Udp(30_000, 30_001)));
        let tcp = |header| Agreed::parse(header, Transport::Interleaved);
        assert_eq!(tcp("RTP/AVP/TCP;interleaved=2-3"), Some(Agreed::Interleaved(2, 3)));
        for other in [
            "",
            "RTP/AVP",
            "server_port",
            "server_port=",
            "server_port=0-1",
            "server_port=65535",
            "server_port=53-54",
            "server_port=5000-53",
        ] {
            assert_eq!(udp(other), None, "{other}");
        }
        for other in
            ["", "RTP/AVP/TCP;server_port=1-2", "interleaved=255", "interleaved=256-257", "interleaved=0-"]
        {
            assert_eq!(tcp(other), None, "{other}");
        }
    }
}
