//! TLS (RFC 8446, RFC 5246) beneath a session: what is shown to clients, the handshake, and the stream after it.
//!
//! A session over TLS is the same as one over TCP. What differs is before it (`handshake.rs`, a task of its own on the
//! courier's thread) and beneath it (`stream.rs`).

pub mod credentials;
pub mod handshake;
pub mod stream;
pub mod subject;
pub mod under_way;

#[cfg(test)]
mod tests;
