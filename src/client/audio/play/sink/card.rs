//! [`Card`]: the way to a sound card: by a sound server, or else, with the cargo feature `cpal`, by the system itself.

use super::{Sink, Spec, pulse};

#[cfg(feature = "cpal")]
use super::device;

/// A sound card that is there.
pub enum Card {
    /// By a server.
    Server(pulse::Server),
    /// By the system.
    #[cfg(feature = "cpal")]
    Device(device::Device),
}

impl Card {
    /// Looks for one; if there is none, why.
    pub fn find() -> Result<Self, String> {
        let found = pulse::Server::find().map(Self::Server);
        #[cfg(feature = "cpal")]
        let found = found.or_else(|no_server| {
            device::Device::find().map(Self::Device).map_err(|why| format!("{no_server}; {why}"))
        });
        found
    }

    /// Begins to play.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, String> {
        Ok(match self {
            Self::Server(server) => Box::new(server.open(spec).await?),
            #[cfg(feature = "cpal")]
            Self::Device(device) => Box::new(device.open(spec)?),
        })
    }
}
