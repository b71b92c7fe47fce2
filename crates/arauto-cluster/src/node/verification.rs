//! [`Verification`]: compares what this node has read with what the log's leader has.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    time::Duration,
};

use crate::{digest::MAX_CHECKPOINTS, frame::Instance, node_name::NodeName};

/// Most positions that the leader is asked for at a time.
const MAX_ASKED: u64 = 64;

/// A message that this node has read.
#[derive(Debug)]
struct Read {
    hash: u64,
    at: Duration,
}

/// Hashes of the newest messages that this node has read, at most [`MAX_CHECKPOINTS`].
///
/// They detect errors of servers, not a malicious writer, so 64 bits suffice.
#[derive(Debug, Default)]
struct Record {
    /// The position of the newest message.
    last: u64,
    messages: VecDeque<Read>,
}

impl Record {
    /// Adds the next message. A position that is not the next one begins anew: the node has joined there.
    fn add(&mut self, position: u64, hash: u64, at: Duration) {
        if position != self.last + 1 {
            self.messages.clear();
        }
        if self.messages.len() == MAX_CHECKPOINTS {
            self.messages.pop_front();
        }
        self.messages.push_back(Read { hash, at });
        self.last = position;
    }

    /// The position before the oldest message that is remembered.
    fn begin(&self) -> u64 {
        self.last - self.messages.len() as u64
    }

    fn at(&self, position: u64) -> Option<&Read> {
        let index = position.checked_sub(self.begin() + 1)?;
        self.messages.get(usize::try_from(index).ok()?)
    }
}

fn hash_of(node: &NodeName, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (node.as_str(), bytes).hash(&mut hasher);
    hasher.finish()
}

/// The leader's answer for one position.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// It has this message.
    Message(&'a NodeName, &'a [u8]),
    /// It has none, and the log begins at this position.
    Absent {
        /// The position of the oldest message.
        first: u64,
    },
}

/// An answer of the leader, compared with what this node has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The leader was not asked for this position.
    NotAsked,
    /// The leader has the message that this node has read; or one of the two does not remember it any more.
    Same,
    /// The leader has another message there.
    Different,
    /// The leader has none there. It may be one that has been replaced and does not know it.
    Absent,
}

/// A disagreement with other nodes.
#[derive(Debug)]
pub struct Doubt {
    /// When it began.
    pub since: Duration,
    /// The newest position at which another node is known to differ.
    pub position: u64,
    /// The time up to which what this node carried out is not disputed.
    pub agreed_until: Duration,
    /// When the leader had confirmed all that it was asked for.
    pub proven: Option<Duration>,
}

/// The messages that this node has read lately, the positions that the leader is asked for, and the nodes that differ.
#[derive(Debug, Default)]
pub struct Verification {
    record: Record,
    /// Positions that the leader has not answered.
    unanswered: BTreeSet<u64>,
    /// The part of them that it was asked for last.
    under_way: Option<RangeInclusive<u64>>,
    /// When it is asked again.
    again_at: Duration,
    /// A position at which the leader said that it has no message, though this node has read one.
    absent: Option<u64>,
    differing: BTreeSet<Instance>,
    doubt: Option<Doubt>,
}

impl Verification {
    /// Remembers a message that this node has read.
    pub fn note(&mut self, position: u64, node: &NodeName, bytes: &[u8], now: Duration) {
        self.record.add(position, hash_of(node, bytes), now);
    }

    /// When the message at this position was read, if it is remembered.
    pub fn read_at(&self, position: u64) -> Option<Duration> {
        self.record.at(position).map(|read| read.at)
    }

    /// Whether this node has read another message at this position.
    pub fn contradicts(&self, position: u64, node: &NodeName, bytes: &[u8]) -> bool {
        self.record.at(position).is_some_and(|read| read.hash != hash_of(node, bytes))
    }

    /// Asks the leader for this position.
    pub fn ask(&mut self, position: u64) {
        self.unanswered.insert(position);
    }

