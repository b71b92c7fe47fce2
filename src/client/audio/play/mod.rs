//! From datagrams to sound.
//!
//! ```text
//! datagrams -> jitter (order, loss) -> playout (when) -> decode -> conceal, stretch, volume -> sink
//! ```
//!
//! - [`jitter`]: datagrams in order, and which are missing. [`delay`]: for how long to wait for them.
//! - [`decode`]: units of sound to samples. [`conceal`]: what is heard in place of what is missing. [`stretch`]: a
//!   little faster or slower, where the sender's clock and the sound card's differ.
//! - [`playout`]: all of these put together, still without IO and told the time.
//! - [`volume`]: how loud. [`report`]: what the server is told, and what it says of the end.
//! - [`sink`]: where samples go: a file, standard output, a sound server, nowhere.
//! - [`listener`]: the same on a thread of its own.
//! - [`player`]: a stream at an address to a sink, until it ends. [`words`]: how far it is.

pub mod conceal;
pub mod decode;
pub mod delay;
pub mod jitter;
pub mod listener;
pub mod player;
pub mod playout;
pub mod report;
pub mod sink;
pub mod stretch;
pub mod volume;
pub mod words;

pub use listener::{Heard, Listener};
pub use player::{Ending, Failed, Order, Played, Progress, Stage, Wanted, play};
pub use sink::{NoSink, Output, Ready};
pub use volume::Volume;

/// How many samples a second there are for each channel, and of how many channels a frame has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Frames a second, above 0.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u8,
}

impl Spec {
    /// How many frames last so long.
    #[must_use]
    pub fn frames(self, time: std::time::Duration) -> usize {
        usize::try_from(time.as_nanos() * u128::from(self.rate) / 1_000_000_000).unwrap_or(usize::MAX)
    }

    /// How long so many frames last.
    #[must_use]
    pub fn time(self, frames: u64) -> std::time::Duration {
        let nanos = u128::from(frames) * 1_000_000_000 / u128::from(self.rate.max(1));
        std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
