//! Whether a request was passed on by a proxy, as far as its headers tell.

use actix_http::header::{self, HeaderMap};

/// Headers that a proxy adds on behalf of whoever asked it, and browsers never send.
const ADDED: [header::HeaderName; 4] =
    [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA, header::HeaderName::from_static("x-real-ip")];

/// Whether a proxy passed a request on, and if so, whether it says that it was reached by TLS. Not every proxy says so:
/// `server.local_connections` does not depend on it. A client that makes such headers up gains nothing but that its own
/// password is accepted.
pub fn passed_on(headers: &HeaderMap) -> Option<bool> {
    ADDED.iter().any(|name| headers.contains_key(name)).then(|| {
        headers
            .get(header::X_FORWARDED_PROTO)
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
    })
}

#[cfg(test)]
mod tests {
    use actix_http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_request_that_was_passed_on_is_recognized() {
        let passed = |added: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in added {
                headers.insert(name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
            }
            passed_on(&headers)
        };
        assert_eq!(passed(&[("host", "localhost"), ("origin", "http://localhost")]), None);
        // A scheme alone changes nothing: no proxy that names it leaves out for whom it asks.
        assert_eq!(passed(&[("x-forwarded-proto", "https")]), None);
        for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            assert_eq!(passed(&[(name, "192.0.2.1")]), Some(false), "{name}");
            assert_eq!(passed(&[(name, "192.0.2.1"), ("x-forwarded-proto", "https")]), Some(true), "{name}");
            assert_eq!(passed(&[(name, "192.0.2.1"), ("x-forwarded-proto", "http")]), Some(false), "{name}");
        }
    }
}
