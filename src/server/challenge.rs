//! [`Challenges`]: those who want a name whose bearer's connection may be dead.
//!
//! The bearer is probed meanwhile. If it leaves, all who waited for that ask again, in the order in which they came: the
//! first gets the name, and what it sent since is carried out; who wants the same name waits for the first from then on.
//! Who waits is filed under the bearer and not under a name, because a bearer can be in the way of names that are not the
//! same, but look like its own.

use std::collections::{HashMap, VecDeque};

use super::{
    messages::{Enter, Work},
    seat::SessionId,
};

/// How many may wait for one bearer. More than one is a client that tries again; many are an attack on memory.
const MOST_FOR_A_BEARER: usize = 8;

/// Someone who waits for a name.
#[derive(Debug)]
pub struct Challenge {
    /// What was asked.
    pub enter: Enter,
    /// What was sent since; bounded by the session's credit.
    pub works: Vec<Work>,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Challenges {
    /// Each with the bearer who is in its way.
    waiting: HashMap<SessionId, (SessionId, Challenge)>,
    /// For each bearer, in the order asked.
    queues: HashMap<SessionId, VecDeque<SessionId>>,
}

impl Challenges {
    /// One more waits for this bearer to leave.
    ///
    /// # Errors
    /// The same back if [`MOST_FOR_A_BEARER`] wait already.
    pub fn add(&mut self, challenge: Challenge, bearer: SessionId) -> Result<(), Box<Challenge>> {
        let queue = self.queues.entry(bearer).or_default();
        if queue.len() == MOST_FOR_A_BEARER {
            return Err(Box::new(challenge));
        }
        let id = challenge.enter.seat.id;
        queue.push_back(id);
        self.waiting.insert(id, (bearer, challenge));
        Ok(())
    }

    /// Keeps the work of someone who waits; gives back anyone else's.
    pub fn divert(&mut self, work: Work) -> Option<Work> {
        match self.waiting.get_mut(&work.seat.id) {
            Some((_, challenge)) => {
                challenge.works.push(work);
                None
            }
            None => Some(work),
        }
    }

    /// This one waits no more.
    pub fn remove(&mut self, id: SessionId) -> Option<Challenge> {
        let (bearer, challenge) = self.waiting.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&bearer) {
            queue.retain(|waiting| *waiting != id);
            if queue.is_empty() {
                self.queues.remove(&bearer);
            }
        }
        Some(challenge)
    }

    /// Those who waited for this bearer, who has left; they wait no more.
    pub fn release(&mut self, bearer: SessionId) -> Vec<Challenge> {
        let queue = self.queues.remove(&bearer).unwrap_or_default();
        queue.iter().filter_map(|id| self.waiting.remove(id)).map(|(_, challenge)| challenge).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        protocol::Name,
        server::{seat::Seat, who::Peer},
    };

    fn challenge(id: u64) -> Challenge {
        let seat = Seat { id: SessionId(id), courier: 0, slot: 0 };
        let name = Name::parse("alan", 489).unwrap();
        let looks = name.looks();
        Challenge {
            enter: Enter { seat, peer: Arc::new(Peer::elsewhere()), name, proven: false, looks },
            works: Vec::new(),
        }
    }

    fn released(challenges: &mut Challenges, bearer: u64) -> Vec<u64> {
        challenges.release(SessionId(bearer)).iter().map(|challenge| challenge.enter.seat.id.0).collect()
    }

    #[test]
    fn those_who_wait_for_one_bearer_are_released_in_the_order_asked() {
        let mut challenges = Challenges::default();
        for (id, bearer) in [(10, 1), (11, 2), (12, 1), (13, 1)] {
            assert!(challenges.add(challenge(id), SessionId(bearer)).is_ok());
        }
        assert!(challenges.remove(SessionId(12)).is_some());
        assert_eq!(released(&mut challenges, 1), [10, 13]);
        assert!(released(&mut challenges, 1).is_empty());
        assert!(challenges.remove(SessionId(10)).is_none());
        assert!(challenges.remove(SessionId(11)).is_some());
        assert!(challenges.waiting.is_empty() && challenges.queues.is_empty());
    }

    #[test]
    fn no_more_than_eight_wait_for_one_bearer() {
        let mut challenges = Challenges::default();
        for id in 10..18 {
            assert!(challenges.add(challenge(id), SessionId(1)).is_ok());
        }
        assert_eq!(challenges.add(challenge(18), SessionId(1)).unwrap_err().enter.seat.id, SessionId(18));
        assert!(challenges.add(challenge(18), SessionId(2)).is_ok());
    }
}
