//! [`Failures`]: counts wrong passwords per address or per account, to stop guessing.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

use arauto_protocol::{NameKey, network::Block};

/// Wrong passwords after which an address is refused until [`WINDOW`] is over.
pub const MAX_WRONG_PER_ADDRESS: usize = 10;

/// Wrong passwords for one account, from all addresses together, after which the account accepts only addresses that
/// gave its password before, until [`WINDOW`] is over. NIST SP 800-63B (revision 3, section 5.2.2) allows at most 100
/// in a row.
pub const MAX_WRONG_PER_ACCOUNT: usize = 100;

/// Time for which wrong passwords are counted, from the first of them.
pub const WINDOW: Duration = Duration::from_mins(10);

/// Most entries of a table, at about 100 bytes each. If it is full, the entry that expires first is dropped.
const MAX_ENTRIES: usize = 4096;

/// The origin of a password: limits and turns are applied per origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOrigin {
    /// The addresses of one customer. The loopback addresses are apart from others of their block.
    Address {
        /// The block of the client's address.
        block: Block,
        /// The address is a loopback address, which means the server's own machine.
        is_loopback: bool,
    },
    /// A proxy on this machine, for this account. All clients of a proxy have its address, so a limit by address would
    /// let one of them lock the others out of their accounts.
    Proxied(NameKey),
}

impl AttemptOrigin {
    /// The origin of a client that connects directly.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::Address { block: Block::of(address), is_loopback: address.is_loopback() }
    }

    /// Whether the origin is a loopback address, which means the server's own machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        matches!(self, Self::Address { is_loopback: true, .. })
    }
}

/// Counts of wrong passwords by key, in a table of bounded size.
#[derive(Debug)]
pub struct Failures<K> {
    limit: usize,
    counted: HashMap<K, Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    wrong: usize,
    expires: Instant,
}

impl<K: Clone + Eq + Hash> Failures<K> {
    /// An empty table that allows `limit` wrong passwords per key within [`WINDOW`].
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, counted: HashMap::new() }
    }

    /// Number of wrong passwords that this key may still give, at least 1.
    ///
    /// # Errors
    /// If none is left: the time until the key may try again.
    pub fn remaining(&self, key: &K, now: Instant) -> Result<usize, Duration> {
        match self.counted.get(key).filter(|counted| counted.expires > now) {
            None => Ok(self.limit),
            Some(Counted { wrong, expires }) if *wrong >= self.limit => Err(*expires - now),
            Some(Counted { wrong, .. }) => Ok(self.limit - wrong),
        }
    }

    /// Counts a wrong password.
    pub fn add(&mut self, key: &K, now: Instant) {
        self.counted.retain(|_, counted| counted.expires > now);
        if self.counted.len() >= MAX_ENTRIES && !self.counted.contains_key(key) {
            let first = self.counted.iter().min_by_key(|(_, counted)| counted.expires);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                self.counted.remove(&first);
            }
        }
        let fresh = Counted { wrong: 0, expires: now + WINDOW };
        self.counted.entry(key.clone()).or_insert(fresh).wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(last: u32) -> AttemptOrigin {
        AttemptOrigin::from_address(IpAddr::V4((0xc000_0200 + last).into()))
    }

    #[test]
    fn a_key_is_refused_at_its_limit_until_the_window_is_over() {
        let (mut failures, start) = (Failures::new(10), Instant::now());
        for wrong in 0..10 {
            assert_eq!(failures.remaining(&origin(1), start), Ok(10 - wrong));
            failures.add(&origin(1), start);
        }
        let later = start + Duration::from_mins(1);
        assert_eq!(failures.remaining(&origin(1), later), Err(Duration::from_mins(9)));
        assert_eq!(failures.remaining(&origin(2), later), Ok(10));
        assert_eq!(failures.remaining(&origin(1), start + WINDOW), Ok(10));
    }

    #[test]
    fn the_addresses_of_one_customer_are_one() {
        let of = |text: &str| AttemptOrigin::from_address(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::ffff"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(of("::1").is_loopback() && of("127.0.0.1").is_loopback());
        assert!(!of("::2").is_loopback() && !of("192.0.2.1").is_loopback());
    }

    #[test]
    fn the_table_does_not_grow_and_the_newest_stay() {
        let (mut failures, start) = (Failures::new(10), Instant::now());
        for number in 0..2 * u32::try_from(MAX_ENTRIES).unwrap() {
            failures.add(&origin(number), start + Duration::from_millis(number.into()));
            assert!(failures.counted.len() <= MAX_ENTRIES);
        }
        assert!(failures.counted.contains_key(&origin(2 * 4096 - 1)));
        assert!(!failures.counted.contains_key(&origin(0)));
        failures.add(&origin(9), start + 2 * WINDOW);
        assert_eq!(failures.counted.len(), 1);
    }
}
