//! TLS (RFC 8446, RFC 5246) beneath a session: the server's certificate, the handshake, and the stream after it.
//!
//! A session over TLS works like one over TCP. Two parts differ: the handshake, a task on the courier's thread that
//! precedes the session (`handshake.rs`), and the byte stream beneath the session (`stream.rs`).

pub mod credentials;
pub mod handshake;
pub mod stream;
pub mod subject;
pub mod under_way;

#[cfg(test)]
mod tests;