    /// Asks the leader for the messages of these positions that this node remembers.
    pub fn ask_for_read(&mut self, positions: RangeInclusive<u64>) {
        let first = (*positions.start()).max(self.record.begin() + 1);
        let last = (*positions.end()).min(self.record.last);
        self.unanswered.extend(first..=last);
    }

    /// Takes an answer of the leader.
    pub fn compare(&mut self, position: u64, stored: Stored<'_>) -> Compared {
        if !self.unanswered.remove(&position) {
            return Compared::NotAsked;
        }
        match stored {
            Stored::Message(node, bytes) if self.contradicts(position, node, bytes) => Compared::Different,
            Stored::Message(..) => Compared::Same,
            // Nobody can compare messages that the log has dropped because of their age.
            Stored::Absent { first } if position < first => {
                self.unanswered = self.unanswered.split_off(&first);
                Compared::Same
            }
            Stored::Absent { .. } => Compared::Absent,
        }
    }

    /// Notes that the leader said that it has no message at this position, though this node has read one.
    pub fn note_absent(&mut self, position: u64) {
        self.absent = self.absent.max(Some(position));
    }

    /// Takes out what was noted last of [`Self::note_absent`].
    pub fn take_absent(&mut self) -> Option<u64> {
        self.absent.take()
    }

    /// The positions to ask for now; again after `pause`, if no answer comes.
    pub fn due(&mut self, now: Duration, pause: Duration) -> Option<RangeInclusive<u64>> {
        let first = *self.unanswered.first()?;
        if now < self.again_at && self.under_way.as_ref().is_some_and(|part| part.contains(&first)) {
            return None;
        }
        let end = (first..first.saturating_add(MAX_ASKED)).find(|next| !self.unanswered.contains(next));
        let part = first..=end.unwrap_or(first.saturating_add(MAX_ASKED)) - 1;
        (self.under_way, self.again_at) = (Some(part.clone()), now + pause);
        Some(part)
    }

    /// When [`Self::due`] has something again.
    pub fn deadline(&self) -> Option<Duration> {
        (!self.unanswered.is_empty()).then_some(self.again_at)
    }

