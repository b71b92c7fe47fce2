//! [`TransportSpec`]: one alternative of a `Transport` header (RFC 2326, section 12.39).

use std::str::FromStr;

/// The highest of the ports that are reserved for system services (RFC 6335, section 6).
pub const LAST_SYSTEM_PORT: u16 = 1_023;

/// One alternative of a `Transport` header: a protocol, and parameters separated by semicolons. Each method parses the
/// part that it returns; nothing else is checked.
///
/// ```
/// use arauto_rtsp::transport::{TransportSpec, pair};
///
/// let header = "RTP/AVP;multicast, RTP/AVP/TCP;unicast;interleaved=2-3";
/// let tcp = TransportSpec::list(header).find(|spec| spec.is_interleaved() == Some(true)).unwrap();
/// assert_eq!(tcp.parameter("Interleaved").and_then(pair::<u8>), Some((2, 3)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TransportSpec<'a>(&'a str);

impl<'a> TransportSpec<'a> {
    /// The alternatives of a header, in the order of preference.
    pub fn list(header: &'a str) -> impl Iterator<Item = Self> {
        header.split(',').map(Self)
    }

    /// The transport of a response, which has exactly one: a comma in a parameter, as in `mode="PLAY,RECORD"`, ends nothing.
    #[must_use]
    pub fn only(header: &'a str) -> Self {
        Self(header)
    }

    /// Whether the packets are interleaved with the messages of the connection, or else sent by UDP. `None` for a
    /// protocol other than plain RTP.
    #[must_use]
    pub fn is_interleaved(self) -> Option<bool> {
        let protocol = self.0.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| protocol.eq_ignore_ascii_case(known);
        if is("RTP/AVP/TCP") {
            return Some(true);
        }
        (is("RTP/AVP") || is("RTP/AVP/UDP")).then_some(false)
    }

    /// All parts with their values, which are empty if a part has none. The protocol is a part, too.
    pub fn parameters(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split(';').map(|part| part.trim().split_once('=').unwrap_or((part.trim(), "")))
    }

    /// The value of the first parameter with this name, in any case of letters.
    #[must_use]
    pub fn parameter(self, name: &str) -> Option<&'a str> {
        self.parameters().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Parses the ports (`N` is `u16`) or channels (`N` is `u8`) of RTP and RTCP: `6970-6971`, or `6970`, which means the
/// same. Returns `None` if a number is missing or exceeds `N`.
///
/// ```
/// use arauto_rtsp::transport::pair;
///
/// assert_eq!(pair::<u16>("6970-6971"), Some((6_970, 6_971)));
/// assert_eq!(pair::<u8>("254"), Some((254, 255)));
/// assert_eq!(pair::<u8>("255"), None);
/// ```
#[must_use]
pub fn pair<N: FromStr + TryFrom<u32> + Into<u32> + Copy>(value: &str) -> Option<(N, N)> {
    if let Some((rtp, rtcp)) = value.split_once('-') {
        return Some((rtp.parse().ok()?, rtcp.parse().ok()?));
    }
    let rtp: N = value.parse().ok()?;
    Some((rtp, N::try_from(rtp.into().checked_add(1)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        for (value, ports) in [
            ("6970-6971", Some((6_970, 6_971))),
            ("6970", Some((6_970, 6_971))),
            ("5000-5003", Some((5_000, 5_003))),
            ("65535", None),
            ("65535-65536", None),
            ("0-", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(pair::<u16>(value), ports, "{value}");
        }
        assert_eq!((pair::<u8>("254"), pair::<u8>("255")), (Some((254, 255)), None));
        assert_eq!(pair::<u32>("4294967295"), None);
    }

    #[test]
    fn protocols() {
        for (header, is_interleaved) in [
            ("RTP/AVP;unicast", Some(false)),
            (" rtp/avp/udp ;unicast", Some(false)),
            ("RTP/AVP/TCP", Some(true)),
            ("RTP/SAVP;unicast", None),
            ("", None),
        ] {
            assert_eq!(TransportSpec(header).is_interleaved(), is_interleaved, "{header:?}");
        }
    }
}
