//! [`Target`]: parses and displays the address of a server.

use std::{fmt, str::FromStr};

/// Port of a server if none is given.
pub const DEFAULT_PORT: u16 = 1234;

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
    /// The host holds a blank or a control character.
    #[error("a host has no blanks and no control characters")]
    NotAHost,
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
        if host.chars().any(|c| c.is_control() || c.is_whitespace()) {
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
