//! Audio streams as the registry knows them: which client is asked to publish, which may listen, and what they are told.
//!
//! [`directory`] is the table, and chooses the stream that gives way when all places are taken. [`requests`] carries out
//! what clients ask for, [`reports`] what the relay reports; [`answers`] words the reasons. [`advertised_addresses`]
//! picks the address at which a client gets its streams.
//!
//! Requests about streams pass the order log, and the streams themselves do not: they live on one server, with keys and
//! times of its own, and what is said about them reaches only its members.

use arauto_rtsp::StreamId;
use slog::Logger;

use super::output::Output;
use crate::{config::Config, server::audio::messages::ToRelay};

pub mod advertised_addresses;
mod answers;
mod directory;
mod reports;
mod requests;

use advertised_addresses::AdvertisedAddresses;
pub use directory::Opening;
use directory::StreamDirectory;

/// The relay, and the addresses at which it serves.
pub struct AudioHandle {
    /// The actor that carries streams.
    pub relay: ToRelay,
    /// The addresses that serve streams.
    pub addresses: AdvertisedAddresses,
}

/// All streams, and the relay that carries them.
pub struct Streams {
    directory: StreamDirectory,
    /// `None` if audio is off.
    audio_handle: Option<AudioHandle>,
    /// Streams whose publishers were asked, and whose timeouts have not been started.
    pub opened: Vec<(StreamId, Opening)>,
}

impl Streams {
    /// Creates an empty table. Without an [`AudioHandle`], requests for streams are refused.
    pub fn new(audio_handle: Option<AudioHandle>) -> Self {
        Self { directory: StreamDirectory::after(random_number()), audio_handle, opened: Vec::new() }
    }
}

/// The streams, with what the requests about them depend on, and the output for the answers.
pub struct StreamRequests<'a> {
    /// The streams.
    pub streams: &'a mut Streams,
    /// Takes the answers, and finds members.
    pub output: Output<'a>,
    /// The configuration of the batch.
    pub config: &'a Config,
    /// The server's log.
    pub log: &'a Logger,
}

/// The number after which streams are numbered. It need not be secret, so 0 does if there is no randomness.
fn random_number() -> u16 {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_or(0, |()| u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests;
