//! [`ConnectionLimiter`]: bounds the number of audio connections, by what each has proved so far, and evicts
//! connections where the bounds are reached. Without IO.
//!
//! A connection without a valid key costs its client nothing, so each new connection evicts the oldest of those. Only a
//! valid key protects a connection from that, and no other input.

use std::{cell::RefCell, rc::Rc};

use tokio_util::sync::CancellationToken;

use crate::server::{admission::eviction::Occupants, common::block::Block};

/// The state of a connection that determines its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The client has not shown a valid key.
    Unauthenticated,
    /// The client has shown a valid key, but is not set up for a stream.
    Authenticated,
    /// The client is set up for a stream.
    SetUp,
    /// The stream has ended, or the connection was evicted; it only waits to be closed.
    Closing,
}

impl Standing {
    const COUNT: usize = 4;

    /// The most connections of this standing in all, and the most from one address. An IPv6 network of 64 bits counts
    /// as one address.
    ///
    /// A key arrives within some milliseconds on a local network, and within three round trips over TLS. During that
    /// time, 512 connections have to come from the client's own address before the client's connection is evicted.
    fn bounds(self) -> (usize, usize) {
        match self {
            Self::Unauthenticated => (MAX_UNAUTHENTICATED, MAX_UNAUTHENTICATED / 2),
            Self::Authenticated => (512, 128),
            // Other limits apply: those on streams and keys, and `media.listeners`.
            Self::SetUp => (usize::MAX, usize::MAX),
            Self::Closing => (MAX_CLOSING, MAX_CLOSING / 4),
        }
    }
}

/// The most connections that have shown no valid key. Each takes about 2 KiB, over TLS about 30 KiB.
pub const MAX_UNAUTHENTICATED: usize = 1_024;

/// The most connections that only wait to be closed.
const MAX_CLOSING: usize = 1_024;

/// The most connections that are set up for streams. At this number, new connections are rejected.
const MAX_SET_UP: usize = 4_096;

/// The most audio connections in all; each is an open file.
pub const MAX_CONNECTIONS: usize = MAX_UNAUTHENTICATED + 512 + MAX_SET_UP + MAX_CLOSING;

/// All audio connections of the server.
#[derive(Debug, Default)]
pub struct ConnectionLimiter {
    /// The connections of each standing. Eviction cancels a connection's token.
    groups: [Occupants<CancellationToken>; Standing::COUNT],
}

impl ConnectionLimiter {
    /// Adds a connection from this address, as [`Standing::Unauthenticated`]. Returns `None` while [`MAX_SET_UP`] are
    /// set up.
    pub fn enter(limiter: &Rc<RefCell<Self>>, block: Block) -> Option<ConnectionPermit> {
        let mut this = limiter.borrow_mut();
        if this.groups[Standing::SetUp as usize].len() >= MAX_SET_UP {
            return None;
        }
        let evicted = CancellationToken::new();
        let number = this.add(Standing::Unauthenticated, block, evicted.clone());
        Some(ConnectionPermit {
            limiter: Rc::clone(limiter),
            number,
            block,
            standing: Standing::Unauthenticated,
            evicted,
        })
    }

    /// Adds a connection of this standing. Evicts another if its address block has reached its share, or if all places
    /// are taken.
    fn add(&mut self, standing: Standing, block: Block, evicted: CancellationToken) -> u64 {
        let group = &mut self.groups[standing as usize];
        let (most, share) = standing.bounds();
        if (group.held_by(block) >= share || group.len() >= most)
            && let Some(victim) = group.victim(block, share, |_| true)
            && let Some(evicted) = group.remove(victim)
        {
            evicted.cancel();
        }
        group.add(block, evicted)
    }
}

/// A connection's place, which is released on drop.
#[derive(Debug)]
pub struct ConnectionPermit {
    limiter: Rc<RefCell<ConnectionLimiter>>,
    number: u64,
    block: Block,
    standing: Standing,
    evicted: CancellationToken,
}

