//! [`Card`]: the way to a sound card. That is PulseAudio's protocol, which PipeWire speaks, too; where there is no such
//! server, and the program was built with the feature `cpal`, the system's own way.

use super::{Sink, Spec, pulse};

/// A sound card that is there.
pub struct Card {
    server: pulse::Server,
}

impl Card {
    /// Looks for one; if there is none, why.
    pub fn find() -> Result<Self, String> {
        Ok(Self { server: pulse::Server::find()? })
    }

    /// Begins to play.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, String> {
        Ok(Box::new(self.server.open(spec).await?))
    }
}
