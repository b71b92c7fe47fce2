//! [`Action`]: what the program does for a node. [`Reason`] and [`End`]: why clients are disconnected, and why a node ends.

use super::MAX_CLOCK_DIFFERENCE;
use crate::{frame::Instance, state::Event};

/// An action that the program carries out for the node.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for the position and the age of the newest message of the log: [`Node::end_of_log`](super::Node::end_of_log).
    AskForEnd,
    /// Append these bytes under this node's name.
    Append(Vec<u8>),
    /// Fetch the messages of these positions from the log.
    Fetch(std::ops::RangeInclusive<u64>),
    /// Ask the leader of the log for the messages of these positions: [`Node::verified`](super::Node::verified).
    Verify(std::ops::RangeInclusive<u64>),
    /// Send the state to this instance, as chunks of these bytes.
    SendState {
        /// The instance that joins.
        to: Instance,
        /// The position of its Hello.
        position: u64,
        /// The state.
        bytes: Vec<u8>,
    },
    /// Serve clients.
    Serve,
    /// Read nothing more from clients.
    Hold,
    /// Read from clients again.
    GoOn,
    /// Disconnect all clients, and let none in until [`Self::Serve`].
    Cut(Reason),
    /// End the program.
    Stop(End),
    /// Something that operators may want to know.
    Report(Event),
}

/// Why clients are disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The log was out of reach, or stood still, for too long.
    LostTouch,
    /// The other nodes have given this one up, or have begun anew without it.
    GivenUp,
    /// A message of the log is gone before this node has read it.
    Gap,
    /// Another program writes as this instance.
    Forged,
    /// The log has other messages than this node has read, or most nodes came to another result with them.
    Differs,
}

/// Why a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// Another node of this name lives, or has taken this one's place.
    #[error("another node of this name is in the cluster")]
    NameTaken,
    /// The settings that all nodes must have alike are others here.
    #[error("the settings that all nodes must have alike are others here")]
    Disagrees,
    /// The clock is off.
    #[error("the clock of this machine is off by more than {} s from that of the cluster", MAX_CLOCK_DIFFERENCE.as_secs())]
    ClockOff,
    /// The cluster has ended.
    #[error("the cluster was closed")]
    Closed,
    /// The node has left, as it was told to.
    #[error("left the cluster")]
    Left,
}
