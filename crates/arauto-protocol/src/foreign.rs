//! Detects the beginnings of other protocols.

/// The first bytes of a TLS handshake (RFC 8446, section 5.1).
pub const TLS_HANDSHAKE: &[u8] = b"\x16\x03";

/// Whether a first line is an HTTP request line.
pub fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"];
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    METHODS.contains(&method)
        && (target.starts_with(b"/")
            || target.starts_with(b"http")
            || words.next().is_some_and(|version| version.starts_with(b"HTTP/")))
}
