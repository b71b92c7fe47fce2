//! [`Health`]: the phase of the server's life, for readers outside the actors.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// Phase of the server's life. It only advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerPhase {
    /// The server does not serve yet.
    Starting,
    /// The server serves.
    Serving,
    /// The server is ending: new connections are not served.
    Draining,
    /// A part of the server died, so the server ends at once.
    Died,
}

impl ServerPhase {
    const ALL: [Self; 4] = [Self::Starting, Self::Serving, Self::Draining, Self::Died];
}

/// The current phase. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicU8>);

impl Health {
    /// Advances to this phase; no effect if the phase is the current one or an earlier one.
    pub fn reach(&self, phase: ServerPhase) {
        self.0.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> ServerPhase {
        ServerPhase::ALL[usize::from(self.0.load(Ordering::Relaxed))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let health = Health::default();
        assert_eq!(health.phase(), ServerPhase::Starting);
        for (place, phase) in ServerPhase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, place);
            health.reach(phase);
            health.reach(ServerPhase::Serving.min(phase));
            assert_eq!(health.phase(), phase);
        }
    }
}
