//! [`Target`] and [`Targets`]: parse and display the addresses of servers.

use std::{fmt, str::FromStr};

/// Port of a server if none is given.
pub const DEFAULT_PORT: u16 = 1234;

/// Most addresses of one server.
pub const MAX_TARGETS: usize = 16;

/// Host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text is not the address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// The host is missing.
    #[error("a host is missing; write HOST or HOST:PORT, such as 127.0.0.1:1234")]
    NoHost,
    /// The text after the colon is not a port.
    #[error("a port is a number from 1 to 65535; write HOST:PORT, such as 127.0.0.1:1234")]
    NoPort,
    /// An IPv6 address without brackets.
    #[error("an IPv6 address goes in brackets: [::1] or [::1]:1234")]
    NoBrackets,
    /// A URL, such as that of the page or of a stream.
    #[error("this is a URL; write HOST or HOST:PORT, such as chat.example:1234")]
    Url,
    /// The host holds a blank, a control character, a comma or a semicolon.
    #[error("a host has no blanks, semicolons and control characters; a comma separates addresses")]
    NotAHost,
    /// More than [`MAX_TARGETS`] addresses.
    #[error("a server has at most {MAX_TARGETS} addresses")]
    TooMany,
}

/// The addresses of one server, or of the servers of a cluster: at least one, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// Returns the addresses.
    #[must_use]
    pub fn as_slice(&self) -> &[Target] {
        &self.0
    }
}

impl Default for Targets {
    fn default() -> Self {
        Target::default().into()
    }
}

impl From<Target> for Targets {
    fn from(target: Target) -> Self {
        Self(vec![target])
    }
}

impl FromStr for Targets {
    type Err = NoTarget;

    /// Reads addresses that are separated by commas. One that is named twice is tried once.
    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let mut targets = Vec::new();
        for target in text.split(',') {
            let target: Target = target.parse()?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        if targets.len() > MAX_TARGETS { Err(NoTarget::TooMany) } else { Ok(Self(targets)) }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.0.iter().enumerate() {
            write!(f, "{}{target}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Default for Target {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }
    }
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let text = text.trim();
        if text.contains("://") {
            return Err(NoTarget::Url);
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(NoTarget::NoBrackets)?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(NoTarget::NoPort)?) })
        } else {
            match text.split_once(':') {
                None => (text, None),
                Some((_, port)) if port.contains(':') => return Err(NoTarget::NoBrackets),
                Some((host, port)) => (host, Some(port)),
            }
        };
        if host.is_empty() {
            return Err(NoTarget::NoHost);
        }
        if host.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, ',' | ';')) {
            return Err(NoTarget::NotAHost);
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(NoTarget::NoPort)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let targets: Targets = "n1.example, [::1]:99,n2.example:4321, n1.example:1234".parse().unwrap();
        assert_eq!(targets.to_string(), "n1.example:1234, [::1]:99, n2.example:4321");
        assert_eq!(targets.to_string().parse(), Ok(targets));
        for (text, why) in [
            ("", NoTarget::NoHost),
            (",", NoTarget::NoHost),
            ("n1,", NoTarget::NoHost),
            ("n1 n2", NoTarget::NotAHost),
            ("n1;n2", NoTarget::NotAHost),
            ("n1,::1", NoTarget::NoBrackets),
        ] {
            assert_eq!(text.parse::<Targets>(), Err(why), "{text:?}");
        }
        let many = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>().join(",");
        assert!(many(MAX_TARGETS).parse::<Targets>().is_ok());
        assert_eq!(many(MAX_TARGETS + 1).parse::<Targets>(), Err(NoTarget::TooMany));
    }

    #[test]
    fn what_people_write() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1:1234"),
            (" chat.example ", "chat.example:1234"),
            ("chat.example:4321", "chat.example:4321"),
            ("[::1]", "[::1]:1234"),
            ("[2001:db8::7]:99", "[2001:db8::7]:99"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse(), Ok(target));
        }
        for (text, why) in [
            ("", NoTarget::NoHost),
            (":1234", NoTarget::NoHost),
            ("[]:1", NoTarget::NoHost),
            ("::1", NoTarget::NoBrackets),
            ("[::1", NoTarget::NoBrackets),
            ("[::1]1234", NoTarget::NoPort),
            ("host:", NoTarget::NoPort),
            ("host:0", NoTarget::NoPort),
            ("host:65536", NoTarget::NoPort),
            ("host:http", NoTarget::NoPort),
            ("http://chat.example:1280/", NoTarget::Url),
            ("tcp://[::1]:1234", NoTarget::Url),
            ("ho st", NoTarget::NotAHost),
            ("ho\u{1b}st", NoTarget::NotAHost),
        ] {
            assert_eq!(text.parse::<Target>(), Err(why), "{text:?}");
        }
    }
}
