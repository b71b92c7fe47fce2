//! [`Occupants`]: connections that hold one of a bounded number of places, and which of them gives way to a newcomer.
//! No IO.

use std::collections::{BTreeMap, HashMap};

use crate::server::common::block::Block;

/// The holders of places, each with the address block that its place counts for and a value of the caller's.
#[derive(Debug)]
pub struct Occupants<T> {
    /// Numbers grow, so the first entry is the oldest.
    members: BTreeMap<u64, (Block, T)>,
    held: HashMap<Block, usize>,
    last: u64,
}

impl<T> Default for Occupants<T> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), held: HashMap::new(), last: 0 }
    }
}

impl<T> Occupants<T> {
    /// Adds an occupant. Returns its number, which [`Self::remove`] takes.
    pub fn add(&mut self, block: Block, value: T) -> u64 {
        self.last += 1;
        *self.held.entry(block).or_default() += 1;
        self.members.insert(self.last, (block, value));
        self.last
    }

    /// Removes an occupant. `None` if it was removed before.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (block, value) = self.members.remove(&number)?;
        if let Some(held) = self.held.get_mut(&block) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&block);
            }
        }
        Some(value)
    }

    /// Removes every occupant for which `is_kept` is false.
    pub fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        let gone = self.members.iter().filter(|(_, (_, value))| !is_kept(value)).map(|(number, _)| *number);
        for number in gone.collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    /// The number of places that are taken.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The number of places that this address block holds.
    pub fn held_by(&self, block: Block) -> usize {
        self.held.get(&block).copied().unwrap_or_default()
    }

    /// Returns the number of the occupant that gives way to a newcomer from `newcomer`: the oldest idle one of the
    /// block that holds most places. If the newcomer's block holds `share` places, or no fewer than any other block,
    /// one of its own gives way.
    ///
    /// A busy occupant gives way only if its block holds at least two places more than the newcomer's, so that a block
    /// cannot keep its places by staying busy. `None` if no occupant gives way.
    pub fn victim(&self, newcomer: Block, share: usize, is_idle: impl Fn(&T) -> bool) -> Option<u64> {
        let own = self.held_by(newcomer);
        let most = self.held.values().copied().max()?;
        let gives_way = |block| {
            if own >= share.min(most) { block == newcomer } else { self.held_by(block) == most }
        };
        let oldest = |may: &dyn Fn(&T) -> bool| {
            let mut members = self.members.iter();
            members.find(|(_, (block, value))| gives_way(*block) && may(value)).map(|(number, _)| *number)
        };
        oldest(&is_idle).or_else(|| if most > own + 1 { oldest(&|_| true) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn block(last: u8) -> Block {
        Block::of(IpAddr::from([192, 0, 2, last]))
    }

    /// Occupants from these blocks, oldest first, each with whether it is idle.
    fn occupants(of: &[(u8, bool)]) -> Occupants<bool> {
        let mut occupants = Occupants::default();
        for (last, is_idle) in of {
            occupants.add(block(*last), *is_idle);
        }
        occupants
    }

    #[test]
    fn the_oldest_idle_one_of_the_block_that_holds_most_gives_way() {
        let (idle, busy) = (true, false);
        for (of, newcomer, share, victim) in [
            (&[(1, idle), (2, idle), (2, idle)][..], 3, 9, Some(2)),
            (&[(1, idle), (2, busy), (2, idle)], 3, 9, Some(3)),
            // All of the largest block are busy, and it holds two more than the newcomer's.
            (&[(1, idle), (2, busy), (2, busy)], 3, 9, Some(2)),
            (&[(1, idle), (2, busy), (2, busy)], 1, 9, None),
            // The newcomer's own block holds most, as much as another, or its share.
            (&[(1, idle), (2, idle), (2, idle)], 2, 9, Some(2)),
            (&[(1, idle), (2, idle)], 2, 9, Some(2)),
            (&[(1, idle), (1, idle), (2, idle)], 2, 1, Some(3)),
            (&[(1, idle), (2, busy), (2, busy)], 2, 9, None),
            // Each block holds one place: the oldest.
            (&[(1, idle), (2, idle)], 3, 9, Some(1)),
            (&[(1, busy), (2, busy)], 3, 9, None),
            (&[], 1, 9, None),
        ] {
            let found = occupants(of).victim(block(newcomer), share, |is_idle| *is_idle);
            assert_eq!(found, victim, "{of:?}, {newcomer}");
        }
    }

    #[test]
    fn places_are_counted_by_block() {
        let mut occupants = occupants(&[(1, true), (2, false), (2, true)]);
        assert_eq!((occupants.len(), occupants.held_by(block(2))), (3, 2));
        occupants.retain(|is_idle| *is_idle);
        assert_eq!((occupants.len(), occupants.held_by(block(2))), (2, 1));
        assert_eq!((occupants.remove(3), occupants.remove(3)), (Some(true), None));
        assert_eq!((occupants.len(), occupants.held_by(block(2)), occupants.held.len()), (1, 0, 1));
    }
}
