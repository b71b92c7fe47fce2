//! [`Card`]: a sound server or, with the cargo feature `cpal`, a sound card by the operating system's interface.

use super::{Sink, Spec, pulse};

#[cfg(feature = "cpal")]
use super::device;

/// A way to make sound on this machine.
pub enum Card {
    /// Through a sound server.
    Server(pulse::PulseServer),
    /// Through the operating system.
    #[cfg(feature = "cpal")]
    Device(device::Device),
}

impl Card {
    /// Looks for a sound server, then for a sound card. The error says why there is none.
    pub fn find() -> Result<Self, String> {
        let found = pulse::PulseServer::find().map(Self::Server);
        #[cfg(feature = "cpal")]
        let found = found.or_else(|no_server| {
            device::Device::find().map(Self::Device).map_err(|why| format!("{no_server}; {why}"))
        });
        found
    }

    /// Opens a playback stream. The error says why it cannot be opened.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, String> {
        Ok(match self {
            Self::Server(server) => Box::new(server.open(spec).await?),
            #[cfg(feature = "cpal")]
            Self::Device(device) => Box::new(device.open(spec)?),
        })
    }
}
