//! [`Digest`] and [`Checkpoint`]: how nodes find that they have read different logs.

use std::collections::VecDeque;

use blake2::{Blake2b, Digest as _, digest::consts::U16};
use serde::{Deserialize, Serialize};

/// Positions whose checkpoints are kept. Older ones are not compared.
pub const MAX_CHECKPOINTS: usize = 4_096;

/// A hash of all frames that counted so far and of the outcomes of their entries, 128 bits of `BLAKE2b` (RFC 7693).
///
/// Two nodes with equal digests have carried out equal entries. It guards against a log that lies, not against an
/// attacker who can append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The hash of these bytes alone.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Blake2b::<U16>::new();
        hasher.update(bytes);
        Self(hasher.finalize().into())
    }

    /// The digest after one more frame.
    #[must_use]
    pub fn then(self, position: u64, frame: &[u8], outcomes: &[u64]) -> Self {
        let mut hasher = Blake2b::<U16>::new();
        hasher.update(self.0);
        hasher.update(position.to_le_bytes());
        hasher.update(frame);
        for outcome in outcomes {
            hasher.update(outcome.to_le_bytes());
        }
        Self(hasher.finalize().into())
    }
}

/// A node's progress: all that it has carried out, up to a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The position in the log of the last message carried out.
    pub position: u64,
    /// The digest after it.
    pub digest: Digest,
    /// The fingerprint of the tables after it.
    pub fingerprint: u64,
}

/// The checkpoints of the last [`MAX_CHECKPOINTS`] positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints(VecDeque<Checkpoint>);

impl Checkpoints {
    /// Adds the checkpoint of the next position.
    pub fn push(&mut self, checkpoint: Checkpoint) {
        if self.0.len() == MAX_CHECKPOINTS {
            self.0.pop_front();
        }
        self.0.push_back(checkpoint);
    }

    /// Returns the checkpoint of this position, if it is kept.
    #[must_use]
    pub fn at(&self, position: u64) -> Option<&Checkpoint> {
        let first = self.0.front()?.position;
        self.0.get(usize::try_from(position.checked_sub(first)?).ok()?)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
