//! Who may open a WebSocket from a browser: the page that came from here, and no other.
//!
//! A browser says which page wants it (`Origin`, RFC 6454), and which name it knows this server by (`Host`). Whoever
//! brings its own name to point at this machine could make both agree (DNS rebinding), so the name has to be one of ours.

use std::net::IpAddr;

use actix_http::{header, header::HeaderMap};

/// What is wrong with a request for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It names a host that is not this one.
    Host,
    /// A page from elsewhere wants it.
    Origin,
}

impl Stranger {
    /// What to tell whoever looks for the cause.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Host => {
                "This server does not go by the name in the address. Use its IP address, or add the name to web.hosts.\n"
            }
            Self::Origin => "A page from another server may not talk to this one.\n",
        }
    }
}

/// What this machine calls itself, and is called by those on its network (RFC 6762).
pub fn own_names() -> Vec<String> {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_ascii_lowercase();
    if name.is_empty() { Vec::new() } else { vec![format!("{name}.local"), name] }
}

/// Judges a request by its headers. `names` are this server's, beside its addresses and `localhost`.
pub fn judge<'a>(headers: &HeaderMap, names: impl IntoIterator<Item = &'a str>) -> Result<(), Stranger> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let host = text(header::HOST).ok_or(Stranger::Host)?;
    if !is_ours(host, names) {
        return Err(Stranger::Host);
    }
    // Programs that are no browsers say none.
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let authority = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
    let is_same = authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host));
    is_same.then_some(()).ok_or(Stranger::Origin)
}

/// Whether a `Host` header names this server.
fn is_ours<'a>(host: &str, names: impl IntoIterator<Item = &'a str>) -> bool {
    let name = without_port(host);
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    literal.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        // A setting that names nothing is no name.
        || !name.is_empty() && names.into_iter().any(|ours| ours.eq_ignore_ascii_case(&name))
}

/// The name or address in a host with or without a port, without brackets.
pub fn name_of(authority: &str) -> &str {
    let name = without_port(authority);
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    literal.strip_suffix('.').unwrap_or(literal)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderName, HeaderValue};

    use super::*;

    fn judged(host: &str, origin: Option<&str>) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        };
        add(header::HOST, host);
        if let Some(origin) = origin {
            add(header::ORIGIN, origin);
        }
        judge(&headers, ["lab", "lab.example", ""])
    }

    #[test]
    fn the_page_from_here_may_and_programs_may() {
        for host in [
            "127.0.0.1:1280",
            "[::1]:1280",
            "192.168.1.5",
            "localhost:1280",
            "Lab:80",
            "lab.example.",
            "a.localhost",
        ] {
            assert_eq!(judged(host, None), Ok(()), "{host}");
            assert_eq!(judged(host, Some(&format!("http://{host}"))), Ok(()), "{host}");
            assert_eq!(judged(host, Some(&format!("https://{host}"))), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_may_not() {
        for origin in
            ["http://evil.example", "null", "http://127.0.0.1:1281", "http://127.0.0.1", "", "127.0.0.1:1280"]
        {
            assert_eq!(judged("127.0.0.1:1280", Some(origin)), Err(Stranger::Origin), "{origin}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_not_ours() {
        for host in [
            "evil.example:1280",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "",
            ":1280",
            ".",
            "[::1",
            "lab.evil.example",
        ] {
            assert_eq!(judged(host, Some(&format!("http://{host}"))), Err(Stranger::Host), "{host}");
        }
    }
}
