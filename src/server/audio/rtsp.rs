//! RTSP 1.0 (RFC 2326), by which clients set up streams.
//!
//! ```text
//! bytes -> input (messages and datagrams) -> request (what is asked) -> session -> response -> bytes
//!                                                                         | asks a backend
//!                                                                         v
//!                                                                       stream_access
//! ```
//!
//! `serve` moves the bytes; the other modules are independent of the connection.

use std::time::Duration;

pub use crate::server::http::stream::MAX_PAUSE;

pub mod backend;
#[cfg(any(test, feature = "fuzz"))]
pub mod fake;
pub mod request;
pub mod response;
pub mod serve;
pub mod session;
pub mod stream_access;
pub mod target;
pub mod transport;

/// The session timeout that clients are told. A paused session ends this long after its last request.
pub const SESSION_TIMEOUT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
