//! Publishes a file of the shared folder: sends it to the server at playback speed.
//!
//! - `source`, `mix`: read a file as MPEG audio frames, Opus packets or samples. `reading`: does so on a thread.
//! - `schedule`: when to send what. `packets`: RTP and RTCP. `broadcast`: sends one file to its end, with pauses.
//!
//! ```text
//! file -> source -> payloads -> reading -> broadcast (schedule, packets) -> rtsp::StreamSession
//! ```
//!
//! `publisher` answers the server's `publish` requests with a task of its own; `publication` is one file that it plays.

mod broadcast;
mod mix;
mod packets;
mod publication;
mod publisher;
mod reading;
mod schedule;
mod source;

pub use broadcast::{Broadcast, Control, Over, PublishProgress};
pub use publisher::{
    ASK_TIMEOUT, Asking, MAX_AT_ONCE, News, OnAir, PermissionRequest, PublishCommand, Publisher, TooMuch,
};
pub use reading::{NoReading, Reading};
pub use source::NoSource;

#[cfg(test)]
mod tests;
