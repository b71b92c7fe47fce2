//! [`PortSet`]: a set of TCP ports, and its text form.

use std::{fmt, ops::RangeInclusive, str::FromStr};

/// A set of TCP ports: ranges, in the order written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSet(Vec<RangeInclusive<u16>>);

/// The text is not a list of ports and ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ports are numbers from 1 to 65535, or ranges such as 8000-8999, separated by commas")]
pub struct NoPortSet;

/// Maximum number of ranges in a set.
const MAX_RANGES: usize = 64;

impl PortSet {
    /// Returns the set of all ports.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![1..=u16::MAX])
    }

    /// Whether this port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

/// The ports of RTSP (RFC 7826, section 22: 322 and 554), the port of Arauto's `media.listen` (1554), and another one
/// in wide use (8554).
impl Default for PortSet {
    fn default() -> Self {
        Self([322, 554, 1_554, 8_554].map(|port| port..=port).to_vec())
    }
}

impl FromStr for PortSet {
    type Err = NoPortSet;

    fn from_str(text: &str) -> Result<Self, NoPortSet> {
        let port = |text: &str| match text.trim().parse::<u16>() {
            Ok(0) | Err(_) => Err(NoPortSet),
            Ok(port) => Ok(port),
        };
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (port(first)?, port(last)?);
            if first <= last { Ok(first..=last) } else { Err(NoPortSet) }
        };
        let ranges: Vec<_> = text.split(',').map(range).collect::<Result<_, _>>()?;
        if ranges.len() <= MAX_RANGES { Ok(Self(ranges)) } else { Err(NoPortSet) }
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, range) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{separator}{first}")?,
                (first, last) => write!(f, "{separator}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_written() {
        let ports: PortSet = "322,554 , 8000 - 8999".parse().unwrap();
        assert_eq!(ports.to_string(), "322, 554, 8000-8999");
        for (port, is_one) in
            [(322, true), (554, true), (8_000, true), (8_999, true), (555, false), (9_000, false)]
        {
            assert_eq!(ports.contains(port), is_one, "{port}");
        }
        assert_eq!("322, 554, 1554, 8554".parse(), Ok(PortSet::default()));
        assert_eq!("1-65535".parse(), Ok(PortSet::all()));
        for text in ["", ",", "0", "65536", "2-1", "1-", "-1", "a", "1,,2", "+1 2"] {
            assert_eq!(text.parse::<PortSet>(), Err(NoPortSet), "{text}");
        }
    }
}
