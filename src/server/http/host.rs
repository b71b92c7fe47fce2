//! Checks by `Host` and `Origin` which pages in a browser may open a WebSocket: only the page of this server.
//!
//! A browser says which page asks (`Origin`, RFC 6454) and by which name it knows this server (`Host`). An attacker who
//! points a name of their own at this machine could make both agree (DNS rebinding), so `Host` has to be a name of this
//! server. For the page's files, `Origin` is not checked.

use std::net::IpAddr;

use actix_http::{header, header::HeaderMap};

/// Reason to refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignPage {
    /// `Host` names a host that is not this server.
    Host,
    /// A page of another server sent the request.
    Origin,
}

impl ForeignPage {
    /// The text of the refusal.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Host => {
                "This server does not go by the name in the address. Use its IP address, or add the name to web.hosts.\n"
            }
            Self::Origin => {
                "A page from another server may not talk to this one. If a proxy is between, have it pass on the browser's Host \
                 header, with its port. For nginx: proxy_set_header Host $http_host;\n"
            }
        }
    }
}

/// Names of this machine: its host name, and the name by which others on its network reach it (RFC 6762).
pub fn own_names() -> Vec<String> {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_ascii_lowercase();
    if name.is_empty() { Vec::new() } else { vec![format!("{name}.local"), name] }
}

/// Checks a request by its `Host` and `Origin`. `names` are this server's names besides its addresses and `localhost`.
///
/// # Errors
/// The header that is not this server's.
pub fn judge<'a>(headers: &HeaderMap, names: impl IntoIterator<Item = &'a str>) -> Result<(), ForeignPage> {
    judge_host(headers, names)?;
    judge_origin(headers)
}

/// Checks a request by its `Host` alone. That is enough for files: they hold nothing that is not public, and browsers
/// send `Origin` with scripts of the page itself.
///
/// A request without `Host` is a program's, such as a balancer's health check by HTTP/1.0: every browser sends it.
///
/// # Errors
/// If `Host` names another server.
pub fn judge_host<'a>(
    headers: &HeaderMap,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<(), ForeignPage> {
    if !headers.contains_key(header::HOST) {
        return Ok(());
    }
    let host = text(headers, header::HOST).ok_or(ForeignPage::Host)?;
    is_ours(host, names).then_some(()).ok_or(ForeignPage::Host)
}

/// Checks by `Origin` that a request comes from a page of the `Host` that it was sent to.
///
/// # Errors
/// If another server's page sent the request.
pub fn judge_origin(headers: &HeaderMap) -> Result<(), ForeignPage> {
    // Programs other than browsers send no `Origin`.
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = text(headers, header::ORIGIN).ok_or(ForeignPage::Origin)?;
    let host = text(headers, header::HOST).ok_or(ForeignPage::Origin)?;
    is_same(origin, host).then_some(()).ok_or(ForeignPage::Origin)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a page of this origin was served by this host. A host without a port agrees with any port: browsers send the
/// port unless it is the scheme's default, so a proxy has removed it (nginx: `proxy_set_header Host $host`).
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let ((page, page_port), (name, port)) = (split_port(authority), split_port(host));
    let own_port = match scheme {
        "https" => "443",
        _ => "80",
    };
    page.eq_ignore_ascii_case(name) && port.is_none_or(|port| port == page_port.unwrap_or(own_port))
}

/// Whether a `Host` header names this server.
fn is_ours<'a>(host: &str, names: impl IntoIterator<Item = &'a str>) -> bool {
    let (name, _) = split_port(host);
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    literal.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        // An empty setting is not a name.
        || !name.is_empty() && names.into_iter().any(|ours| ours.eq_ignore_ascii_case(&name))
}

/// The name or address in a host with or without a port, without brackets and without a final dot.
pub fn name_of(authority: &str) -> &str {
    let (name, _) = split_port(authority);
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    literal.strip_suffix('.').unwrap_or(literal)
}

/// Splits a host into its name and its port, if it has one.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderName, HeaderValue};

    use super::*;

    fn judged(host: &str, origin: Option<&str>) -> Result<(), ForeignPage> {
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
    fn a_host_whose_port_a_proxy_has_removed_agrees_with_any_port() {
        for (host, origin) in [
            ("lab.example", "http://lab.example:8080"),
            ("LAB.example", "https://lab.example:8443"),
            ("192.0.2.1", "http://192.0.2.1:8080"),
            ("[::1]", "http://[::1]:8080"),
            ("lab.example:443", "https://lab.example"),
            ("lab.example:80", "http://lab.example"),
        ] {
            assert_eq!(judged(host, Some(origin)), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("lab.example:8080", "http://lab.example:8081"),
            ("lab.example:80", "https://lab.example"),
            ("lab.example", "http://evil.example"),
            ("lab.example", "http://lab.example.evil.example"),
            ("lab.example", "http://lab.example:80:81"),
            ("127.0.0.1", "http://evil.example:127"),
        ] {
            assert_eq!(judged(host, Some(origin)), Err(ForeignPage::Origin), "{host} {origin}");
        }
    }

    #[test]
    fn files_are_for_every_page_and_for_no_other_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("lab"));
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://evil.example"));
        assert_eq!(judge_host(&headers, ["lab"]), Ok(()));
        assert_eq!(judge_host(&headers, ["other"]), Err(ForeignPage::Host));
        headers.insert(header::HOST, HeaderValue::from_static(""));
        assert_eq!(judge_host(&headers, [""]), Err(ForeignPage::Host));
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
            assert_eq!(judged("127.0.0.1:1280", Some(origin)), Err(ForeignPage::Origin), "{origin}");
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
            assert_eq!(judged(host, Some(&format!("http://{host}"))), Err(ForeignPage::Host), "{host}");
        }
    }
}
