//! [`Network`]: an address, or all addresses with a common prefix, in text form; [`Block`]: the addresses of one customer.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Shortest prefixes of IPv4 and IPv6 networks, so that a typo cannot ban half the internet.
const MIN_BITS: (u8, u8) = (8, 16);

/// The addresses of one customer, which limits and bans count as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Block {
    /// An IPv4 address, possibly mapped into IPv6.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: the smallest block that a customer is given, whose hosts can use any
    /// address of it.
    V6([u16; 4]),
}

impl Block {
    /// The block that contains this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// All addresses with a common prefix. A single IPv4 address has a prefix of 32 bits.
///
/// ```
/// use arauto_protocol::network::{BadPrefix, Block, Network};
///
/// let network = Network::parse("192.0.2.7/24").ok_or("no address")??;
/// assert_eq!(network.to_string(), "192.0.2.0/24");
/// assert!(network.contains("192.0.2.255".parse()?));
/// assert_eq!(Network::parse("192.0.2.0/33"), Some(Err(BadPrefix)));
/// assert_eq!(Network::parse("bob"), None);
///
/// let customer = Network::from(Block::of("2001:db8::7".parse()?));
/// assert_eq!(customer.to_string(), "2001:db8::/64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Network(
    /// All bits after the prefix are zero.
    IpNet,
);

/// Error: an address with an invalid prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Behind the / of a network stands a number of bits, for IPv4 from 8 to 32, for IPv6 from 16 to 128")]
pub struct BadPrefix;

