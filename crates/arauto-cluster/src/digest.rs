//! [`Digest`] and [`Checkpoint`]: how nodes find that they have read different logs.

use std::collections::{BTreeMap, VecDeque};

use blake2::{Blake2b, Digest as _, digest::consts::U16};
use serde::{Deserialize, Serialize};

use super::frame::Instance;

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

/// The checkpoints of the last [`MAX_CHECKPOINTS`] positions, and how those of other nodes compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    kept: VecDeque<Checkpoint>,
    /// The newest position at which each writer's checkpoint was the same.
    agreed: BTreeMap<Instance, u64>,
}

impl Checkpoints {
    /// Adds the checkpoint of the next position.
    pub fn push(&mut self, checkpoint: Checkpoint) {
        if self.kept.len() == MAX_CHECKPOINTS {
            self.kept.pop_front();
        }
        self.kept.push_back(checkpoint);
    }

    /// Returns the checkpoint of this position, if it is kept.
    #[must_use]
    pub fn at(&self, position: u64) -> Option<&Checkpoint> {
        let first = self.kept.front()?.position;
        self.kept.get(usize::try_from(position.checked_sub(first)?).ok()?)
    }

    /// Compares a checkpoint of a writer. Returns whether it differs; one of a position that is not kept does not.
    pub fn differs(&mut self, writer: Instance, theirs: &Checkpoint) -> bool {
        let Some(ours) = self.at(theirs.position) else { return false };
        let is_same = ours == theirs;
        if is_same {
            self.agreed.insert(writer, theirs.position);
        }
        !is_same
    }

    /// The newest position at which a writer's checkpoint was the same. If there is none, the one before those that are
    /// kept.
    #[must_use]
    pub fn agreed_with(&self, writer: Instance) -> u64 {
        let before = self.kept.front().map_or(0, |first| first.position.saturating_sub(1));
        self.agreed.get(&writer).copied().unwrap_or_default().max(before)
    }

    /// Forgets how a writer compared.
    pub fn forget(&mut self, writer: Instance) {
        self.agreed.remove(&writer);
    }
}
