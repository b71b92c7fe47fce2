//! [`Liveness`]: which other nodes are to be given up.
//!
//! A node is given up if it appends nothing that counts for [`Timing::reap`], or if it carries out nothing for that time
//! although it appends. Only time in which the log is seen to live counts: while it stands still, nobody can be heard.

use std::{collections::BTreeMap, time::Duration};

use crate::{frame::Instance, instances::Instances, node::timing::Timing};

/// The newest sign of life of a node.
#[derive(Debug)]
struct Heard {
    /// The number of its newest frame.
    number: u64,
    /// When that was read.
    at: Duration,
    /// The position up to which it has carried out the log.
    position: u64,
    /// When that was first read.
    advanced_at: Duration,
}

/// The newest sign of life of each node.
#[derive(Debug, Default)]
pub struct Liveness(BTreeMap<Instance, Heard>);

impl Liveness {
    /// Notes what the state says now.
    pub fn note(&mut self, instances: &Instances, now: Duration) {
        self.0.retain(|instance, _| instances.get(*instance).is_some());
        for (instance, participant) in instances.iter() {
            let (number, position) = (participant.number, participant.position);
            let heard =
                self.0.entry(instance).or_insert(Heard { number, at: now, position, advanced_at: now });
            if heard.number != number {
                (heard.number, heard.at) = (number, now);
            }
            // A node that joins has carried out nothing yet.
            if heard.position != position || !participant.is_ready {
                (heard.position, heard.advanced_at) = (position, now);
            }
        }
    }

    /// Begins all times anew, because nobody could be heard meanwhile.
    pub fn restart(&mut self, now: Duration) {
        for heard in self.0.values_mut() {
            (heard.at, heard.advanced_at) = (now, now);
        }
    }

    /// Begins the times of one node anew.
    pub fn restart_of(&mut self, instance: Instance, now: Duration) {
        if let Some(heard) = self.0.get_mut(&instance) {
            (heard.at, heard.advanced_at) = (now, now);
        }
    }

    /// The nodes to give up, each with the number of its newest frame.
    pub fn lost(&self, own: Instance, timing: &Timing, now: Duration) -> Vec<(Instance, u64)> {
        let is_lost = |heard: &Heard| {
            // A `Reap` is void if its target appends first, so it is sent soon after the target's newest frame.
            let is_stuck = now >= heard.advanced_at + timing.reap && now < heard.at + timing.beat / 2;
            now >= heard.at + timing.reap || is_stuck
        };
        let lost = self.0.iter().filter(|(instance, heard)| **instance != own && is_lost(heard));
        lost.map(|(instance, heard)| (*instance, heard.number)).collect()
    }

    /// Whether a node was heard within this time.
    pub fn is_heard(&self, instance: Instance, within: Duration, now: Duration) -> bool {
        self.0.get(&instance).is_some_and(|heard| now < heard.at + within)
    }

    /// When the next node may have to be given up.
    pub fn deadline(&self, own: Instance, timing: &Timing) -> Option<Duration> {
        let others = self.0.iter().filter(|(instance, _)| **instance != own);
        others.map(|(_, heard)| heard.at + timing.reap).min()
    }
}
