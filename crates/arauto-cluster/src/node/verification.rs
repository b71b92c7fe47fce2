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

/// Hashes of the newest messages that this node has read, at most [`MAX_CHECKPOINTS`].
///
/// They find a server's mistake, and guard against nobody who can append: 64 bits are enough.
#[derive(Debug, Default)]
struct Record {
    /// The position of the newest message.
    last: u64,
    hashes: VecDeque<u64>,
}

impl Record {
    /// Adds the next message. A position that is not the next one begins anew: the node has joined there.
    fn add(&mut self, position: u64, node: &NodeName, bytes: &[u8]) {
        if position != self.last + 1 {
            self.hashes.clear();
        }
        if self.hashes.len() == MAX_CHECKPOINTS {
            self.hashes.pop_front();
        }
        self.hashes.push_back(hash_of(node, bytes));
        self.last = position;
    }

    /// The position before the oldest message that is remembered.
    fn begin(&self) -> u64 {
        self.last - self.hashes.len() as u64
    }

    fn at(&self, position: u64) -> Option<u64> {
        let index = position.checked_sub(self.begin() + 1)?;
        self.hashes.get(usize::try_from(index).ok()?).copied()
    }
}

fn hash_of(node: &NodeName, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (node.as_str(), bytes).hash(&mut hasher);
    hasher.finish()
}

/// Positions for which the leader is being asked.
#[derive(Debug)]
struct Asked {
    unanswered: BTreeSet<u64>,
    /// The positions to ask for once those are answered.
    next: u64,
    last: u64,
    again_at: Duration,
}

impl Asked {
    fn new(first: u64, last: u64, now: Duration) -> Self {
        let next = last.saturating_add(1).min(first + MAX_ASKED);
        Self { unanswered: (first..next).collect(), next, last, again_at: now }
    }
}

/// The outcome of an answer of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The leader was not asked for this position.
    NotAsked,
    /// The leader has the message that this node has read, or this node does not remember what it has read there.
    Same,
    /// The leader has another message there, or none.
    Different,
}

/// The messages that this node has read lately, the positions that the leader is asked for, and the nodes that differ.
#[derive(Debug, Default)]
pub struct Verification {
    record: Record,
    asked: Option<Asked>,
    /// The other nodes whose progress differs.
    differing: BTreeSet<Instance>,
    /// Since when it has been open which of them is right.
    doubt: Option<Duration>,
    /// Since when it has been known, while that is open, that this node has read what the leader has.
    proven: Option<Duration>,
}

impl Verification {
    /// Remembers a message that this node has read.
    pub fn note(&mut self, position: u64, node: &NodeName, bytes: &[u8]) {
        self.record.add(position, node, bytes);
    }

    /// Whether this node has read another message at this position.
    pub fn contradicts(&self, position: u64, node: &NodeName, bytes: &[u8]) -> bool {
        self.record.at(position).is_some_and(|hash| hash != hash_of(node, bytes))
    }

    /// Asks the leader for these positions, but for those whose messages are forgotten. If it is being asked already, these
    /// come after.
    pub fn ask(&mut self, positions: RangeInclusive<u64>, now: Duration) {
        let first = (*positions.start()).max(self.record.begin() + 1);
        let last = *positions.end();
        if first > last {
            return;
        }
        match &mut self.asked {
            Some(asked) if first > asked.last => asked.last = last,
            Some(asked) => *asked = Asked::new(first, asked.last.max(last), now),
            None => self.asked = Some(Asked::new(first, last, now)),
        }
    }

