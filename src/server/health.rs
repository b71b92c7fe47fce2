//! [`Health`]: how far the server is in its life, for whoever asks from outside.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// How far a server is. It only goes on, never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It serves nobody yet.
    Starting,
    /// It serves.
    Serving,
    /// It ends: nobody new is served.
    Draining,
    /// A part of it died, and so it ends at once.
    Died,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Starting, Self::Serving, Self::Draining, Self::Died];
}

/// The phase, as all who know of it see it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicU8>);

impl Health {
    /// It is in this phase now, unless it was further before.
    pub fn reach(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// The phase it is in.
    #[must_use]
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.0.load(Ordering::Relaxed))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let health = Health::default();
        assert_eq!(health.phase(), Phase::Starting);
        for (place, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, place);
            health.reach(phase);
            health.reach(Phase::Serving.min(phase));
            assert_eq!(health.phase(), phase);
        }
    }
}
