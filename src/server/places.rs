//! [`Places`]: all places of one courier, and the loop over them that every broadcast is.

use std::task::Context;

use slab::Slab;

use super::{
    batch::{Item, Shared},
    place::{Done, Place},
    seat::Seat,
};

/// The places of the sessions that live on one arbiter, by slot.
#[derive(Default)]
pub struct Places(Slab<Place>);

impl Places {
    /// The slot that the next place will have.
    #[must_use]
    pub fn next_slot(&self) -> usize {
        self.0.vacant_key()
    }

    /// Adds a place, in the slot that was next.
    pub fn add(&mut self, place: Place) {
        self.0.insert(place);
    }

    /// The session's place, if it still has one.
    pub fn get_mut(&mut self, Seat { id, slot, .. }: Seat) -> Option<&mut Place> {
        self.0.get_mut(slot as usize).filter(|place| place.id() == id)
    }

    /// Takes a place out.
    pub fn remove(&mut self, slot: usize) -> Place {
        let place = self.0.remove(slot);
        if self.0.is_empty() {
            self.0 = Slab::new();
        }
        place
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().map(|(_, place)| place)
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.0.iter_mut().map(|(_, place)| place)
    }

    /// Takes all out.
    pub fn drain(&mut self) -> impl Iterator<Item = Place> {
        self.0.drain()
    }

    /// A batch to whom it concerns: to all members if it holds broadcasts, else only to those with items.
    pub fn deliver(&mut self, shared: &Shared, items: &[Item], cx: &mut Context<'_>) -> Done {
        let mut done = Done::default();
        let mut items = items;
        if shared.is_empty() {
            while let Some(Seat { slot, .. }) = items.first().map(|item| item.seat) {
                let mine = take_slot(&mut items, slot);
                if let Some(place) = self.0.get_mut(slot as usize) {
                    let closed = place.deliver(shared, mine, cx, &mut done);
                    done.closed.extend(closed.map(|reason| (slot as usize, reason)));
                }
            }
        } else {
            for (slot, place) in &mut self.0 {
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
