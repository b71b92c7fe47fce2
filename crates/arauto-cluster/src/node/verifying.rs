//! The actions of a node if nodes have read or judged the log differently, or if the log's server may have lost messages.
//!
//! The leader's copy of the log is authoritative. A node that has read something else begins again. If two nodes have both read what
//! the leader has, and their tables differ still, one of them judges wrongly: nodes that agree with more than half of those
//! that are heard give up the others, and the others begin again. Until that is decided, a node holds, and disconnects
//! nobody.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Action, Node, Now, Reason, Stage,
    verification::{Compared, Doubt, Stored},
};
use crate::{
    frame::{Entry, Instance},
    node_name::NodeName,
    table::Table,
};

/// Time after which a difference is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_mins(10);

/// How often the pause before joining again doubles.
const MAX_PAUSE_DOUBLINGS: u32 = 6;

impl<E: Serialize + DeserializeOwned> Node<E> {
    /// The answer to [`Action::Verify`] for one position.
    pub fn verified(&mut self, position: u64, stored: Stored<'_>, now: Now, table: &impl Table<Entry = E>) {
        let compared = self.verification.compare(position, stored);
        if self.has_state() {
            match (compared, stored) {
                (Compared::Different, _) => self.begin_again_from(position, now),
                (Compared::Same, Stored::Message(node, bytes)) => {
                    let acknowledged = self.window.acknowledged_at(position);
                    if acknowledged.is_some_and(|frame| *node != self.config.name || bytes != frame) {
                        self.window.doubt_acknowledgement(now);
                    }
                }
                (Compared::Absent, _) => self.heed_absence(position, now),
                (Compared::NotAsked | Compared::Same, _) => {}
            }
        }
        self.tick(now, table);
    }

    /// The leader says that it has no message at this position.
    fn heed_absence(&mut self, position: u64, now: Now) {
        match self.window.acknowledged() {
            Some(acknowledged) if acknowledged == position => self.window.doubt_acknowledgement(now),
            // The log goes on before what this node has read.
            Some(acknowledged) if acknowledged < position => self.begin_again_from(position, now),
            _ => self.verification.note_absent(position),
        }
    }

    /// The log has taken a frame of this node at this position, which shows whether a message that the leader says it lacks
    /// is gone. A leader that has been replaced without knowing it takes no frame.
    pub(super) fn judge_absence(&mut self, position: u64, now: Now) {
        match self.verification.take_absent() {
            Some(absent) if position <= absent => self.begin_again_from(absent, now),
            Some(absent) => self.verification.ask(absent),
            None => {}
        }
    }

    /// Begins again, because the log has not what this node has read at this position.
    fn begin_again_from(&mut self, position: u64, now: Now) {
        if let Some(read_at) = self.verification.read_at(position) {
            // What stands there was sent at most a moment before it was read.
            self.ok = self.ok.min(read_at.saturating_sub(self.config.timing.beat));
        }
        self.begin_again(Some(Reason::Differs), now);
    }

    /// Whether a disagreement with another node is not settled.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.verification.doubt().is_some()
    }

    /// Has the leader compare the newest message that this node has read, and this node's frame that was acknowledged and
    /// has not come back: the log's server may have lost them.
    pub(super) fn verify_newest(&mut self) {
        if self.has_state() {
            self.verification.ask(self.state.position());
            if let Some(acknowledged) = self.window.acknowledged() {
                self.verification.ask(acknowledged);
            }
        }
    }

    /// Compares a message that has come with the one that was read at its position. Another message there is a sign that
    /// the log was changed.
    pub(super) fn compare_with_read(&mut self, position: u64, node: &NodeName, bytes: &[u8]) {
        if self.has_state() && self.verification.contradicts(position, node, bytes) {
            self.verification.ask(position);
        }
    }

    /// Another node has read or judged something up to this position otherwise than this one.
    pub(super) fn heed_difference(&mut self, instance: Instance, position: u64, now: Now) {
        let Some(other) = self.state.instances().get(instance) else { return };
        if instance == self.instance || !self.has_state() {
            return;
        }
        let beat = self.config.timing.beat;
        let agreed = self.state.agreed_with(instance).max(other.joined);
        let position = position.min(self.state.position());
        let agreed_until = match self.verification.read_at(agreed + 1) {
            Some(read_at) => read_at.saturating_sub(beat),
            None => now.boot.saturating_sub(2 * beat),
        };
        let doubt = Doubt { since: now.boot, position, agreed_until, proven: None };
        if self.verification.note_difference(instance, doubt) {
            self.hold();
            self.verification.ask_for_read(agreed + 1..=position);
        } else if !self.is_in_doubt() {
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
        let (beat, is_over) =
            (self.config.timing.beat, now.boot >= doubt.since + self.config.timing.patience);
        // While the log stands still, nobody is heard.
        let is_log_alive = self.is_connected && now.boot.saturating_sub(self.ok) < 2 * beat;
        if self.verification.is_asking() || !is_log_alive {
            if self.verification.is_asking() && is_over {
                return self.begin_again(Some(Reason::Differs), now);
            }
            return self.verification.set_proven(None);
        }
        let Some(proven) = doubt.proven else { return self.verification.set_proven(Some(now.boot)) };
        // Meanwhile nodes that have read a different log join again, and drop out of the count.
        if now.boot < proven + 2 * beat {
            return;
        }
        match self.is_with_most(now) {
            Some(true) => {
                self.verification.end_doubt();
                self.release(now);
            }
            None if !is_over => {}
            Some(false) | None => self.begin_again(Some(Reason::Differs), now),
        }
    }

    /// Whether more than half of the nodes that are heard agree with this one, which is one of them. Of two halves, that of
    /// the node which joined first counts as more. `None` while some have not shown whether they agree.
    fn is_with_most(&self, now: Now) -> Option<bool> {
        let disputed = self.verification.doubt()?.position;
        let within = self.config.timing.beat * 3 / 2;
        // The position at which each joined, and whether it agrees.
        let mut votes = Vec::new();
        for (instance, other) in self.state.instances().iter().filter(|(_, other)| other.is_ready) {
            let is_this = instance == self.instance;
            if is_this || self.liveness.is_heard(instance, within, now.boot) {
                let agrees = is_this || !self.verification.is_differing(instance);
                let has_shown = is_this || !agrees || self.state.agreed_with(instance) >= disputed;
                votes.push(has_shown.then_some((other.joined, agrees))?);
            }
        }
        votes.sort_unstable();
        let agreeing = votes.iter().filter(|(_, agrees)| *agrees).count();
        let is_first_with_this = votes.first().is_some_and(|(_, agrees)| *agrees);
        Some(2 * agreeing > votes.len() || 2 * agreeing == votes.len() && is_first_with_this)
    }

    /// Asks the leader for what is to be compared.
    pub(super) fn verify(&mut self, now: Now) {
        let positions = self.verification.due(now.boot, self.config.timing.resend);
        self.actions.extend(positions.map(Action::Verify));
    }

    /// How long this node waits before it joins again after a difference: longer each time, so that one which judges
    /// differently again and again does not make the others hold all the time.
    pub(super) fn pause_after_difference(&mut self, now: Now) -> Duration {
        let before = self.differed.filter(|(_, at)| now.boot < *at + FORGIVEN_AFTER);
        let times = before.map_or(0, |(times, _)| times);
        self.differed = Some(((times + 1).min(MAX_PAUSE_DOUBLINGS), now.boot));
        self.config.timing.hello * ((1 << times) - 1)
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
