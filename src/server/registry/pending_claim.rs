//! [`PendingClaims`]: sessions that want a name whose bearer's connection may be dead.
//!
//! The bearer is probed while they wait. If it leaves, all waiting sessions ask again in the order in which they came.
//! The first one gets the name, and the requests that it sent meanwhile run. From then on, the others that want this
//! name wait for the first one.
//!
//! A waiting session is filed under the bearer, not under a name: a bearer also blocks names that differ from its own
//! and only look like it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::server::{
    common::session_ref::{SessionId, SessionRef},
    messages::{Enter, Work},
};

/// Maximum number of sessions that wait for one bearer. A client that tries again makes more than one; a large number
/// is an attack on memory.
const MAX_PER_BEARER: usize = 8;

/// A session that waits for a name.
#[derive(Debug)]
pub struct PendingClaim {
    /// Its request for the name.
    pub enter: Enter,
    /// Requests that it sent since; bounded by the session's credit.
    pub works: Vec<Work>,
    /// The bearer's server is known to have lived since the request. At a single server, it always is.
    pub is_heard: bool,
}

/// All waiting sessions.
#[derive(Debug, Default)]
pub struct PendingClaims {
    /// Each waiting session, with the bearer that it waits for.
    waiting: HashMap<SessionId, (SessionId, PendingClaim)>,
    /// The sessions that wait for each bearer, in the order in which they asked.
    queues: HashMap<SessionId, VecDeque<SessionId>>,
}

impl PendingClaims {
    /// Makes a session wait for this bearer to leave.
    ///
    /// # Errors
    /// Returns the claim if [`MAX_PER_BEARER`] sessions wait for this bearer already.
    pub fn add(&mut self, claim: PendingClaim, bearer: SessionId) -> Result<(), Box<PendingClaim>> {
        let queue = self.queues.entry(bearer).or_default();
        if queue.len() == MAX_PER_BEARER {
            return Err(Box::new(claim));
        }
        let id = claim.enter.session_ref.id;
        queue.push_back(id);
        self.waiting.insert(id, (bearer, claim));
        Ok(())
    }

    /// Keeps the work of a waiting session; returns the work of any other session.
    pub fn divert(&mut self, work: Work) -> Option<Work> {
        match self.waiting.get_mut(&work.session_ref.id) {
            Some((_, claim)) => {
                claim.works.push(work);
                None
            }
            None => Some(work),
        }
    }

    /// Notes that the server of the session's bearer lives.
    pub fn set_heard(&mut self, id: SessionId) {
        if let Some((_, claim)) = self.waiting.get_mut(&id) {
            claim.is_heard = true;
        }
    }

    /// The sessions that wait for bearers of whose servers nothing was heard since, each with its bearer: for one bearer in
    /// the order in which they asked.
    pub fn unheard(&self) -> Vec<(SessionId, SessionId)> {
        let unheard = self.in_order().filter(|(_, claim)| !claim.is_heard);
        unheard.map(|(bearer, claim)| (bearer, claim.enter.session_ref.id)).collect()
    }

    /// All waiting sessions, each with the bearer that it waits for: by bearer, and in the order in which they asked.
    pub fn in_order(&self) -> impl Iterator<Item = (SessionId, &PendingClaim)> {
        let of_bearer = |(bearer, queue): (&SessionId, &VecDeque<SessionId>)| (*bearer, queue.clone());
        let queues: BTreeMap<SessionId, VecDeque<SessionId>> = self.queues.iter().map(of_bearer).collect();
        queues.into_iter().flat_map(move |(bearer, queue)| {
            queue.into_iter().filter_map(move |id| Some((bearer, &self.waiting.get(&id)?.1)))
        })
    }

    /// The bearer that a session waits for.
    pub fn bearer_of(&self, id: SessionId) -> Option<SessionId> {
        self.waiting.get(&id).map(|(bearer, _)| *bearer)
    }

    /// Treats a session as one of another server from now on: nothing is sent to it.
    pub fn detach(&mut self, id: SessionId) {
        if let Some((_, claim)) = self.waiting.get_mut(&id) {
            claim.enter.session_ref = SessionRef::elsewhere(id);
            claim.works.clear();
        }
    }

    /// Whether no session waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Removes a waiting session.
    pub fn remove(&mut self, id: SessionId) -> Option<PendingClaim> {
        let (bearer, claim) = self.waiting.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&bearer) {
            queue.retain(|waiting| *waiting != id);
            if queue.is_empty() {
                self.queues.remove(&bearer);
            }
        }
        Some(claim)
    }

    /// Removes and returns the sessions that waited for this bearer, in the order in which they asked.
    pub fn release(&mut self, bearer: SessionId) -> Vec<PendingClaim> {
        let queue = self.queues.remove(&bearer).unwrap_or_default();
        queue.iter().filter_map(|id| self.waiting.remove(id)).map(|(_, claim)| claim).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arauto_protocol::Name;

    use super::*;
    use crate::server::common::{peer::Peer, session_ref::SessionRef};

    fn claim(id: u64) -> PendingClaim {
        let session_ref = SessionRef { id: SessionId(id), courier: 0, slot: 0 };
        let name = Name::parse("alan", 489).unwrap();
        let looks = name.looks();
        PendingClaim {
            enter: Enter { session_ref, peer: Arc::new(Peer::elsewhere()), name, proven: false, looks },
            works: Vec::new(),
            is_heard: true,
        }
    }

    fn released(claims: &mut PendingClaims, bearer: u64) -> Vec<u64> {
        claims.release(SessionId(bearer)).iter().map(|claim| claim.enter.session_ref.id.0).collect()
    }

    #[test]
    fn those_who_wait_for_one_bearer_are_released_in_the_order_asked() {
        let mut claims = PendingClaims::default();
        for (id, bearer) in [(10, 1), (11, 2), (12, 1), (13, 1)] {
            assert!(claims.add(claim(id), SessionId(bearer)).is_ok());
        }
        assert!(claims.remove(SessionId(12)).is_some());
        assert_eq!(released(&mut claims, 1), [10, 13]);
        assert!(released(&mut claims, 1).is_empty());
        assert!(claims.remove(SessionId(10)).is_none());
        assert!(claims.remove(SessionId(11)).is_some());
        assert!(claims.waiting.is_empty() && claims.queues.is_empty());
    }

    #[test]
    fn no_more_than_eight_wait_for_one_bearer() {
        let mut claims = PendingClaims::default();
        for id in 10..18 {
            assert!(claims.add(claim(id), SessionId(1)).is_ok());
        }
        assert_eq!(claims.add(claim(18), SessionId(1)).unwrap_err().enter.session_ref.id, SessionId(18));
        assert!(claims.add(claim(18), SessionId(2)).is_ok());
    }
}
