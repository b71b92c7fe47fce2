//! [`StreamTarget`]: the stream and the key in a request's address. Programs insert their additions at different
//! places.

use arauto_rtsp::{Key, StreamId};

/// Hexadecimal digits of a key.
const KEY_DIGITS: usize = 32;

/// The contents of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamTarget {
    /// The stream's number.
    pub stream: StreamId,
    /// The key, if the address has a valid one.
    pub key: Option<Key>,
}

impl StreamTarget {
    /// Parses `rtsp://host/7f3a?key=…`, also with an addition such as `/streamid=0` after or before the key. Returns
    /// `None` if it is not a stream's address.
    pub fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let is_rtsp =
            ["rtsp", "rtsps", "rtspu", "rtspt"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let (_, path) = rest.split_once('/').filter(|_| is_rtsp)?;
        let stream = path.get(..4)?.parse().ok()?;
        let after = &path[4..];
        if !(after.is_empty() || after.starts_with(['/', '?'])) {
            return None;
        }
        let key = after.split(['?', '&']).find_map(|part| part.strip_prefix("key="));
        Some(Self { stream, key: key.and_then(parse_key) })
    }
}

fn parse_key(text: &str) -> Option<Key> {
    let (digits, rest) = text.split_at_checked(KEY_DIGITS)?;
    let is_end = rest.is_empty() || rest.starts_with('/');
    digits.parse().ok().filter(|_| is_end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn where_programs_put_things() {
        let key: Key = KEY.parse().unwrap();
        for uri in [
            format!("rtsp://h:1554/7f3a?key={KEY}"),
            format!("rtsp://h/7f3a?key={KEY}/streamid=0"),
            format!("rtsp://h/7f3a/streamid=0?key={KEY}"),
            format!("rtsps://[::1]:1/7f3a/?key={KEY}"),
            format!("RTSP://h/7F3A?a=b&key={KEY}"),
        ] {
            assert_eq!(
                StreamTarget::parse(&uri),
                Some(StreamTarget { stream: StreamId(0x7f3a), key: Some(key) }),
                "{uri}"
            );
        }
        for uri in [
            "rtsp://h/7f3a".to_owned(),
            "rtsp://h/7f3a?key=0".to_owned(),
            format!("rtsp://h/7f3a?key={KEY}0"),
        ] {
            assert_eq!(
                StreamTarget::parse(&uri),
                Some(StreamTarget { stream: StreamId(0x7f3a), key: None }),
                "{uri}"
            );
        }
        for uri in [
            "*",
            "rtsp://h",
            "rtsp://h/",
            "rtsp://h/song.mp3",
            "rtsp://h/7f3ab",
            "http://h/7f3a",
            "rtsp://h/é",
        ] {
            assert_eq!(StreamTarget::parse(uri), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            StreamTarget::parse(&text);
            StreamTarget::parse(&format!("rtsp://h/7f3a{text}"));
            StreamTarget::parse(&format!("rtsp://h/7f3a?key={text}"));
        }
    }
}
