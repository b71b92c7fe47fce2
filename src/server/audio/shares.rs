//! [`Shares`]: counts the listeners of each address, over all streams. Without IO.

use std::{collections::HashMap, net::IpAddr, rc::Rc};

use crate::server::common::block::Block;

/// Number of addresses from which on those without listeners are removed.
const MIN_SWEPT: usize = 1_024;

/// The origin of a request to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The IP address of the connection's other end.
    pub ip: IpAddr,
    /// Whether the connection stays within this machine. It is a local user's or a proxy's, whose clients all share its
    /// address.
    pub is_on_this_machine: bool,
}

/// Counts a listener for its address until it is dropped.
#[derive(Debug)]
pub struct Share(#[expect(dead_code, reason = "it counts by being there")] Rc<()>);

/// The listeners of each address; an IPv6 network of 64 bits counts as one address. Each listener holds a clone of its
/// address's value.
#[derive(Debug, Default)]
pub struct Shares(HashMap<Block, Rc<()>>);

impl Shares {
    /// Counts one more listener from this address. Returns `None` if there are `most` already.
    pub fn hold(&mut self, ip: IpAddr, most: usize) -> Option<Share> {
        if self.0.len() >= MIN_SWEPT {
            self.0.retain(|_, holders| Rc::strong_count(holders) > 1);
        }
        let holders = self.0.entry(Block::of(ip)).or_default();
        (Rc::strong_count(holders) <= most).then(|| Share(Rc::clone(holders)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_places_of_its_own() {
        let mut shares = Shares::default();
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let first = shares.hold(one, 2).unwrap();
        let _second = shares.hold(neighbour, 2).unwrap();
        assert!(shares.hold(one, 2).is_none());
        assert!(shares.hold(other, 2).is_some());
        drop(first);
        assert!(shares.hold(one, 2).is_some());
    }

    #[test]
    fn addresses_without_listeners_are_forgotten() {
        let mut shares = Shares::default();
        let kept = shares.hold(IpAddr::from([198, 51, 100, 1]), 1);
        for number in 0..10 * MIN_SWEPT {
            let [.., high, low] = number.to_be_bytes();
            assert!(shares.hold(IpAddr::from([192, 0, high, low]), 1).is_some());
        }
        assert!(kept.is_some() && shares.0.len() <= MIN_SWEPT);
        assert!(shares.hold(IpAddr::from([198, 51, 100, 1]), 1).is_none());
    }
}
