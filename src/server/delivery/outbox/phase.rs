//! [`Phase`]: how far an outbox is on its way to its end, and what may still be queued.

use tokio::time::Instant;

/// The phase of an outbox.
///
/// ```text
///  Open ──evict──> Evicted ──close──> Closing ──give_up──> Closed
///    └──────────────close──────────────^
///  Open, Evicted ──give_up──> Broken ──close──> Closing
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All output is queued.
    Open,
    /// The receiver is to be disconnected, and the session has yet to end. Only its last words are queued.
    Evicted,
    /// A write failed, and the session has yet to end. Nothing is queued or written.
    Broken,
    /// The session has ended. Nothing is queued, and what is left has to be written by this time.
    Closing(Instant),
    /// The session has ended, and its connection is shut or given up.
    Closed,
}

impl Phase {
    /// Evicts an open outbox. Returns whether it was open.
    pub fn evict(&mut self) -> bool {
        let was_open = self.is_open();
        if was_open {
            *self = Self::Evicted;
        }
        was_open
    }

    /// Ends the session: what is left has to be written by `deadline`. A session ends once; later calls do nothing.
    pub fn close(&mut self, deadline: Instant) {
        if let Self::Open | Self::Evicted | Self::Broken = self {
            *self = Self::Closing(deadline);
        }
    }

    /// Records that the connection is shut or given up.
    pub fn give_up(&mut self) {
        *self = match self {
            Self::Open | Self::Evicted | Self::Broken => Self::Broken,
            Self::Closing(_) | Self::Closed => Self::Closed,
        };
    }

    /// Whether all output is queued.
    pub fn is_open(self) -> bool {
        self == Self::Open
    }

    /// Whether the line that explains the end is queued.
    pub fn accepts_last_words(self) -> bool {
        matches!(self, Self::Open | Self::Evicted)
    }

    /// When all has to be written; `None` unless the session has ended and something may be left.
    pub fn deadline(self) -> Option<Instant> {
        if let Self::Closing(deadline) = self { Some(deadline) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Phase::*, *};

    #[test]
    fn no_phase_is_entered_again_once_it_was_left() {
        let soon = Instant::now();
        let later = soon + Duration::from_secs(1);
        let after = |mut phase: Phase, act: &dyn Fn(&mut Phase)| {
            act(&mut phase);
            phase
        };
        for (phase, evicted, closed, given_up) in [
            (Open, Evicted, Closing(later), Broken),
            (Evicted, Evicted, Closing(later), Broken),
            (Broken, Broken, Closing(later), Broken),
            (Closing(soon), Closing(soon), Closing(soon), Closed),
            (Closed, Closed, Closed, Closed),
        ] {
            let was_open = phase.is_open();
            assert_eq!(after(phase, &|phase| assert_eq!(phase.evict(), was_open)), evicted);
            assert_eq!(after(phase, &|phase| phase.close(later)), closed);
            assert_eq!(after(phase, &Phase::give_up), given_up);
        }
    }
}
