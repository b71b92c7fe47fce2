//! [`Card`]: a sound server or, with the cargo feature `cpal`, a sound card by the operating system's interface.

use super::{Sink, Spec, pulse};

#[cfg(feature = "cpal")]
use super::device;

/// Reason why this machine makes no sound.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The sound server cannot be used.
    #[error(transparent)]
    Server(#[from] pulse::PulseError),
    /// The sound card cannot be used.
    #[cfg(feature = "cpal")]
    #[error(transparent)]
    Device(#[from] device::DeviceError),
    /// There is neither a sound server nor a sound card.
    #[cfg(feature = "cpal")]
    #[error("{0}; {1}")]
    Neither(pulse::PulseError, device::DeviceError),
}

/// A way to make sound on this machine.
pub enum Card {
    /// Through a sound server.
    Server(pulse::PulseServer),
    /// Through the operating system.
    #[cfg(feature = "cpal")]
    Device(device::Device),
}

impl Card {
    /// Looks for a sound server, then for a sound card.
    ///
    /// # Errors
    /// If neither can be used.
    pub fn find() -> Result<Self, CardError> {
        let found = pulse::PulseServer::find().map(Self::Server);
        #[cfg(feature = "cpal")]
        let found = found.or_else(|no_server| {
            device::Device::find().map(Self::Device).map_err(|why| CardError::Neither(no_server, why))
        });
        #[cfg(not(feature = "cpal"))]
        let found = found.map_err(CardError::from);
        found
    }

    /// Opens a playback stream.
    ///
    /// # Errors
    /// If the server or the card refuses it.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, CardError> {
        Ok(match self {
            Self::Server(server) => Box::new(server.open(spec).await?),
            #[cfg(feature = "cpal")]
            Self::Device(device) => Box::new(device.open(spec)?),
        })
    }
}
