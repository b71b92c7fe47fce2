//! [`Instances`]: the nodes' runs that take part in the cluster, their signs of life, and the time of an entry.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    frame::{Agreed, Instance},
    node_name::NodeName,
};

/// Instances that ended and are remembered, so that what they appended late is not taken for a newcomer's.
pub const MAX_ENDED: usize = 4_096;

/// Most instances at a time. Beyond it, a Hello is void.
pub const MAX_INSTANCES: usize = 256;

/// An instance that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The node that it is a run of.
    pub node: NodeName,
    /// The settings that it said it has.
    pub agreed: Agreed,
    /// The position of its first Hello.
    pub joined: u64,
    /// How often it has said Hello.
    pub hellos: u32,
    /// Whether it may have members.
    pub is_ready: bool,
    /// The number of its newest frame that counted.
    pub number: u64,
    /// The position of its newest frame that counted.
    pub newest: u64,
    /// The latest of its times, in milliseconds since 1970.
    pub time: u64,
    /// The time of the log at which it became ready, in milliseconds since 1970; 0 before.
    pub ready_at: u64,
    /// The position up to which it had carried out the log when it wrote its newest frame that counted.
    pub position: u64,
}

/// The instances that take part, and those that did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    present: BTreeMap<Instance, Participant>,
    /// The newest last.
    ended: VecDeque<Instance>,
}

impl Instances {
    /// The instance of this number, if it takes part.
    #[must_use]
    pub fn get(&self, instance: Instance) -> Option<&Participant> {
        self.present.get(&instance)
    }

    /// As [`Self::get`], to change it.
    pub fn get_mut(&mut self, instance: Instance) -> Option<&mut Participant> {
        self.present.get_mut(&instance)
    }

    /// All that take part, by number.
    pub fn iter(&self) -> impl Iterator<Item = (Instance, &Participant)> {
        self.present.iter().map(|(instance, participant)| (*instance, participant))
    }

    /// Whether an instance of this number may join: there is room, and there was none of its number.
    #[must_use]
    pub fn may_join(&self, instance: Instance) -> bool {
        self.present.len() < MAX_INSTANCES
            && !self.present.contains_key(&instance)
            && !self.ended.contains(&instance)
    }

    /// Adds an instance.
    pub fn join(&mut self, instance: Instance, participant: Participant) {
        self.present.insert(instance, participant);
    }

    /// Removes an instance and remembers its number. Returns whether it took part.
    pub fn end(&mut self, instance: Instance) -> bool {
        let was_present = self.present.remove(&instance).is_some();
        if was_present {
            if self.ended.len() == MAX_ENDED {
                self.ended.pop_front();
            }
            self.ended.push_back(instance);
        }
        was_present
    }

    /// Removes all instances and remembers their numbers. Returns them.
    pub fn end_all(&mut self) -> Vec<Instance> {
        let all: Vec<Instance> = self.present.keys().copied().collect();
        for instance in &all {
            self.end(*instance);
        }
        all
    }

    /// The ready instance of this node, other than `except`.
    #[must_use]
    pub fn ready_of(&self, node: &NodeName, except: Instance) -> Option<Instance> {
        let is_it = |(instance, participant): &(Instance, &Participant)| {
            *instance != except && participant.is_ready && participant.node == *node
        };
        self.iter().find(is_it).map(|(instance, _)| instance)
    }

    /// The instance that gives its state to `joiner`: the k-th ready one answers the k-th Hello, in the order in which
    /// they joined, and after the last the first again. So a donor that is stuck keeps a joiner waiting for one Hello
    /// only. Instances of the joiner's own node come last: they are dead, or the joiner will learn that its name is
    /// taken.
    #[must_use]
    pub fn donor_for(&self, joiner: Instance) -> Option<Instance> {
        let asks = self.present.get(&joiner)?;
        let mut donors: Vec<(bool, u64, Instance)> = self
            .iter()
            .filter(|(instance, donor)| donor.is_ready && *instance != joiner)
            .map(|(instance, donor)| (donor.node == asks.node, donor.joined, instance))
            .collect();
        donors.sort_unstable();
        let place = asks.hellos.checked_sub(1)? as usize;
        donors.get(place % donors.len().max(1)).map(|(.., instance)| *instance)
    }

    /// The median of the ready instances' times, the lower one of two. One wrong clock among three does not move it.
    #[must_use]
    pub fn time(&self) -> Option<u64> {
        let ready = self.present.values().filter(|participant| participant.is_ready);
        let mut times: Vec<u64> = ready.map(|participant| participant.time).collect();
        times.sort_unstable();
        times.get(times.len().checked_sub(1)? / 2).copied()
    }
}
