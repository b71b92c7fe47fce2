//! Types that all parts of the server share: the identity of a session and of its peer, reasons for an end, the phase of
//! the server's life. Imports nothing of the server.

pub mod block;
pub mod close;
pub mod exit_guard;
pub mod fill_level;
pub mod health;
pub mod listener_protocol;
pub mod peer;
pub mod session_ref;
pub mod stream_stats;
pub mod token_bucket;
