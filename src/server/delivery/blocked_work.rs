//! [`BlockedWork`]: work that was received and cannot be carried out yet.
//!
//! Work waits for its turn while the batch is full, or for a receiver that is full. Meanwhile its sender's credit is
//! not given back, so the server reads nothing more from that sender and TCP slows it down; other senders go on.
//! Entries of one sender, including its leaving, stay in order.

use std::collections::{HashMap, HashSet, VecDeque, hash_map::Entry};

use crate::server::{
    common::session_ref::SessionId,
    messages::{Leave, Work},
};

/// Condition that work waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockedOn {
    /// Room in the batch.
    Batch,
    /// Room in the outbox of one receiver, which is full now.
    Receiver,
    /// Room in the outboxes of all receivers that are full now: the work begins with a broadcast.
    AllReceivers,
    /// Another node of the cluster, which is behind.
    Node,
}

/// An entry in a sender's queue.
#[derive(Debug)]
pub enum Pending {
    /// Requests to carry out.
    Work(Work),
    /// The end of the session, after all that it sent before.
    Leave(Leave),
}

/// All entries that wait, by sender.
#[derive(Debug, Default)]
pub struct BlockedWork {
    senders: HashMap<SessionId, VecDeque<Pending>>,
    /// Senders whose work can be tried, in turn.
    ready: VecDeque<SessionId>,
    /// Senders that wait for a receiver, in the order in which they began to wait.
    held: VecDeque<SessionId>,
    /// Senders in `held` whose work begins with a broadcast.
    broadcasting: HashSet<SessionId>,
    /// Held broadcasts were released, and not all ready work was tried since.
    is_released: bool,
}

impl BlockedWork {
    /// Whether work of this sender waits, so that whatever the sender sends next has to wait behind it.
    #[must_use]
    pub fn has(&self, sender: SessionId) -> bool {
        self.senders.contains_key(&sender)
    }

    /// Whether no work can be tried.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Queues an entry behind all others of its sender.
    pub fn add(&mut self, pending: Pending) {
        self.put(pending, BlockedOn::Batch, VecDeque::push_back);
    }

    /// Puts back, ahead of all others of its sender, what is left of work that was begun, or all of work that could not
    /// be begun.
    pub fn put_back(&mut self, work: Work, blocked_on: BlockedOn) {
        let sender = work.session_ref.id;
        self.put(Pending::Work(work), blocked_on, VecDeque::push_front);
        if blocked_on != BlockedOn::Batch {
            self.ready.retain(|ready| *ready != sender);
            self.held.push_back(sender);
        }
        if blocked_on == BlockedOn::AllReceivers {
            self.broadcasting.insert(sender);
        }
    }

