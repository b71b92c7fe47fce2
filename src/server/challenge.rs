//! [`Challenges`]: those who want a name whose bearer's connection may be dead.
//!
//! The bearer is probed meanwhile. If it leaves, the first who asked gets the name, and what it sent since is carried
//! out; if it stays, the others are refused.

use super::{
    messages::{Enter, Work},
    seat::SessionId,
};
use crate::protocol::NameKey;

/// Someone who waits for a name.
#[derive(Debug)]
pub struct Challenge {
    /// What was asked.
    pub enter: Enter,
    /// What was sent since; bounded by the session's credit.
    pub works: Vec<Work>,
}

/// All who wait, in the order they asked.
#[derive(Debug, Default)]
pub struct Challenges(Vec<Challenge>);

impl Challenges {
    /// One more waits.
    pub fn add(&mut self, enter: Enter) {
        self.0.push(Challenge { enter, works: Vec::new() });
    }

    /// Keeps the work of someone who waits; gives back anyone else's.
    pub fn hold(&mut self, work: Work) -> Option<Work> {
        match self.0.iter_mut().find(|challenge| challenge.enter.seat.id == work.seat.id) {
            Some(challenge) => {
                challenge.works.push(work);
                None
            }
            None => Some(work),
        }
    }

    /// This one waits no more.
    pub fn remove(&mut self, id: SessionId) -> Option<Challenge> {
        let place = self.0.iter().position(|challenge| challenge.enter.seat.id == id)?;
        Some(self.0.remove(place))
    }

    /// Who is to have this name now that it is free.
    pub fn next_for(&mut self, name: &NameKey) -> Option<Challenge> {
        let place = self.0.iter().position(|challenge| challenge.enter.name.key() == name)?;
        Some(self.0.remove(place))
    }
}
