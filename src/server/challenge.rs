//! [`Challenges`]: those who want a name whose bearer's connection may be dead.
//!
//! The bearer is probed meanwhile. If it leaves, the first who asked gets the name, and what it sent since is carried
//! out; if it stays, the others are refused.

use std::collections::{HashMap, VecDeque};

use super::{
    messages::{Enter, Work},
    seat::SessionId,
};
use crate::protocol::NameKey;

/// How many may wait for one name. More than one is a client that tries again; many are an attack on memory.
const MOST_FOR_A_NAME: usize = 8;

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
    waiting: HashMap<SessionId, Challenge>,
    /// For each name, in the order asked.
    queues: HashMap<NameKey, VecDeque<SessionId>>,
}

impl Challenges {
    /// One more waits.
    ///
    /// # Errors
    /// The same back if [`MOST_FOR_A_NAME`] wait already.
    pub fn add(&mut self, enter: Enter) -> Result<(), Enter> {
        let queue = self.queues.entry(enter.name.key().clone()).or_default();
        if queue.len() == MOST_FOR_A_NAME {
            return Err(enter);
        }
        queue.push_back(enter.seat.id);
        self.waiting.insert(enter.seat.id, Challenge { enter, works: Vec::new() });
        Ok(())
    }

    /// Keeps the work of someone who waits; gives back anyone else's.
    pub fn divert(&mut self, work: Work) -> Option<Work> {
        match self.waiting.get_mut(&work.seat.id) {
            Some(challenge) => {
                challenge.works.push(work);
                None
            }
            None => Some(work),
        }
    }

    /// This one waits no more.
    pub fn remove(&mut self, id: SessionId) -> Option<Challenge> {
        let challenge = self.waiting.remove(&id)?;
        let name = challenge.enter.name.key();
        if let Some(queue) = self.queues.get_mut(name) {
            queue.retain(|waiting| *waiting != id);
            if queue.is_empty() {
                self.queues.remove(name);
            }
        }
        Some(challenge)
    }

    /// Who is to have this name now that it is free.
    pub fn next_for(&mut self, name: &NameKey) -> Option<Challenge> {
        let first = *self.queues.get(name)?.front()?;
        self.remove(first)
    }
}
