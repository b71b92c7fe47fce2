//! Words the reasons why a stream does not play, or no longer plays.

use std::time::Duration;

use arauto_protocol::Name;

use super::directory::{MAX_WAITED_FOR, NotAsked};
use crate::{config::Media, server::common::stream_stats::StreamEnd};

/// Why a client cannot hear a file that it asks for. The text is sent to the client.
#[derive(Debug, thiserror::Error)]
pub enum NotPlayed {
    /// Audio is off.
    #[error("This server carries no audio: its operator has to set media.listen")]
    NoAudio,
    /// The publisher is at another node of the cluster.
    #[error("{0} is at another node; sound does not cross nodes yet")]
    AtAnotherNode(String),
    /// `{0}`, the asker or the publisher, can reach no address that serves streams.
    #[error(
        "The server does not listen for audio at the address where {0} reached it. Its operator has to add that to \
         media.listen, or set media.public_host"
    )]
    Unreachable(String),
    /// The address and the file do not fit into a message of `{0}` bytes.
    #[error("The address of the stream and the name of the file are too long for a message of {0} bytes")]
    TooLong(usize),
    /// No key can be made.
    #[error("The server has no random numbers ({0}). Try again later")]
    NoRandomness(#[from] getrandom::Error),
    /// `media.streams` is reached.
    #[error("{0} files are played, which is the most. /streams shows them; try again when one has ended")]
    Streams(usize),
    /// `media.waiting` is reached.
    #[error("As many are asked for a file at the moment as may be ({0}). Try again in a moment")]
    Waiting(usize),
    /// The asker waits for [`MAX_WAITED_FOR`] files.
    #[error("You wait for {MAX_WAITED_FOR} files, which is the most. Try again when one of them plays")]
    TooManyWaiting,
    /// `media.listeners` is reached.
    #[error("{0} users have asked for this, which is the most. Try again when it is played again")]
    Listeners(usize),
}

impl NotPlayed {
    /// The bound that the directory reported.
    pub fn bound(reached: NotAsked, bounds: &Media) -> Self {
        match reached {
            NotAsked::Streams => Self::Streams(bounds.streams),
            NotAsked::Waiting => Self::Waiting(bounds.waiting),
            NotAsked::TooManyWaiting => Self::TooManyWaiting,
            NotAsked::Listeners => Self::Listeners(bounds.listeners),
        }
    }
}

/// Why a stream that the relay reports as over has ended. `None` if its publisher finished it.
pub fn ended(why: StreamEnd, publisher: &Name, media: &Media) -> Option<String> {
    Some(match why {
        StreamEnd::Finished => return None,
        StreamEnd::Gone => format!("the connection to {publisher} broke"),
        StreamEnd::Silent => format!("{publisher} sent nothing for {}", in_seconds(media.silence_timeout)),
        StreamEnd::TooFast => {
            format!("it had more than {} bits a second, which is the most", media.bit_rate)
        }
        StreamEnd::Unheard => format!("nobody listened for {}", in_seconds(media.unheard_timeout)),
    })
}

/// Why a stream that was open has ended, if its place went to another one.
pub fn displaced(was_on: bool, publisher: &Name, media: &Media) -> String {
    let Media { streams, waiting, .. } = media;
    if was_on {
        format!("its place went to another file (at most {streams} play at once)")
    } else {
        format!(
            "{publisher} had not started, and its place went to another request (at most {waiting} may wait)"
        )
    }
}

/// Why a stream has ended whose publisher did not begin within `media.publish_timeout`.
pub fn overdue(publisher: &Name, media: &Media) -> String {
    let timeout = in_seconds(media.publish_timeout);
    format!("nothing came within {timeout}. Does {publisher} share files?")
}

fn in_seconds(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(time)
}