/// Why a text looks like a mistyped address: `198.51.100.060`, `0xc6.51.100.60`, `198.51.100`, `1.2.3.4.`,
/// `1.2.3.4:80`, `[::1]`, `fe80::1%eth0`. `None` if [`Network::parse`] accepts the text, and for any other text.
///
/// Programs that follow `inet_aton(3)` accept some of these, with different meanings: `060` is 48 to some and 60 to
/// others. So no meaning is guessed.
///
/// ```
/// use arauto_protocol::network::mistyped;
///
/// assert!(mistyped("198.51.100.060").is_some());
/// assert!(mistyped("fe80::1%eth0").is_some());
/// assert_eq!(mistyped("192.0.2.7"), None);
/// assert_eq!(mistyped("v1.2.3"), None);
/// ```
#[must_use]
pub fn mistyped(text: &str) -> Option<&'static str> {
    const IPV4: &str = "it looks like an IPv4 address and is none: one has four decimal numbers from 0 to 255 without zeros before them, such \
         as 192.0.2.7 or 192.0.2.0/24";
    const IPV6: &str = "it looks like an IPv6 address and is none: one has no brackets, port or zone, such as 2001:db8::7 or 2001:db8::/48";
    let text = text.trim();
    if Network::parse(text).is_some() {
        return None;
    }
    let is_number = |part: &str| {
        let hex = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        hex.map_or(!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()), |hex| {
            !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    // The host without a prefix, a port, or a trailing dot.
    let (host, has_prefix) = text.split_once('/').map_or((text, false), |(host, _)| (host, true));
    let (host, has_port) = match host.split_once(':') {
        Some((host, port)) if is_number(port) => (host, true),
        _ => (host, false),
    };
    let trimmed = host.trim_end_matches('.');
    let parts: Vec<&str> = trimmed.split('.').collect();
    let is_sure = has_prefix
        || has_port
        || trimmed.len() < host.len()
        || parts.iter().any(|part| part.len() > 1 && part.starts_with('0'));
    // Two or three numbers may be a version. With more numbers, or another sign of an address, they are not.
    if parts.iter().all(|part| is_number(part)) && parts.len() > if is_sure { 1 } else { 2 } {
        return Some(IPV4);
    }
    let inner = text.trim_start_matches('[');
    let inner = inner.split(['/', '%', ']']).next().unwrap_or(inner);
    let is_of_address = inner.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    let colons = inner.bytes().filter(|byte| *byte == b':').count();
    (is_of_address && (colons > 1 || (colons > 0 && text.starts_with('[')))).then_some(IPV6)
}

impl Network {
    /// Parses `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/48`, or `2001:db8::7`, which stands for its first 64 bits.
    /// `None` if the text is not an address.
    ///
    /// # Errors
    /// If the `/` is not followed by a valid prefix length.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self, BadPrefix>> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let Some(prefix) = prefix else { return Some(Ok(Block::of(address).into())) };
        let least = if address.is_ipv4() { MIN_BITS.0 } else { MIN_BITS.1 };
        let prefix = prefix.parse().ok().filter(|prefix| *prefix >= least);
        let network = prefix.and_then(|prefix| IpNet::new(address, prefix).ok());
        Some(network.map(|network| Self(network.trunc())).ok_or(BadPrefix))
    }

    /// Whether the network contains an address. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl From<Block> for Network {
    fn from(block: Block) -> Self {
        Self(match block {
            Block::V4(address) => Ipv4Net::new_assert(address.into(), 32).into(),
            Block::V6([a, b, c, d]) => Ipv6Net::new_assert([a, b, c, d, 0, 0, 0, 0].into(), 64).into(),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpNet::V4(network) if network.prefix_len() == 32 => network.addr().fmt(f),
            network => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap().unwrap()
    }

    #[test]
    fn addresses_and_networks_are_read_and_written() {
        for (typed, written) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::7/128", "2001:db8::7/128"),
            ("2001:db8:1:2::/48", "2001:db8:1::/48"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(network(typed).to_string(), written, "{typed}");
            assert_eq!(network(written), network(typed));
        }
        for name in ["bob", "192.0.2", "192.0.2.7.8", "192.0.2.7:80", "[::1]", "bob/24", "", "/24"] {
            assert_eq!(Network::parse(name), None, "{name}");
        }
        for bad in [
            "192.0.2.0/33",
            "0.0.0.0/0",
            "10.0.0.0/7",
            "192.0.2.0/",
            "192.0.2.0/x",
            "::/0",
            "::/129",
            "10.0.0.0/-1",
        ] {
            assert_eq!(Network::parse(bad), Some(Err(BadPrefix)), "{bad}");
        }
    }

    #[test]
    fn what_looks_like_an_address_is_told_from_a_name() {
        for text in [
            "198.51.100.060",
            "0xc6.51.100.60",
            "0xC6.0x33.0x64.0x3c",
            "198.51.100",
            "198.51.100.",
            "198.51.",
            "198.51.100/24",
            "10.0/8",
            "1.2.3.4.",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.4:80",
            "1.2.3.4:80/32",
            "01.2",
        ] {
            assert!(mistyped(text).is_some_and(|why| why.contains("IPv4")), "{text}");
        }
        for text in ["[::1]", "[2001:db8::7]:80", "fe80::1%eth0", "1::2::3", "2001:db8:", "[::1", "12345::"] {
            assert!(mistyped(text).is_some_and(|why| why.contains("IPv6")), "{text}");
        }
        for text in [
            "192.0.2.7",
            "192.0.2.0/33",
            "::1",
            "bob",
            "user-1",
            "2.0",
            "1",
            "",
            "bob/24",
            "a.b.c",
            "face",
            "be:ef",
            "v1.2.3",
            "0xdeadbeef",
            "12:30",
            "a::b c",
            "3.14",
        ] {
            assert_eq!(mistyped(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_in_a_network() {
        for (network_, address, is_in) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("2001:db8::7", "2001:db8::ffff:1", true),
            ("2001:db8::7", "2001:db8:0:1::7", false),
            ("2001:db8::7/128", "2001:db8::8", false),
            ("2001:db8::/32", "192.0.2.7", false),
            ("10.0.0.0/8", "::a00:1", false),
        ] {
            assert_eq!(network(network_).contains(address.parse().unwrap()), is_in, "{network_} {address}");
        }
    }
}
