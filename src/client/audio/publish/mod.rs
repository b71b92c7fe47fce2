//! Publishing: a file of the shared folder, sent to the server as fast as it plays.
//!
//! - `source`, `mix`: a file as MPEG audio frames, Opus packets or samples. `reading`: a thread that reads it.
//! - `pace`: when what is sent. `packets`: RTP and RTCP. `broadcast`: all that until the end, with pauses.
//!
//! ```text
//! file -> source -> payloads -> reading -> broadcast (pace, packets) -> rtsp::Session
//! ```
//!
//! `publisher` answers the server's `publish`; `publication` is one file that it plays.

mod broadcast;
mod mix;
mod pace;
mod packets;
mod publication;
mod publisher;
mod reading;
mod source;

pub use broadcast::{Broadcast, Control, Over, Progress};
pub use publisher::{ASK_WITHIN, Asking, MOST_AT_ONCE, News, OnAir, Order, Publisher, Question, TooMuch};
pub use reading::{NoReading, Reading};
pub use source::NoSource;

#[cfg(test)]
mod tests;
