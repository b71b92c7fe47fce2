//! [`Block`]: the addresses that limits count as one; [`Origin`]: the clients whose costs are summed.

pub use arauto_protocol::network::Block;

use super::{peer::Peer, session_ref::SessionId};

/// The clients whose costs are summed, so that a client gains nothing by opening many sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// All clients of a block of addresses.
    Address(Block),
    /// A single session on this machine or behind a proxy on it, where many clients share one address.
    Session(SessionId),
}

impl Origin {
    /// The origin of session `id` from `peer`.
    #[must_use]
    pub fn of(id: SessionId, peer: &Peer) -> Self {
        if peer.is_on_this_machine() { Self::Session(id) } else { Self::Address(Block::of(peer.ip())) }
    }
}
