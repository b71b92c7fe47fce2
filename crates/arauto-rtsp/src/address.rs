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

/// DATA of a `publish` message: the file to send, and the address to send it to. `Display` writes them with a blank
/// between them.
///
/// ```
/// use arauto_rtsp::Summons;
///
/// let data = "rtsp://192.0.2.7:1554/7f3a?key=00 a song.mp3";
/// let summons = Summons { rtsp: "rtsp://192.0.2.7:1554/7f3a?key=00", file: "a song.mp3" };
/// assert_eq!(summons.to_string(), data);
/// assert_eq!(Summons::parse(data), Some(summons));
/// assert_eq!(Summons::parse("http://192.0.2.7/7f3a a song.mp3"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summons<'a> {
    /// The target, an `rtsp:` or `rtsps:` address.
    pub rtsp: &'a str,
    /// The file's name, as `list_files` writes it.
    pub file: &'a str,
}

impl<'a> Summons<'a> {
    /// Parses DATA. Returns `None` if the address does not begin with `rtsp://` or `rtsps://`, or if the file's name is
    /// empty.
    #[must_use]
    pub fn parse(data: &'a str) -> Option<Self> {
        let (rtsp, file) = data.split_once(' ')?;
        (is_rtsp(rtsp) && !file.is_empty()).then_some(Self { rtsp, file })
    }
}

impl fmt::Display for Summons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rtsp, self.file)
    }
}

/// DATA of a `play` message that gives the addresses at which a stream can be heard. `Display` writes the fields in
/// their order, with `-` for a missing `http` address.
///
/// ```
/// use arauto_rtsp::Offer;
///
/// let offer = Offer::parse("rtsp://192.0.2.7:1554/7f3a?key=00 - a song.mp3").unwrap();
/// assert_eq!((offer.rtsp, offer.http), ("rtsp://192.0.2.7:1554/7f3a?key=00", None));
/// assert_eq!(offer.file, "a song.mp3");
/// assert_eq!(Offer::parse("cannot play: no such file"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// An `rtsp:` or `rtsps:` address.
    pub rtsp: &'a str,
    /// An `http:` or `https:` address, if the server offers one.
    pub http: Option<&'a str>,
    /// The file's name, as `list_files` writes it.
    pub file: &'a str,
}

/// Placeholder for a missing `http:` address.
const NO_HTTP: &str = "-";

impl<'a> Offer<'a> {
    /// Parses DATA. Returns `None` if it is not two addresses and a file's name. It may instead be the reason why the
    /// stream cannot be heard.
    #[must_use]
    pub fn parse(data: &'a str) -> Option<Self> {
        let (rtsp, rest) = data.split_once(' ')?;
        let (http, file) = rest.split_once(' ')?;
        let is_http = http.starts_with("http://") || http.starts_with("https://");
        let is_one = is_rtsp(rtsp) && (is_http || http == NO_HTTP) && !file.is_empty();
        is_one.then_some(Self { rtsp, http: is_http.then_some(http), file })
    }
}

impl fmt::Display for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rtsp, self.http.unwrap_or(NO_HTTP), self.file)
    }
}

fn is_rtsp(address: &str) -> bool {
    address.starts_with("rtsp://") || address.starts_with("rtsps://")
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

    #[test]
    fn what_is_said_is_read() {
        let summons = Summons { rtsp: "rtsp://h:1/7f3a?key=0", file: "a song.mp3" };
        assert_eq!(Summons::parse(&summons.to_string()), Some(summons));
        for http in [Some("http://h:2/7f3a?key=1"), Some("https://h:2/7f3a?key=1"), None] {
            let offer = Offer { rtsp: "rtsps://h:1/7f3a?key=1", http, file: "a song.mp3" };
            assert_eq!(Offer::parse(&offer.to_string()), Some(offer));
        }
        for other in
            ["", "song.mp3", "cannot: no such file", "http://h/ - a", "rtsp://h/ - ", "rtsp://h/ x a"]
        {
            assert_eq!(Offer::parse(other), None, "{other}");
        }
        assert_eq!(Summons::parse("rtsp://h/"), None);
        assert_eq!(Summons::parse("http://h/ a"), None);
    }
}
