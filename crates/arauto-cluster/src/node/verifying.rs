//! The actions of a node if nodes have read or judged the log differently, or if the log's server may have lost messages.
//!
//! The log's leader says what is true. A node that has read something else begins again. If two nodes have both read what
//! the leader has, and their tables differ still, one of them judges wrongly: nodes that agree with more than half of all
//! give up the others, and the others begin again. Until that is decided, a node holds, and disconnects nobody.

use serde::{Serialize, de::DeserializeOwned};

use super::{Action, Node, Now, Reason, Stage, verification::Compared};
use crate::{
    frame::{Entry, Instance},
    node_name::NodeName,
    table::Table,
};

impl<E: Serialize + DeserializeOwned> Node<E> {
    /// The answer to [`Action::Verify`] for one position: the message that the log's leader has there, or none.
    pub fn verified(
        &mut self,
        position: u64,
        stored: Option<(&NodeName, &[u8])>,
        now: Now,
        table: &impl Table<Entry = E>,
    ) {
        let is_lost = stored.is_none() && self.window.acknowledged() == Some(position);
        let differs = match self.verification.compare(position, stored, now.boot) {
            Compared::NotAsked => false,
            Compared::Same => is_lost,
            Compared::Different => true,
        };
        if differs && self.has_state() {
            self.begin_again(Some(Reason::Differs), now);
        }
        self.tick(now, table);
    }

    /// Whether it is open which of the nodes that differ is right.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.verification.doubt().is_some()
    }

    /// Has the leader compare the newest message that this node has read, and this node's frame that was acknowledged and
    /// has not come back: the log's server may have lost them.
    pub(super) fn verify_newest(&mut self, now: Now) {
        if !self.has_state() {
            return;
        }
        let newest = self.state.position();
        self.verification.ask(newest..=newest, now.boot);
        if let Some(acknowledged) = self.window.acknowledged().filter(|position| *position > newest) {
            self.verification.ask(acknowledged..=acknowledged, now.boot);
        }
    }

    /// Compares a message that has come with the one that was read at its position. Another message there is a sign that
    /// the log was changed.
    pub(super) fn compare_with_read(&mut self, position: u64, node: &NodeName, bytes: &[u8], now: Now) {
        if self.has_state() && self.verification.contradicts(position, node, bytes) {
            self.verification.ask(position..=position, now.boot);
        }
    }

    /// Another node has read or judged something up to this position otherwise than this one.
    pub(super) fn heed_difference(&mut self, instance: Instance, position: u64, now: Now) {
        if instance == self.instance || !self.has_state() {
            return;
        }
        if self.verification.note_difference(instance, now.boot) {
            self.hold();
            let last = position.min(self.state.position());
            self.verification.ask(self.state.agreed_with(instance) + 1..=last, now.boot);
        } else if !self.is_in_doubt()
            && let Some(other) = self.state.instances().get(instance)
        {
            // This node was proven right, and the other one lives on.
            self.window.push(Entry::Reap(instance, other.number));
        }
    }

    /// Decides which of the nodes that differ are right, once that can be known.
    pub(super) fn judge_differences(&mut self, now: Now) {
        let instances = self.state.instances();
        self.verification
            .retain_differing(|instance| instances.get(instance).is_some_and(|other| other.is_ready));
        let Some(doubt) = self.verification.doubt() else { return };
        if self.verification.is_asking() {
            if now.boot >= doubt + self.config.timing.patience {
                self.begin_again(Some(Reason::Differs), now);
            }
            return;
        }
        // Nodes that were told something else begin again meanwhile, and are heard no more.
        let proven = self.verification.note_proven(now.boot);
        if now.boot < proven + 2 * self.config.timing.beat {
            return;
        }
        if self.is_with_most(now) {
            self.verification.end_doubt();
            self.release(now);
        } else {
            self.begin_again(Some(Reason::Differs), now);
        }
    }

    /// Whether more than half of the nodes that are heard agree with this one, which is one of them. Of two halves, that of
    /// the node which joined first counts as more.
    fn is_with_most(&self, now: Now) -> bool {
        let agrees = |instance| !self.verification.is_differing(instance);
        let within = self.config.timing.beat * 3 / 2;
        let is_heard = |instance| self.liveness.is_heard(instance, within, now.boot);
        let mut heard: Vec<(u64, Instance)> = self
            .state
            .instances()
            .iter()
            .filter(|(instance, other)| other.is_ready && (*instance == self.instance || is_heard(*instance)))
            .map(|(instance, other)| (other.joined, instance))
            .collect();
        heard.sort_unstable();
        let agreeing = heard.iter().filter(|(_, instance)| agrees(*instance)).count();
        let is_first_with_this = heard.first().is_some_and(|(_, first)| agrees(*first));
        2 * agreeing > heard.len() || 2 * agreeing == heard.len() && is_first_with_this
    }

    /// Asks the leader for what is to be compared.
    pub(super) fn verify(&mut self, now: Now) {
        let positions = self.verification.due(now.boot, self.config.timing.resend);
        self.actions.extend(positions.map(Action::Verify));
    }

    /// Reads nothing more from clients.
    pub(super) fn hold(&mut self) {
        if let Stage::Ready { holds, .. } = &mut self.stage
            && !std::mem::replace(holds, true)
        {
            self.actions.push(Action::Hold);
        }
    }

    /// Reads from clients again, or lets them in again, if nothing speaks against it any more.
    pub(super) fn release(&mut self, now: Now) {
        let is_in_touch = now.boot.saturating_sub(self.ok) < self.config.timing.hold && !self.is_in_doubt();
        if let Stage::Ready { serves, holds } = &mut self.stage
            && is_in_touch
        {
            if std::mem::take(holds) && *serves {
                self.actions.push(Action::GoOn);
            }
            if !std::mem::replace(serves, true) {
                self.actions.push(Action::Serve);
            }
        }
    }
}
