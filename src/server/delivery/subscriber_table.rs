//! [`SubscriberTable`]: the sessions of one courier, and the loop over them that delivers broadcasts.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    task::Context,
};

use slab::Slab;
use tokio::time::Instant;

use super::{
    batch::{Edit, SharedBatch},
    outbox::Outbox,
    subscriber::{Done, Subscriber},
};
use crate::server::common::{close::CloseReason, session_ref::SessionRef};

/// Memory of a closing session's outbox from which on it is dropped when memory is short. Last words alone take less.
const MIN_CUT_BYTES: usize = 4 * 1024;

/// The sessions of one worker, by slot.
#[derive(Default)]
pub struct SubscriberTable {
    open: Slab<Subscriber>,
    /// Outboxes of closing sessions that were not empty. Each lives until its task has sent its queue.
    closing: Vec<Weak<RefCell<Outbox>>>,
}

impl SubscriberTable {
    /// The slot that the next entry will get.
    #[must_use]
    pub fn next_slot(&self) -> usize {
        self.open.vacant_key()
    }

    /// Adds an entry in the slot that [`Self::next_slot`] returned.
    pub fn add(&mut self, subscriber: Subscriber) {
        self.open.insert(subscriber);
    }

    /// The entry of a session; `None` if it was closed.
    pub fn get_mut(&mut self, SessionRef { id, slot, .. }: SessionRef) -> Option<&mut Subscriber> {
        self.open.get_mut(slot as usize).filter(|subscriber| subscriber.id() == id)
    }

    /// Ends a session: frees its slot, and sends its queue until `deadline`.
    pub fn close(&mut self, slot: usize, reason: CloseReason, deadline: Instant) {
        let subscriber = self.open.remove(slot);
        if self.open.is_empty() {
            self.open = Slab::new();
        }
        let Some(outbox) = subscriber.close(reason, deadline) else { return };
        // Before the table grows, remove outboxes that are gone.
        if self.closing.len() == self.closing.capacity() {
            self.closing.retain(|closing| closing.strong_count() > 0);
        }
        self.closing.push(outbox);
    }

    /// Drops the queues of closing sessions whose outboxes take at least `MIN_CUT_BYTES`.
    pub fn cut_closing_short(&mut self, now: Instant) {
        for outbox in std::mem::take(&mut self.closing).iter().filter_map(Weak::upgrade) {
            if outbox.borrow().weight(now).0 >= MIN_CUT_BYTES {
                outbox.borrow_mut().cut_short();
            } else {
                self.closing.push(Rc::downgrade(&outbox));
            }
        }
    }

    /// Frees the entries of closing outboxes that are gone.
    pub fn forget_closed(&mut self) {
        self.closing.retain(|closing| closing.strong_count() > 0);
        self.closing.shrink_to_fit();
    }

    /// Iterates over all open entries.
    pub fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.open.iter().map(|(_, subscriber)| subscriber)
    }

    /// Iterates over all open entries, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Subscriber> {
        self.open.iter_mut().map(|(_, subscriber)| subscriber)
    }

    /// Removes all open entries.
    pub fn drain(&mut self) -> impl Iterator<Item = Subscriber> {
        self.open.drain()
    }

    /// Delivers a batch: to all entries if it holds broadcasts, else only to the slots that have edits.
    pub fn deliver(&mut self, shared: &SharedBatch, edits: &[Edit], cx: &mut Context<'_>) -> Done {
        let mut done = Done::default();
        let mut edits = edits;
        if shared.is_empty() {
            while let Some(SessionRef { slot, .. }) = edits.first().map(|edit| edit.session_ref) {
                let mine = take_slot(&mut edits, slot);
                if let Some(subscriber) = self.open.get_mut(slot as usize) {
                    let closed = subscriber.deliver(shared, mine, cx, &mut done);
                    done.closed.extend(closed.map(|reason| (slot as usize, reason)));
                }
            }
        } else {
            for (slot, subscriber) in &mut self.open {
                let mine = take_slot(&mut edits, u32::try_from(slot).unwrap_or(u32::MAX));
                let closed = subscriber.deliver(shared, mine, cx, &mut done);
                done.closed.extend(closed.map(|reason| (slot, reason)));
            }
        }
        done
    }
}

/// Splits off the edits of one slot. Skips edits of lower slots, which are vacant.
fn take_slot<'a>(edits: &mut &'a [Edit], slot: u32) -> &'a [Edit] {
    if edits.is_empty() {
        return edits;
    }
    let start = edits.iter().take_while(|edit| edit.session_ref.slot < slot).count();
    let mine = edits[start..].iter().take_while(|edit| edit.session_ref.slot == slot).count();
    let (mine, rest) = edits[start..].split_at(mine);
    *edits = rest;
    mine
}
