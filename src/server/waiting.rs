//! [`Waiting`]: work that was received and cannot be carried out yet.
//!
//! It waits for its turn while the batch is full, or for a receiver that is full. Meanwhile its senders' credit is not
//! given back, so nothing more is read from them and TCP slows them down; others go on. What one sender sent stays in
//! order.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::{messages::Work, seat::SessionId};

/// What work waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Room in the batch.
    Turn,
    /// A receiver that is full now.
    Room,
}

/// All work that waits, by sender.
#[derive(Debug, Default)]
pub struct Waiting {
    senders: HashMap<SessionId, VecDeque<Work>>,
    /// Those whose work can be tried, in turn.
    ready: VecDeque<SessionId>,
    /// Those who wait for a receiver, in the order in which they began to.
    held: VecDeque<SessionId>,
}

impl Waiting {
    /// Whether work of this sender waits: what it sends next has to wait behind.
    #[must_use]
    pub fn has(&self, sender: SessionId) -> bool {
        self.senders.contains_key(&sender)
    }

    /// Whether nothing can be tried.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// More of a sender whose work waits already.
    pub fn add(&mut self, work: Work) {
        self.put(work, Until::Turn, VecDeque::push_back);
    }

    /// What is left of work that was begun, or all of work that could not be.
    pub fn put_back(&mut self, work: Work, until: Until) {
        let sender = work.seat.id;
        self.put(work, until, VecDeque::push_front);
        if until == Until::Room {
            self.ready.retain(|ready| *ready != sender);
            self.held.push_back(sender);
        }
    }

    fn put(&mut self, work: Work, until: Until, push: impl FnOnce(&mut VecDeque<Work>, Work)) {
        let sender = work.seat.id;
        let works = match self.senders.entry(sender) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                if until == Until::Turn {
                    self.ready.push_back(sender);
                }
                new.insert(VecDeque::new())
            }
        };
        push(works, work);
    }

    /// The next work to try; each sender has one at its turn.
    pub fn next(&mut self) -> Option<Work> {
        let sender = self.ready.pop_front()?;
        let works = self.senders.get_mut(&sender)?;
        let work = works.pop_front();
        if works.is_empty() {
            self.senders.remove(&sender);
        } else {
            self.ready.push_back(sender);
        }
        work
    }

    /// A receiver that was full is so no more, or has left: all who waited for one are to be tried again.
    pub fn release(&mut self) {
        self.ready.append(&mut self.held);
    }

    /// Takes all that waits of one sender.
    pub fn take(&mut self, sender: SessionId) -> impl Iterator<Item = Work> + use<> {
        let works = self.senders.remove(&sender);
        if works.is_some() {
            self.ready.retain(|ready| *ready != sender);
            self.held.retain(|held| *held != sender);
        }
        works.into_iter().flatten()
    }

    /// Takes all that waits.
    pub fn take_all(&mut self) -> Vec<Work> {
        self.release();
        std::iter::from_fn(|| self.next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::Request, server::seat::Seat};

    fn work(sender: u64, requests: usize) -> Work {
        let seat = Seat { id: SessionId(sender), courier: 0, slot: 0 };
        Work { seat, requests: (0..requests).map(|_| Request::ListClients).collect(), credit: None }
    }

    /// The senders in whose name work is given out, and how many requests each has.
    fn given(waiting: &mut Waiting) -> Vec<(u64, usize)> {
        std::iter::from_fn(|| waiting.next()).map(|work| (work.seat.id.0, work.requests.len())).collect()
    }

    #[test]
    fn senders_take_turns_and_each_keeps_its_order() {
        let mut waiting = Waiting::default();
        for (sender, requests) in [(1, 10), (1, 11), (2, 20), (1, 12), (3, 30), (2, 21)] {
            waiting.add(work(sender, requests));
        }
        assert_eq!(given(&mut waiting), [(1, 10), (2, 20), (3, 30), (1, 11), (2, 21), (1, 12)]);
        assert!(!waiting.has(SessionId(1)));
    }

    #[test]
    fn what_was_begun_comes_before_what_came_later() {
        let mut waiting = Waiting::default();
        waiting.add(work(1, 10));
        waiting.add(work(1, 11));
        let begun = waiting.next().unwrap();
        waiting.put_back(Work { requests: Vec::new(), ..begun }, Until::Turn);
        assert_eq!(given(&mut waiting), [(1, 0), (1, 11)]);
    }

    #[test]
    fn who_waits_for_a_receiver_is_not_tried_until_released() {
        let mut waiting = Waiting::default();
        waiting.add(work(1, 10));
        waiting.add(work(1, 11));
        waiting.add(work(2, 20));
        let begun = waiting.next().unwrap();
        waiting.put_back(begun, Until::Room);
        waiting.add(work(1, 12));
        assert_eq!(given(&mut waiting), [(2, 20)]);
        assert!(waiting.has(SessionId(1)));
        waiting.release();
        assert_eq!(given(&mut waiting), [(1, 10), (1, 11), (1, 12)]);
    }

    #[test]
    fn who_leaves_takes_all_of_its_work_along() {
        let mut waiting = Waiting::default();
        waiting.put_back(work(1, 10), Until::Room);
        waiting.add(work(1, 11));
        waiting.add(work(2, 20));
        let taken: Vec<usize> = waiting.take(SessionId(1)).map(|work| work.requests.len()).collect();
        assert_eq!(taken, [10, 11]);
        waiting.release();
        assert_eq!(given(&mut waiting), [(2, 20)]);
    }

    #[test]
    fn all_can_be_taken() {
        let mut waiting = Waiting::default();
        waiting.add(work(2, 20));
        waiting.put_back(work(1, 10), Until::Room);
        waiting.add(work(1, 11));
        let taken: Vec<usize> = waiting.take_all().iter().map(|work| work.requests.len()).collect();
        assert_eq!(taken, [20, 10, 11]);
        assert!(waiting.take_all().is_empty());
    }
}