    fn put(
        &mut self,
        pending: Pending,
        blocked_on: BlockedOn,
        push: impl FnOnce(&mut VecDeque<Pending>, Pending),
    ) {
        let sender = pending.sender();
        let queue = match self.senders.entry(sender) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                if blocked_on == BlockedOn::Batch {
                    self.ready.push_back(sender);
                }
                new.insert(VecDeque::new())
            }
        };
        push(queue, pending);
    }

    /// Whether a broadcast waits for a full receiver.
    #[must_use]
    pub fn holds_broadcasts(&self) -> bool {
        !self.broadcasting.is_empty()
    }

    /// Takes the next entry to try. Each sender has one entry at its turn.
    pub fn next(&mut self) -> Option<Pending> {
        let sender = self.ready.pop_front()?;
        let queue = self.senders.get_mut(&sender)?;
        let pending = queue.pop_front();
        if queue.is_empty() {
            self.senders.remove(&sender);
        } else {
            self.ready.push_back(sender);
        }
        pending
    }

    /// Makes all held senders ready to be tried again, because a receiver is no longer full or has left.
    pub fn release(&mut self) {
        self.is_released |= self.holds_broadcasts();
        self.ready.append(&mut self.held);
        self.broadcasting.clear();
    }

    /// Whether released broadcasts are still to be tried. Some of them may have to wait on.
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.is_released && !self.is_idle()
    }

    /// Records that all ready work was tried or the batch is full: what is left waits for its turn and not for a
    /// receiver.
    pub fn mark_tried(&mut self) {
        self.is_released = false;
    }

    /// Drops all entries of one sender.
    pub fn drop_all_of(&mut self, sender: SessionId) {
        if self.senders.remove(&sender).is_some() {
            self.ready.retain(|ready| *ready != sender);
            self.held.retain(|held| *held != sender);
            self.broadcasting.remove(&sender);
        }
    }

    /// Takes all entries.
    pub fn take_all(&mut self) -> Vec<Pending> {
        self.release();
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl Pending {
    fn sender(&self) -> SessionId {
        match self {
            Self::Work(work) => work.session_ref.id,
            Self::Leave(leave) => leave.session_ref.id,
        }
    }
}

#[cfg(test)]
mod tests {
    use arauto_protocol::Request;

    use super::*;
    use crate::server::common::{close::CloseReason, session_ref::SessionRef};

    fn session_ref(sender: u64) -> SessionRef {
        SessionRef { id: SessionId(sender), courier: 0, slot: 0 }
    }

    fn work(sender: u64, requests: usize) -> Work {
        let requests = (0..requests).map(|_| Request::ListClients).collect();
        Work { session_ref: session_ref(sender), requests, credit: None }
    }

    fn add(blocked: &mut BlockedWork, works: &[(u64, usize)]) {
        for (sender, requests) in works {
            blocked.add(Pending::Work(work(*sender, *requests)));
        }
    }

    fn next(blocked: &mut BlockedWork) -> Work {
        match blocked.next() {
            Some(Pending::Work(work)) => work,
            other => panic!("{other:?}"),
        }
    }

    /// Takes all entries that can be tried. Returns the sender and the number of requests of each; a leave has none.
    fn given(blocked: &mut BlockedWork) -> Vec<(u64, usize)> {
        let size = |pending: Pending| {
            let requests = if let Pending::Work(work) = &pending { work.requests.len() } else { 0 };
            (pending.sender().0, requests)
        };
        std::iter::from_fn(|| blocked.next()).map(size).collect()
    }

    #[test]
    fn senders_take_turns_and_each_keeps_its_order() {
        let mut blocked = BlockedWork::default();
        add(&mut blocked, &[(1, 10), (1, 11), (2, 20), (1, 12), (3, 30), (2, 21)]);
        assert_eq!(given(&mut blocked), [(1, 10), (2, 20), (3, 30), (1, 11), (2, 21), (1, 12)]);
        assert!(!blocked.has(SessionId(1)));
    }

    #[test]
    fn what_was_begun_comes_before_what_came_later() {
        let mut blocked = BlockedWork::default();
        add(&mut blocked, &[(1, 10), (1, 11)]);
        let begun = next(&mut blocked);
        blocked.put_back(
            Work { requests: begun.requests.into_iter().take(3).collect(), ..work(1, 0) },
            BlockedOn::Batch,
        );
        assert_eq!(given(&mut blocked), [(1, 3), (1, 11)]);
    }

    #[test]
    fn who_waits_for_a_receiver_is_not_tried_until_released() {
        let mut blocked = BlockedWork::default();
        add(&mut blocked, &[(1, 10), (1, 11), (2, 20)]);
        let begun = next(&mut blocked);
        blocked.put_back(begun, BlockedOn::Receiver);
        add(&mut blocked, &[(1, 12)]);
        assert_eq!(given(&mut blocked), [(2, 20)]);
        assert!(blocked.has(SessionId(1)));
        blocked.release();
        assert_eq!(given(&mut blocked), [(1, 10), (1, 11), (1, 12)]);
    }

    #[test]
    fn who_leaves_does_so_after_all_that_was_sent_before() {
        let mut blocked = BlockedWork::default();
        blocked.put_back(work(1, 10), BlockedOn::Receiver);
        blocked.add(Pending::Leave(Leave {
            session_ref: session_ref(1),
            reason: CloseReason::Eof,
            farewell: None,
        }));
        add(&mut blocked, &[(2, 20)]);
        assert_eq!(given(&mut blocked), [(2, 20)]);
        blocked.release();
        assert_eq!(given(&mut blocked), [(1, 10), (1, 0)]);
        assert!(!blocked.has(SessionId(1)));
    }

    #[test]
    fn what_waits_of_one_sender_can_be_dropped() {
        let mut blocked = BlockedWork::default();
        blocked.put_back(work(1, 10), BlockedOn::Receiver);
        add(&mut blocked, &[(1, 11), (2, 20)]);
        blocked.drop_all_of(SessionId(1));
        blocked.release();
        assert_eq!(given(&mut blocked), [(2, 20)]);
    }

    #[test]
    fn broadcasts_wait_until_released_or_dropped() {
        let mut blocked = BlockedWork::default();
        blocked.put_back(work(1, 10), BlockedOn::Receiver);
        blocked.put_back(work(2, 20), BlockedOn::Batch);
        assert!(!blocked.holds_broadcasts());
        blocked.put_back(work(3, 30), BlockedOn::AllReceivers);
        blocked.put_back(work(4, 40), BlockedOn::AllReceivers);
        blocked.drop_all_of(SessionId(3));
        assert!(blocked.holds_broadcasts());
        assert!(!blocked.is_untried());
        blocked.release();
        assert!(!blocked.holds_broadcasts() && blocked.is_untried());
        assert_eq!(given(&mut blocked), [(2, 20), (1, 10), (4, 40)]);
        assert!(!blocked.is_untried());
    }

    #[test]
    fn all_can_be_taken() {
        let mut blocked = BlockedWork::default();
        add(&mut blocked, &[(2, 20)]);
        blocked.put_back(work(1, 10), BlockedOn::Receiver);
        add(&mut blocked, &[(1, 11)]);
        let taken: Vec<u64> = blocked.take_all().iter().map(|pending| pending.sender().0).collect();
        assert_eq!(taken, [2, 1, 1]);
        assert!(blocked.take_all().is_empty());
    }
}
