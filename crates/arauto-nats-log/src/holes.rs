//! [`Holes`]: the positions whose messages are fetched by number. Without IO.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// Most messages that are being fetched at a time.
pub const MAX_UNDER_WAY: usize = 64;

/// From a request that is not answered to the time at which its place is free again.
const FETCH_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a message is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The program has asked for it.
    Program,
    /// A suspect message claims to stand there. The position may be anything, so that no message stands there means nothing.
    Suspect,
}

/// The positions that are to be fetched, and those that are being fetched.
#[derive(Debug, Default)]
pub struct Holes {
    wanted: Option<RangeInclusive<u64>>,
    under_way: BTreeMap<u64, (Origin, Instant)>,
}

impl Holes {
    /// Has the messages at these positions fetched. Positions wanted before that are not being fetched are forgotten: the
    /// program asks for the lowest position that it lacks.
    pub fn want(&mut self, positions: RangeInclusive<u64>) {
        self.wanted = (!positions.is_empty()).then_some(positions);
    }

    /// Notes that a suspect message claims this position. Returns whether it is to be fetched now.
    pub fn suspect(&mut self, position: u64, now: Instant) -> bool {
        self.drop_overdue(now);
        let is_new = self.under_way.len() < MAX_UNDER_WAY && !self.under_way.contains_key(&position);
        if is_new {
            self.under_way.insert(position, (Origin::Suspect, now));
        }
        is_new
    }

    /// The next position to fetch, if fewer than [`MAX_UNDER_WAY`] are being fetched.
    pub fn next(&mut self, now: Instant) -> Option<u64> {
        self.drop_overdue(now);
        let wanted = self.wanted.as_mut()?;
        while self.under_way.len() < MAX_UNDER_WAY {
            let Some(position) = wanted.next() else {
                self.wanted = None;
                return None;
            };
            if let Some((origin, _)) = self.under_way.get_mut(&position) {
                *origin = Origin::Program;
            } else {
                self.under_way.insert(position, (Origin::Program, now));
                return Some(position);
            }
        }
        None
    }

    /// Whether the message at this position is being fetched.
    pub fn is_under_way(&self, position: u64) -> bool {
        self.under_way.contains_key(&position)
    }

    /// Ends fetching this position. Returns whether the program had asked for it.
    pub fn end(&mut self, position: u64) -> bool {
        matches!(self.under_way.remove(&position), Some((Origin::Program, _)))
    }

    /// Forgets what is wanted after this position, the newest of the log.
    pub fn end_after(&mut self, last: u64) {
        let wanted = self.wanted.take();
        self.wanted = wanted
            .map(|wanted| *wanted.start()..=last.min(*wanted.end()))
            .filter(|wanted| !wanted.is_empty());
        self.under_way.retain(|position, _| *position <= last);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn drop_overdue(&mut self, now: Instant) {
        self.under_way.retain(|_, (_, since)| now < *since + FETCH_TIMEOUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(holes: &mut Holes, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| holes.next(now)).collect()
    }

    #[test]
    fn at_most_64_are_under_way_and_each_end_makes_room_for_one() {
        let (mut holes, now) = (Holes::default(), Instant::now());
        holes.want(5..=100);
        assert_eq!(all(&mut holes, now), (5..=68).collect::<Vec<_>>());
        assert!(holes.end(5) && !holes.end(5));
        assert_eq!(all(&mut holes, now), [69]);
        // Asked for again, what is under way is not fetched twice; what was not answered is.
        holes.want(6..=7);
        assert_eq!(all(&mut holes, now), Vec::<u64>::new());
        holes.want(6..=7);
        assert_eq!(all(&mut holes, now + FETCH_TIMEOUT), [6, 7]);
        holes.clear();
        assert!(!holes.is_under_way(6));
        holes.want(RangeInclusive::new(7, 6));
        assert_eq!(all(&mut holes, now), Vec::<u64>::new());
    }

    #[test]
    fn what_is_not_there_yet_is_not_fetched_further() {
        let (mut holes, now) = (Holes::default(), Instant::now());
        holes.want(1..=u64::MAX);
        assert_eq!(all(&mut holes, now).len(), MAX_UNDER_WAY);
        holes.end_after(10);
        assert!(holes.is_under_way(10) && !holes.is_under_way(11));
        assert_eq!(all(&mut holes, now), Vec::<u64>::new());
        holes.want(9..=20);
        holes.end_after(12);
        assert_eq!(all(&mut holes, now), [11, 12]);
    }

    #[test]
    fn what_only_a_suspect_message_claims_is_not_what_the_program_asked_for() {
        let (mut holes, now) = (Holes::default(), Instant::now());
        assert!(holes.suspect(7, now) && !holes.suspect(7, now));
        assert!(!holes.end(7));
        assert!(holes.suspect(8, now));
        holes.want(8..=8);
        assert_eq!(all(&mut holes, now), Vec::<u64>::new());
        assert!(holes.end(8), "the program asked for it as well");
        for position in 1..=64 {
            assert!(holes.suspect(position, now));
        }
        assert!(!holes.suspect(65, now));
        assert!(holes.suspect(65, now + FETCH_TIMEOUT));
    }
}
