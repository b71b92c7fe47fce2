//! [`Liveness`]: which other nodes are to be given up.
//!
//! A node is given up if it appends nothing that counts for [`Timing::reap`]. Only time in which the log is seen to live
//! counts: while it stands still, nobody can be heard.

use std::{collections::BTreeMap, time::Duration};

use crate::{frame::Instance, instances::Instances, node::timing::Timing};

/// The number of the newest frame of each node, and when it was read.
#[derive(Debug, Default)]
pub struct Liveness(BTreeMap<Instance, (u64, Duration)>);

impl Liveness {
    /// Notes what the state says now.
    pub fn note(&mut self, instances: &Instances, now: Duration) {
        self.0.retain(|instance, _| instances.get(*instance).is_some());
        for (instance, participant) in instances.iter() {
            let heard = self.0.entry(instance).or_insert((participant.number, now));
            if heard.0 != participant.number {
                *heard = (participant.number, now);
            }
        }
    }

    /// Begins all times anew, because nobody could be heard meanwhile.
    pub fn restart(&mut self, now: Duration) {
        for (_, at) in self.0.values_mut() {
            *at = now;
        }
    }

    /// The nodes to give up, each with the number of its newest frame.
    pub fn lost(&self, own: Instance, timing: &Timing, now: Duration) -> Vec<(Instance, u64)> {
        let others = self.0.iter().filter(|(instance, _)| **instance != own);
        let lost = others.filter(|(_, (_, at))| now >= *at + timing.reap);
        lost.map(|(instance, (number, _))| (*instance, *number)).collect()
    }

    /// When the next node may have to be given up.
    pub fn deadline(&self, own: Instance, timing: &Timing) -> Option<Duration> {
        let others = self.0.iter().filter(|(instance, _)| **instance != own);
        others.map(|(_, (_, at))| *at + timing.reap).min()
    }
}
