//! [`Block`]: the addresses that limits count as one; [`Origin`]: the clients whose costs are summed.

use std::net::IpAddr;

use super::{peer::Peer, session_ref::SessionId};

/// A block of addresses that limits count as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Block {
    /// An IPv4 address, possibly mapped into IPv6.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6([u16; 4]),
}

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

impl Block {
    /// The block that contains this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}
