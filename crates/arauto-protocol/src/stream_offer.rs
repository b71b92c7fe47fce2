//! DATA of `publish` and `play`: a file, and the addresses of the stream that carries it.

use std::fmt;

/// DATA of a `publish` message: the file to send, and the address to send it to. `Display` writes them with a blank
/// between them.
///
/// ```
/// use arauto_protocol::Summons;
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
/// use arauto_protocol::Offer;
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
