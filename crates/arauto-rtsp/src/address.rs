//! Addresses of streams, and the DATA of the `play` and `publish` messages that carry them.

use std::{fmt, str::FromStr};

use crate::key::Key;

/// A stream's number: four hexadecimal digits in its address. No two streams that exist at the same time share a
/// number.
///
/// ```
/// use arauto_rtsp::{StreamId, address::NoStreamId};
///
/// assert_eq!(StreamId(0x7f3a).to_string(), "7f3a");
/// assert_eq!("7F3A".parse(), Ok(StreamId(0x7f3a)));
/// assert_eq!("7f3".parse::<StreamId>(), Err(NoStreamId));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u16);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// Error of parsing a [`StreamId`]: the text is not exactly four hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stream has a number of 4 hexadecimal digits")]
pub struct NoStreamId;

impl FromStr for StreamId {
    type Err = NoStreamId;

    /// Parses exactly four hexadecimal digits, in upper or lower case.
    ///
    /// # Errors
    /// [`NoStreamId`] for any other text.
    fn from_str(text: &str) -> Result<Self, NoStreamId> {
        if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoStreamId);
        }
        u16::from_str_radix(text, 16).map(Self).map_err(|_| NoStreamId)
    }
}

/// The address of a stream, as its publisher or a listener receives it: `rtsp://192.0.2.7:1554/7f3a?key=…`. `Display`
/// writes the key in full.
///
/// ```
/// use arauto_rtsp::{Address, StreamId};
///
/// let key = "00112233445566778899aabbccddeeff".parse()?;
/// let host = "[2001:db8::7]".to_owned();
/// let address = Address { scheme: "rtsps", host, port: 1554, stream: StreamId(0x7f3a), key };
/// assert_eq!(address.to_string(), "rtsps://[2001:db8::7]:1554/7f3a?key=00112233445566778899aabbccddeeff");
/// # Ok::<(), arauto_rtsp::key::NoKey>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `rtsp`, `rtsps`, `http` or `https`.
    pub scheme: &'static str,
    /// A host name, or an IP address in URL form: IPv6 in brackets.
    pub host: String,
    /// The server's TCP port.
    pub port: u16,
    /// The stream's number.
    pub stream: StreamId,
    /// The key that authorizes the owner of this address to publish or to listen.
    pub key: Key,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, stream, key } = self;
        write!(f, "{scheme}://{host}:{port}/{stream}?key={}", key.reveal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let key: Key = "00112233445566778899aabbccddeeff".parse().unwrap();
        let address =
            Address { scheme: "rtsp", host: "[::1]".to_owned(), port: 1554, stream: StreamId(0x7f3a), key };
        assert_eq!(address.to_string(), "rtsp://[::1]:1554/7f3a?key=00112233445566778899aabbccddeeff");
        assert_eq!("7f3a".parse(), Ok(StreamId(0x7f3a)));
        for text in ["", "7f3", "+f3a", "7f3ag", "07f3a"] {
            assert_eq!(text.parse::<StreamId>(), Err(NoStreamId), "{text}");
        }
    }
}
