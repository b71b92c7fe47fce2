//! [`Health`]: the phase of the server's life, for readers outside the actors.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
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

/// The current phase, and whether the server is cut off from the others of its cluster. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    phase: AtomicU8,
    is_cut_off: AtomicBool,
}

impl Health {
    /// Advances to this phase; no effect if the phase is the current one or an earlier one.
    pub fn reach(&self, phase: ServerPhase) {
        self.0.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> ServerPhase {
        ServerPhase::ALL[usize::from(self.0.phase.load(Ordering::Relaxed))]
    }

    /// Notes whether the server lets nobody in because it is cut off from the others of its cluster.
    pub fn set_cut_off(&self, is_cut_off: bool) {
        self.0.is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    /// Whether the server is cut off from the others of its cluster.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.0.is_cut_off.load(Ordering::Relaxed)
    }
}
