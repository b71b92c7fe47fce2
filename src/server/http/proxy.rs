//! Tells by the headers of a request whether a proxy passed it on.

use std::net::IpAddr;

use actix_http::header::{self, HeaderMap, HeaderValue};

/// Headers that a proxy adds on behalf of its client, and that browsers never send.
const ADDED: [header::HeaderName; 4] =
    [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA, header::HeaderName::from_static("x-real-ip")];

/// Whether a proxy passed on a request that reached this machine at the address `reached`. `None`: there is no sign of
/// a proxy. `Some(true)`: the client reached the proxy by TLS.
///
/// A proxy shows itself by a header that it adds, or by the page that asks (`Origin`): a page that was loaded from
/// elsewhere does not connect to a loopback address by itself. A proxy may show neither, so `server.local_connections`
/// does not depend on this. A client that forges such headers gains nothing except that its own password is accepted.
pub fn passed_on(headers: &HeaderMap, reached: IpAddr, own_names: &[String]) -> Option<bool> {
    let page = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()?.split_once("://"));
    let is_from_elsewhere = reached.is_loopback()
        && page.is_some_and(|(_, authority)| !is_this_machine(super::host::name_of(authority), own_names));
    if !is_from_elsewhere && !ADDED.iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let is_https = |proto: &HeaderValue| proto.as_bytes().eq_ignore_ascii_case(b"https");
    let says_so = headers.get(header::X_FORWARDED_PROTO).is_some_and(is_https);
    Some(says_so || page.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https")))
}

/// Whether a host name means this machine to its own users.
fn is_this_machine(host: &str, own_names: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || own_names.contains(&host)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn passed_to(reached: IpAddr, added: &[(&str, &str)]) -> Option<bool> {
        let mut headers = HeaderMap::new();
        for (name, value) in added {
            headers.insert(name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        passed_on(&headers, reached, &["lab".to_owned()])
    }

    #[test]
    fn a_request_that_was_passed_on_is_recognized() {
        assert_eq!(passed_to(HERE, &[("host", "localhost")]), None);
        // A scheme alone changes nothing: a proxy that names the scheme also names its client.
        assert_eq!(passed_to(HERE, &[("x-forwarded-proto", "https")]), None);
        for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            let by = (name, "192.0.2.1");
            assert_eq!(passed_to(HERE, &[by]), Some(false), "{name}");
            assert_eq!(passed_to(HERE, &[by, ("x-forwarded-proto", "https")]), Some(true), "{name}");
            assert_eq!(passed_to(HERE, &[by, ("x-forwarded-proto", "http")]), Some(false), "{name}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_was_passed_on() {
        for own in [
            "http://localhost:1280",
            "http://127.0.0.1:1280",
            "http://[::1]",
            "http://LAB:80",
            "https://a.localhost",
        ] {
            assert_eq!(passed_to(HERE, &[("origin", own)]), None, "{own}");
        }
        for (other, by_tls) in
            [("https://chat.example", true), ("http://chat.example:8080", false), ("http://192.0.2.1", false)]
        {
            assert_eq!(passed_to(HERE, &[("origin", other)]), Some(by_tls), "{other}");
            // A user of this machine may know the server by its outer address.
            assert_eq!(passed_to(IpAddr::from([192, 0, 2, 1]), &[("origin", other)]), None, "{other}");
        }
    }
}