impl ConnectionPermit {
    /// Moves the connection to another standing, with its bounds.
    pub fn set_standing(&mut self, standing: Standing) {
        if standing == self.standing {
            return;
        }
        let mut limiter = self.limiter.borrow_mut();
        // An evicted connection is no longer in its group. Its new place gets a new token, so that it can be evicted
        // again.
        if limiter.groups[self.standing as usize].remove(self.number).is_none() {
            self.evicted = CancellationToken::new();
        }
        self.number = limiter.add(standing, self.block, self.evicted.clone());
        self.standing = standing;
    }

    /// Whether the connection only waits to be closed.
    pub fn is_closing(&self) -> bool {
        self.standing == Standing::Closing
    }

    /// A token that is cancelled when the connection is evicted.
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limiter.borrow_mut().groups[self.standing as usize].remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    impl ConnectionPermit {
        fn is_evicted(&self) -> bool {
            self.evicted.is_cancelled()
        }
    }

    fn block(last: u16) -> Block {
        Block::of(IpAddr::from([0x2001, 0xdb8, 0, last, 0, 0, 0, 1]))
    }

    #[test]
    fn the_oldest_of_an_address_gives_way_to_its_own_newcomers() {
        let limiter = Rc::default();
        let other = ConnectionLimiter::enter(&limiter, block(0)).unwrap();
        let (_, share) = Standing::Unauthenticated.bounds();
        let mut silent: Vec<_> =
            (0..share).map(|_| ConnectionLimiter::enter(&limiter, block(1)).unwrap()).collect();
        assert!(silent.iter().all(|one| !one.is_evicted()));
        let newcomer = ConnectionLimiter::enter(&limiter, block(1)).unwrap();
        assert!(silent[0].is_evicted() && !silent[1].is_evicted() && !newcomer.is_evicted());
        // A valid key protects a connection from those without.
        silent[1].set_standing(Standing::Authenticated);
        let more: Vec<_> =
            (0..3 * share).map(|_| ConnectionLimiter::enter(&limiter, block(1)).unwrap()).collect();
        assert!(!silent[1].is_evicted() && !other.is_evicted() && newcomer.is_evicted());
        assert_eq!(more.iter().filter(|one| !one.is_evicted()).count(), share);
    }

    #[test]
    fn where_all_places_are_taken_the_address_with_the_most_gives_way() {
        let limiter = Rc::default();
        let many: Vec<_> =
            (0..600).map(|number| ConnectionLimiter::enter(&limiter, block(number)).unwrap()).collect();
        let one: Vec<_> =
            (0..424).map(|_| ConnectionLimiter::enter(&limiter, block(1_000)).unwrap()).collect();
        let newcomer = ConnectionLimiter::enter(&limiter, block(1_001)).unwrap();
        assert!(one[0].is_evicted() && !one[1].is_evicted());
        drop(one);
        // Where each address has one place, the oldest connection is evicted.
        let more: Vec<_> =
            (2_000..2_500).map(|number| ConnectionLimiter::enter(&limiter, block(number)).unwrap()).collect();
        assert!(many[0].is_evicted() && !many[599].is_evicted());
        assert!(!newcomer.is_evicted() && more.iter().all(|one| !one.is_evicted()));
    }

    #[test]
    fn places_are_given_back() {
        let limiter = Rc::default();
        for standing in
            [Standing::Unauthenticated, Standing::Authenticated, Standing::SetUp, Standing::Closing]
        {
            let mut permit = ConnectionLimiter::enter(&limiter, block(1)).unwrap();
            permit.set_standing(standing);
            assert_eq!(limiter.borrow().groups[standing as usize].held_by(block(1)), 1);
            drop(permit);
        }
        let limiter = limiter.borrow();
        assert!(limiter.groups.iter().all(|group| group.len() == 0 && group.held_by(block(1)) == 0));
    }

    #[test]
    fn one_that_is_set_up_is_not_evicted_and_bounds_the_newcomers() {
        let limiter = Rc::default();
        let set_up: Vec<_> = (0..MAX_SET_UP)
            .map(|_| {
                let mut permit = ConnectionLimiter::enter(&limiter, block(1)).unwrap();
                permit.set_standing(Standing::SetUp);
                permit
            })
            .collect();
        assert!(ConnectionLimiter::enter(&limiter, block(2)).is_none());
        assert!(set_up.iter().all(|one| !one.is_evicted()));
    }
}
