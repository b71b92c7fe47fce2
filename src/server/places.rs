//! [`Places`]: all places of one courier, and the loop over them that every broadcast is.

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

/// Where memory is short, a closing session with at least this much queued loses it. Last words alone are less.
const MIN_CUT_BYTES: usize = 4 * 1024;

/// The places of the sessions that live on one arbiter, by slot.
#[derive(Default)]
pub struct Places {
    open: Slab<Place>,
    /// Outboxes of sessions that are closing, of those that were not empty. Each lives until its task has sent what is queued.
    closing: Vec<Weak<RefCell<Outbox>>>,
}

impl Places {
    /// The slot that the next place will have.
    #[must_use]
    pub fn next_slot(&self) -> usize {
        self.open.vacant_key()
    }

    /// Adds a place, in the slot that was next.
    pub fn add(&mut self, place: Place) {
        self.open.insert(place);
    }

    /// The session's place, if it still has one.
    pub fn get_mut(&mut self, Seat { id, slot, .. }: Seat) -> Option<&mut Place> {
        self.open.get_mut(slot as usize).filter(|place| place.id() == id)
    }

    /// Ends a session: its slot is free, and what is queued is sent until `deadline`.
    pub fn close(&mut self, slot: usize, reason: CloseReason, deadline: Instant) {
        let place = self.open.remove(slot);
        if self.open.is_empty() {
            self.open = Slab::new();
        }
        let Some(outbox) = place.close(reason, deadline) else { return };
        // Before the table grows, outboxes that are gone make room.
        if self.closing.len() == self.closing.capacity() {
            self.closing.retain(|closing| closing.strong_count() > 0);
        }
        self.closing.push(outbox);
    }

    /// Drops what is queued for sessions that are closing, where that is more than a few messages.
    pub fn cut_closing_short(&mut self, now: Instant) {
        for outbox in std::mem::take(&mut self.closing).iter().filter_map(Weak::upgrade) {
            if outbox.borrow().weight(now).0 >= MIN_CUT_BYTES {
                outbox.borrow_mut().cut_short();
            } else {
                self.closing.push(Rc::downgrade(&outbox));
            }
        }
    }

    /// Gives back the memory of closing outboxes that are gone.
    pub fn forget_closed(&mut self) {
        self.closing.retain(|closing| closing.strong_count() > 0);
        self.closing.shrink_to_fit();
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Place> {
        self.open.iter().map(|(_, place)| place)
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.open.iter_mut().map(|(_, place)| place)
    }

    /// Takes all out.
    pub fn drain(&mut self) -> impl Iterator<Item = Place> {
        self.open.drain()
    }

    /// A batch to whom it concerns: to all members if it holds broadcasts, else only to those with items.
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

/// Splits off the items of one slot; those of slots before it, which nobody holds any more, are passed over.
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
