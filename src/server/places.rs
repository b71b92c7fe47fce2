//! [`Places`]: all places of one courier, and the loop over them that delivers broadcasts.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    task::Context,
};

use slab::Slab;
use tokio::time::Instant;

use super::{
    batch::{Item, Shared},
    close::CloseReason,
    outbox::Outbox,
    place::{Done, Place},
    seat::Seat,
};

/// Memory of a closing session's outbox from which on it is dropped when memory is short. Last words alone take less.
const MIN_CUT_BYTES: usize = 4 * 1024;

/// The places of the sessions on one arbiter, by slot.
#[derive(Default)]
pub struct Places {
    open: Slab<Place>,
    /// Outboxes of closing sessions that were not empty. Each lives until its task has sent its queue.
    closing: Vec<Weak<RefCell<Outbox>>>,
}

impl Places {
    /// The slot that the next place will get.
    #[must_use]
    pub fn next_slot(&self) -> usize {
        self.open.vacant_key()
    }

    /// Adds a place in the slot that [`Self::next_slot`] returned.
    pub fn add(&mut self, place: Place) {
        self.open.insert(place);
    }

    /// The session's place; `None` if it was closed.
    pub fn get_mut(&mut self, Seat { id, slot, .. }: Seat) -> Option<&mut Place> {
        self.open.get_mut(slot as usize).filter(|place| place.id() == id)
    }

    /// Ends a session: frees its slot, and sends its queue until `deadline`.
    pub fn close(&mut self, slot: usize, reason: CloseReason, deadline: Instant) {
        let place = self.open.remove(slot);
        if self.open.is_empty() {
            self.open = Slab::new();
        }
        let Some(outbox) = place.close(reason, deadline) else { return };
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

    /// Iterates over all open places.
    pub fn iter(&self) -> impl Iterator<Item = &Place> {
        self.open.iter().map(|(_, place)| place)
    }

    /// Iterates over all open places, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.open.iter_mut().map(|(_, place)| place)
    }

    /// Removes all open places.
    pub fn drain(&mut self) -> impl Iterator<Item = Place> {
        self.open.drain()
    }

    /// Delivers a batch: to all places if it holds broadcasts, else only to the slots that have items.
    pub fn deliver(&mut self, shared: &Shared, items: &[Item], cx: &mut Context<'_>) -> Done {
        let mut done = Done::default();
        let mut items = items;
        if shared.is_empty() {
            while let Some(Seat { slot, .. }) = items.first().map(|item| item.seat) {
                let mine = take_slot(&mut items, slot);
                if let Some(place) = self.open.get_mut(slot as usize) {
                    let closed = place.deliver(shared, mine, cx, &mut done);
                    done.closed.extend(closed.map(|reason| (slot as usize, reason)));
                }
            }
        } else {
            for (slot, place) in &mut self.open {
                let mine = take_slot(&mut items, u32::try_from(slot).unwrap_or(u32::MAX));
                let closed = place.deliver(shared, mine, cx, &mut done);
                done.closed.extend(closed.map(|reason| (slot, reason)));
            }
        }
        done
    }
}

/// Splits off the items of one slot. Skips items of lower slots, which are vacant.
fn take_slot<'a>(items: &mut &'a [Item], slot: u32) -> &'a [Item] {
    if items.is_empty() {
        return items;
    }
    let start = items.iter().take_while(|item| item.seat.slot < slot).count();
    let mine = items[start..].iter().take_while(|item| item.seat.slot == slot).count();
    let (mine, rest) = items[start..].split_at(mine);
    *items = rest;
    mine
}
