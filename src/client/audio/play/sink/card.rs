//! [`Card`]: the way to a sound card, by a sound server. Another way would be found and opened here.

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