    /// Takes an answer of the leader: the message at a position, or none.
    pub fn compare(&mut self, position: u64, stored: Option<(&NodeName, &[u8])>, now: Duration) -> Compared {
        let Some(asked) = &mut self.asked else { return Compared::NotAsked };
        if !asked.unanswered.remove(&position) {
            return Compared::NotAsked;
        }
        let is_same = match (stored, self.record.at(position)) {
            (Some((node, bytes)), Some(hash)) => hash == hash_of(node, bytes),
            // Forgotten meanwhile, or not read yet: nothing speaks against it.
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if asked.unanswered.is_empty() {
            self.asked = (asked.next <= asked.last).then(|| Asked::new(asked.next, asked.last, now));
        }
        if is_same { Compared::Same } else { Compared::Different }
    }

    /// The positions to ask for now; again after `pause`, if no answer comes.
    pub fn due(&mut self, now: Duration, pause: Duration) -> Option<RangeInclusive<u64>> {
        let asked = self.asked.as_mut().filter(|asked| now >= asked.again_at)?;
        asked.again_at = now + pause;
        Some(*asked.unanswered.first()?..=*asked.unanswered.last()?)
    }

    /// When [`Self::due`] may have something.
    pub fn deadline(&self) -> Option<Duration> {
        self.asked.as_ref().map(|asked| asked.again_at)
    }

    /// Whether the leader is being asked.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Notes that another node differs. Returns whether that is news.
    pub fn note_difference(&mut self, instance: Instance, now: Duration) -> bool {
        let is_new = self.differing.insert(instance);
        if is_new {
            (self.doubt, self.proven) = (self.doubt.or(Some(now)), None);
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

    /// Since when it has been open which of the nodes that differ is right, if it is.
    pub fn doubt(&self) -> Option<Duration> {
        self.doubt
    }

    /// The leader has what this node has read, as far as it was asked. Returns since when that is known.
    pub fn note_proven(&mut self, now: Duration) -> Duration {
        *self.proven.get_or_insert(now)
    }

    /// As [`Self::note_proven`], if that is known.
    pub fn proven(&self) -> Option<Duration> {
        self.proven
    }

    /// It is known which of the nodes that differ is right.
    pub fn end_doubt(&mut self) {
        (self.doubt, self.proven) = (None, None);
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
            verification.note(position, &node(), &position.to_le_bytes());
        }
        verification
    }

    fn answer(verification: &mut Verification, position: u64, bytes: Option<u64>) -> Compared {
        let bytes = bytes.map(u64::to_le_bytes);
        let name = node();
        verification.compare(position, bytes.as_ref().map(|bytes| (&name, &bytes[..])), NOW)
    }

    #[test]
    fn the_leader_is_asked_for_each_position_in_parts_and_again() {
        let mut verification = read(1..=200);
        verification.ask(10..=150, NOW);
        for part in [10..=73, 74..=137, 138..=150] {
            assert_eq!(verification.due(NOW, PAUSE), Some(part.clone()));
            assert_eq!(verification.due(NOW, PAUSE), None);
            assert_eq!(verification.due(NOW + PAUSE, PAUSE), Some(part.clone()));
            for position in part.rev() {
                assert_eq!(answer(&mut verification, position, Some(position)), Compared::Same);
            }
        }
        assert!(!verification.is_asking());
    }

    #[test]
    fn an_answer_differs_by_its_bytes_its_node_and_its_absence() {
        for stored in [Some(4), None] {
            let mut verification = read(1..=5);
            verification.ask(5..=5, NOW);
            assert_eq!(answer(&mut verification, 4, None), Compared::NotAsked);
            assert_eq!(answer(&mut verification, 5, stored), Compared::Different);
        }
        let verification = read(1..=5);
        let other = "n2".parse().expect("a name");
        assert!(verification.contradicts(5, &other, &5_u64.to_le_bytes()));
        assert!(!verification.contradicts(5, &node(), &5_u64.to_le_bytes()));
        assert!(!verification.contradicts(6, &node(), b"not read yet"));
    }

    #[test]
    fn what_is_forgotten_is_not_asked_for() {
        let kept = MAX_CHECKPOINTS as u64;
        let mut verification = read(1..=kept + 10);
        assert!(!verification.contradicts(10, &node(), b"x") && verification.contradicts(11, &node(), b"x"));
        verification.ask(1..=20, NOW);
        assert_eq!(verification.due(NOW, PAUSE), Some(11..=20));
        verification.note(kept + 99, &node(), b"joined anew");
        assert_eq!(answer(&mut verification, 11, None), Compared::Same);
    }

    #[test]
    fn more_to_ask_for_comes_after_what_is_asked_for_or_begins_anew() {
        let mut verification = read(1..=100);
        verification.ask(50..=60, NOW);
        verification.ask(90..=95, NOW);
        assert_eq!(verification.due(NOW, PAUSE), Some(50..=60));
        for position in 50..=60 {
            answer(&mut verification, position, Some(position));
        }
        assert_eq!(verification.due(NOW, PAUSE), Some(61..=95));
        verification.ask(40..=45, NOW);
        assert_eq!(verification.due(NOW, PAUSE), Some(40..=95));
    }
}
