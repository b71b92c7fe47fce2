//! Plays audio streams: from RTP datagrams to samples in a sink.
//!
//! ```text
//! datagrams -> jitter (order, loss) -> playout (when) -> decode -> conceal, stretch, volume -> sink
//! ```
//!
//! - [`jitter`]: orders datagrams and detects missing ones. [`delay`]: how long to wait for them.
//! - [`decode`]: decodes units to samples. [`conceal`]: fills the place of missing audio. [`stretch`]: plays slightly
//!   faster or slower, because the clocks of the sender and of the sound card differ.
//! - [`playout`]: combines the above. No IO; the caller passes the time.
//! - [`volume`]: scales samples. [`report`]: RTCP to and from the server.
//! - [`sink`]: where samples go: a file, standard output, a sound server or card, or nowhere.
//! - [`player`]: plays the stream at an address to a sink until it ends. [`words`]: its progress as text.
//! - [`listener`]: runs the player on a thread of its own.

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
pub use player::{
    PlaybackCommand, PlaybackError, PlaybackOptions, PlaybackProgress, Played, Stage, StreamEnd, play,
};
pub use sink::{NoSink, Output, Ready};
pub use volume::Volume;

/// Sample rate and channel count of interleaved audio. A frame has one sample of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Frames per second, above 0.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u8,
}

impl Spec {
    /// Number of frames that last `time`, rounded down.
    #[must_use]
    pub fn frames(self, time: std::time::Duration) -> usize {
        usize::try_from(time.as_nanos() * u128::from(self.rate) / 1_000_000_000).unwrap_or(usize::MAX)
    }

    /// Duration of `frames` frames.
    #[must_use]
    pub fn time(self, frames: u64) -> std::time::Duration {
        let nanos = u128::from(frames) * 1_000_000_000 / u128::from(self.rate.max(1));
        std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
