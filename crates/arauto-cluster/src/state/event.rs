//! [`Verdict`] and [`Event`]: the outcome of reading a message.

use crate::frame::Instance;

/// The outcome of reading a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counted.
    Counts,
    /// It changed nothing.
    Void(Why),
    /// It was carried out before, or stands behind a gap: it was not read. The state is as before.
    NotNext,
}

/// Why a frame is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not a frame.
    NoFrame,
    /// It is a frame of another format.
    Format(u8),
    /// The cluster has ended.
    Closed,
    /// A founding that is not where it was to be.
    NotHere,
    /// Its writer does not take part.
    Stranger,
    /// It stands under the name of another node.
    WrongNode,
    /// Its number is not the next one of its writer.
    WrongNumber,
}

/// A change in the cluster that a node may have to act on. `by` and `instance` are instances that took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An instance said Hello: its donor sends the state as of this position.
    Hello(Instance),
    /// An instance may have members.
    Ready(Instance),
    /// A ready instance left.
    Bye(Instance),
    /// An instance was given up.
    Reaped {
        /// The instance.
        instance: Instance,
        /// The writer of the entry.
        by: Instance,
    },
    /// An instance wrote a frame that nobody can read, and was given up for it.
    Malformed(Instance),
    /// A ready instance made room for a newer one of its node.
    Replaced {
        /// The older instance.
        instance: Instance,
        /// The newer one.
        by: Instance,
    },
    /// An instance may not be ready, because an older one of its node lives.
    NameTaken(Instance),
    /// An instance may not be ready, because its settings are not those that all must have.
    Disagrees(Instance),
    /// The cluster began anew, without the instances that took part.
    Founded(Instance),
    /// The cluster ended.
    Closed(Instance),
    /// An instance had read something else up to this position.
    Differs {
        /// The instance.
        instance: Instance,
        /// The position that it compared.
        position: u64,
    },
}
