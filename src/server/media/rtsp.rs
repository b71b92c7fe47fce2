//! RTSP 1.0 (RFC 2326): how streams are set up.
//!
//! ```text
//! bytes -> input (messages and datagrams) -> request (what is asked) -> session (what is answered) -> bytes
//!                                                                         | asks
//!                                                                         v
//!                                                                       guest (the streams)
//! ```
//!
//! `serve` moves the bytes; all else knows no connection.

use std::time::Duration;

/// How long a listener that has not paused by RTSP may take nothing of its sound, because its player is paused: its sound is
/// left out meanwhile, and its connection kept.
pub const MAX_PAUSE: Duration = Duration::from_mins(10);

#[cfg(any(test, feature = "fuzz"))]
pub mod fake;
pub mod guest;
pub mod input;
pub mod request;
pub mod serve;
pub mod session;
pub mod target;
pub mod transport;

/// How long a session may be silent, as it is told. A listener by UDP that says nothing for twice that long is gone.
pub const SESSION_TIMEOUT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