    /// Whether the leader is being asked.
    pub fn is_asking(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// Notes that another node differs at a position, and since when this is open. Returns whether that is news.
    pub fn note_difference(&mut self, instance: Instance, doubt: Doubt) -> bool {
        let is_new = self.differing.insert(instance);
        if is_new {
            let before = self.doubt.take();
            self.doubt = Some(match before {
                None => doubt,
                Some(before) => Doubt {
                    since: before.since,
                    position: before.position.max(doubt.position),
                    agreed_until: before.agreed_until.min(doubt.agreed_until),
                    proven: None,
                },
            });
        }
        is_new
    }

    /// Whether a node differs.
    pub fn is_differing(&self, instance: Instance) -> bool {
        self.differing.contains(&instance)
    }

    /// Forgets the nodes for which this does not hold.
    pub fn retain_differing(&mut self, is_there: impl Fn(Instance) -> bool) {
        self.differing.retain(|instance| is_there(*instance));
    }

    /// The disagreement that is not settled.
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// Notes when the leader had confirmed what it was asked for, or that this has to be waited for again.
    pub fn set_proven(&mut self, proven: Option<Duration>) {
        if let Some(doubt) = &mut self.doubt {
            doubt.proven = proven;
        }
    }

    /// The disagreement is settled.
    pub fn end_doubt(&mut self) {
        self.doubt = None;
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);
    const PAUSE: Duration = Duration::from_millis(500);

    fn node() -> NodeName {
        "n1".parse().expect("a name")
    }

    fn read(positions: RangeInclusive<u64>) -> Verification {
        let mut verification = Verification::default();
        for position in positions {
            verification.note(position, &node(), &position.to_le_bytes(), NOW);
        }
        verification
    }

    fn answer(verification: &mut Verification, position: u64, bytes: u64) -> Compared {
        verification.compare(position, Stored::Message(&node(), &bytes.to_le_bytes()))
    }

    #[test]
    fn the_leader_is_asked_for_each_position_in_parts_and_again() {
        let mut verification = read(1..=200);
        verification.ask_for_read(10..=150);
        for part in [10..=73, 74..=137, 138..=150] {
            assert_eq!(verification.due(NOW, PAUSE), Some(part.clone()));
            assert_eq!(verification.due(NOW, PAUSE), None);
            assert_eq!(verification.due(NOW + PAUSE, PAUSE), Some(part.clone()));
            for position in part.rev() {
                assert_eq!(answer(&mut verification, position, position), Compared::Same);
            }
        }
        assert!(!verification.is_asking());
    }

    #[test]
    fn only_what_is_not_answered_is_asked_for_again() {
        let mut verification = read(1..=100);
        verification.ask_for_read(10..=20);
        assert_eq!(verification.due(NOW, PAUSE), Some(10..=20));
        for position in [10, 11, 15] {
            answer(&mut verification, position, position);
        }
        assert_eq!(verification.due(NOW + PAUSE, PAUSE), Some(12..=14));
        // Later questions take none away.
        verification.ask_for_read(18..=19);
        verification.ask(500);
        for position in 12..=14 {
            answer(&mut verification, position, position);
        }
        assert_eq!(verification.due(NOW + PAUSE, PAUSE), Some(16..=20));
        for position in 16..=20 {
            answer(&mut verification, position, position);
        }
        assert_eq!(verification.due(NOW + PAUSE, PAUSE), Some(500..=500));
    }

    #[test]
    fn an_answer_differs_by_its_bytes_its_node_and_its_absence() {
        let mut verification = read(1..=5);
        verification.ask(5);
        assert_eq!(verification.compare(4, Stored::Absent { first: 1 }), Compared::NotAsked);
        assert_eq!(answer(&mut verification, 5, 4), Compared::Different);
        verification.ask(5);
        assert_eq!(verification.compare(5, Stored::Absent { first: 1 }), Compared::Absent);
        let other = "n2".parse().expect("a name");
        assert!(verification.contradicts(5, &other, &5_u64.to_le_bytes()));
        assert!(!verification.contradicts(5, &node(), &5_u64.to_le_bytes()));
        assert!(!verification.contradicts(6, &node(), b"not read yet"));
    }

    #[test]
    fn messages_that_the_log_has_dropped_are_not_compared() {
        let mut verification = read(1..=50);
        verification.ask_for_read(1..=50);
        assert_eq!(verification.compare(1, Stored::Absent { first: 41 }), Compared::Same);
        assert_eq!(verification.due(NOW, PAUSE), Some(41..=50));
    }

    #[test]
    fn what_is_forgotten_is_not_asked_for() {
        let kept = MAX_CHECKPOINTS as u64;
        let mut verification = read(1..=kept + 10);
        assert!(!verification.contradicts(10, &node(), b"x") && verification.contradicts(11, &node(), b"x"));
        verification.ask_for_read(1..=20);
        assert_eq!(verification.due(NOW, PAUSE), Some(11..=20));
        verification.note(kept + 99, &node(), b"joined anew", NOW);
        assert_eq!(answer(&mut verification, 11, 0), Compared::Same);
    }

    #[test]
    fn a_doubt_that_is_joined_by_another_node_takes_in_both() {
        let mut verification = read(1..=5);
        let doubt = |since, position| Doubt {
            since: Duration::from_secs(since),
            position,
            agreed_until: Duration::from_secs(since - 1),
            proven: None,
        };
        assert!(verification.note_difference(Instance(1), doubt(5, 3)));
        verification.set_proven(Some(NOW));
        assert!(verification.note_difference(Instance(2), doubt(6, 2)));
        assert!(!verification.note_difference(Instance(2), doubt(7, 1)));
        let doubt = verification.doubt().expect("a doubt");
        let times = (doubt.since, doubt.agreed_until, doubt.proven);
        assert_eq!((times, doubt.position), ((Duration::from_secs(5), Duration::from_secs(4), None), 3));
    }
}
