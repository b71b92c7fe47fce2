//! [`Attempts`]: how often passwords were tried from where, so that nobody can try them all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// How many wrong passwords an address may give within [`WINDOW`].
pub const MOST_WRONG: u32 = 10;

/// How long an address's wrong passwords are remembered, counted from the first.
pub const WINDOW: Duration = Duration::from_mins(10);

/// How many addresses are remembered; about 64 bytes each. Past it the one that is forgotten soonest goes first.
const MOST_ADDRESSES: usize = 4096;

/// Tries of each address, in a table that does not grow without bound.
#[derive(Debug, Default)]
pub struct Attempts {
    addresses: HashMap<Origin, Tries>,
}

/// Where tries come from: an IPv4 address, or the 64 bits of an IPv6 address that a customer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    forgotten: Instant,
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into()),
        }
    }
}

impl Attempts {
    /// Counts a try before it is made, so that many at once are no way around.
    ///
    /// # Errors
    /// If there were too many: how long until the next.
    pub fn begin(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let origin = Origin::of(address);
        self.addresses.retain(|_, tries| tries.forgotten > now);
        if self.addresses.len() >= MOST_ADDRESSES && !self.addresses.contains_key(&origin) {
            let soonest = self.addresses.iter().min_by_key(|(_, tries)| tries.forgotten);
            if let Some(origin) = soonest.map(|(origin, _)| *origin) {
                self.addresses.remove(&origin);
            }
        }
        let tries = self.addresses.entry(origin).or_insert(Tries { count: 0, forgotten: now + WINDOW });
        if tries.count >= MOST_WRONG {
            return Err(tries.forgotten - now);
        }
        tries.count += 1;
        Ok(())
    }

    /// The try was right, or could not be made: it does not count. The others do, or whoever has one account could try
    /// for the next for ever.
    pub fn forgive(&mut self, address: IpAddr) {
        if let Some(tries) = self.addresses.get_mut(&Origin::of(address)) {
            tries.count = tries.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::V4((0xc000_0200 + last).into())
    }

    #[test]
    fn so_many_are_let_through_and_after_a_while_again() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for _ in 0..MOST_WRONG {
            assert_eq!(attempts.begin(address(1), start), Ok(()));
        }
        let later = start + Duration::from_mins(1);
        assert_eq!(attempts.begin(address(1), later), Err(Duration::from_mins(9)));
        assert_eq!(attempts.begin(address(2), later), Ok(()));
        assert_eq!(attempts.begin(address(1), start + WINDOW), Ok(()));
    }

    #[test]
    fn what_was_right_does_not_count_and_wipes_nothing_out() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 1..MOST_WRONG {
            assert_eq!(attempts.begin(address(1), now), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(attempts.begin(address(1), now), Ok(()));
            attempts.forgive(address(1));
        }
        assert_eq!(attempts.begin(address(1), now), Ok(()));
        assert!(attempts.begin(address(1), now).is_err());
    }

    #[test]
    fn the_addresses_of_one_customer_are_one() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for host in 0..u128::from(MOST_WRONG) {
            let v6 = 0x2001_0db8_0000_0001_u128 << 64 | host;
            assert_eq!(attempts.begin(Ipv6Addr::from_bits(v6).into(), now), Ok(()));
        }
        assert!(attempts.begin("2001:db8:0:1::ffff".parse().unwrap(), now).is_err());
        assert_eq!(attempts.begin("2001:db8:0:2::1".parse().unwrap(), now), Ok(()));
        // IPv4 in IPv6 clothes is IPv4.
        for _ in 0..MOST_WRONG {
            assert_eq!(attempts.begin("::ffff:192.0.2.1".parse().unwrap(), now), Ok(()));
        }
        assert!(attempts.begin(address(1), now).is_err());
    }

    #[test]
    fn the_table_does_not_grow_and_the_newest_stay() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for number in 0..2 * u32::try_from(MOST_ADDRESSES).unwrap() {
            let now = start + Duration::from_millis(number.into());
            assert_eq!(attempts.begin(address(number), now), Ok(()));
            assert!(attempts.addresses.len() <= MOST_ADDRESSES);
        }
        assert!(attempts.addresses.contains_key(&Origin::of(address(2 * 4096 - 1))));
        assert!(!attempts.addresses.contains_key(&Origin::of(address(0))));
        assert_eq!(attempts.begin(address(9), start + 2 * WINDOW), Ok(()));
        assert_eq!(attempts.addresses.len(), 1);
    }
}
