//! [`Courier`]: carries batches to the sessions of its arbiter.
//!
//! One message from the Registry serves all sessions that live here: the courier holds their outboxes and writes at
//! once where nothing is queued. It also takes new connections in and starts their sessions, because a socket
//! belongs to the reactor of its arbiter.

use std::{cell::RefCell, io, rc::Rc, task::Context};

use actix::{Actor, Addr, AsyncContext, Handler};
use bytes::BytesMut;
use slab::Slab;
use slog::{Logger, debug, info, warn};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    batch::{Item, Piece, Shared},
    close::{CLOSE_GRACE, CloseReason, PROBE_WITHIN},
    connection::{self, ReceiveHalf, SendHalf},
    inbox::{Inbox, ReadBuffer},
    messages::{Adopt, CloseServer, Deliver, Hangup, Jammed, Probe, Raw, Reframe, Sent, ToCourier},
    outbox::{Outbox, Trouble, at_once, carry},
    seat::{Seat, SessionId},
    session::{Session, Surroundings},
    vigil::Vigil,
    who::Peer,
};
use crate::{config::Config, protocol::reply};

/// The actor of one arbiter.
pub struct Courier {
    number: u16,
    places: Slab<Place>,
    surroundings: Rc<Surroundings>,
    buffer: ReadBuffer,
    /// The server is ending: whoever still comes is told so and closed.
    closing: bool,
    _vigil: Vigil,
}

/// What the courier knows of one session.
struct Place {
    id: SessionId,
    session: Addr<Session>,
    outbox: Rc<RefCell<Outbox>>,
    /// It was given its name.
    joined: bool,
    /// Broadcasts are for it: it has its name, and takes what it is sent.
    hears: bool,
}

impl Courier {
    /// The courier of this number, which gives its sessions these surroundings.
    pub fn new(number: u16, surroundings: Surroundings, vigil: Vigil) -> Self {
        Self {
            number,
            places: Slab::new(),
            surroundings: Rc::new(surroundings),
            buffer: Rc::new(RefCell::new(BytesMut::new())),
            closing: false,
            _vigil: vigil,
        }
    }

    /// Gives a connection a session and a place, and asks it for its name.
    pub fn take_in(
        &mut self,
        (reader, writer): (impl ReceiveHalf, impl SendHalf),
        peer: Peer,
        id: SessionId,
        permit: OwnedSemaphorePermit,
    ) {
        let Config { limits, compat, .. } = &self.surroundings.config;
        let permit = Rc::new(permit);
        let outbox =
            Outbox::new(Box::new(writer), limits.outbox_bytes, compat.unframed_gap, Rc::clone(&permit));
        let inbox = Inbox::new(
            reader,
            Rc::clone(&self.buffer),
            limits.message_bytes,
            limits.inflight_bytes,
            compat.unframed_wait,
        );
        let entry = self.places.vacant_entry();
        let slot = entry.key();
        let seat = Seat { id, courier: self.number, slot: u32::try_from(slot).unwrap_or(u32::MAX) };
        let session = Session::open(inbox, seat, peer, Rc::clone(&self.surroundings), permit);
        entry.insert(Place {
            id,
            session,
            outbox: Rc::new(RefCell::new(outbox)),
            joined: false,
            hears: false,
        });
        self.tell(seat, |outbox| outbox.put(&reply::name_request()));
        if self.closing {
            self.tell(seat, |outbox| outbox.put(&reply::server_closed()));
            self.close_place(slot, CloseReason::ServerClosed, Instant::now() + CLOSE_GRACE);
        }
    }

    fn place(&mut self, seat: Seat) -> Option<&mut Place> {
        self.places.get_mut(seat.slot as usize).filter(|place| place.id == seat.id)
    }

    /// Puts something into one outbox and writes what can be written.
    fn tell(&mut self, seat: Seat, put: impl FnOnce(&mut Outbox)) {
        let log = &self.surroundings.log.clone();
        if let Some(place) = self.place(seat) {
            put(&mut place.outbox.borrow_mut());
            let outcome = at_once(|cx| place.outbox.borrow_mut().write_now(cx));
            place.settle(outcome, log);
        }
    }

    fn with_writer(&self, seat: Seat, act: fn(&dyn SendHalf) -> io::Result<()>) {
        let Some(place) = self.places.get(seat.slot as usize).filter(|place| place.id == seat.id) else {
            return;
        };
        if let Some(Err(error)) = place.outbox.borrow().writer().map(act) {
            debug!(self.surroundings.log, "probe failed"; "id" => seat.id.0, "error" => %error);
        }
    }

    /// A batch to whom it concerns: to all members if it holds broadcasts, else only to those with items.
    fn deliver(&mut self, Deliver { shared, items }: &Deliver, cx: &mut Context<'_>) {
        let log = self.surroundings.log.clone();
        let mut closed = Vec::new();
        let mut items = items.as_slice();
        if shared.is_empty() {
            while let Some(slot) = items.first().map(|item| item.seat.slot) {
                let mine = take_slot(&mut items, slot);
                if let Some(place) = self.places.get_mut(slot as usize) {
                    closed
                        .extend(place.deliver(shared, mine, &log, cx).map(|reason| (slot as usize, reason)));
                }
            }
        } else {
            for (slot, place) in &mut self.places {
                let mine = take_slot(&mut items, u32::try_from(slot).unwrap_or(u32::MAX));
                closed.extend(place.deliver(shared, mine, &log, cx).map(|reason| (slot, reason)));
            }
        }
        for (slot, reason) in closed {
            self.close_place(slot, reason, Instant::now() + CLOSE_GRACE);
        }
    }

    /// Ends a session: what is queued for it is sent, its place is free at once.
    fn close_place(&mut self, slot: usize, reason: CloseReason, deadline: Instant) {
        let place = self.places.remove(slot);
        place.session.do_send(Hangup { reason, joined: place.joined });
        place.outbox.borrow_mut().close(deadline);
        place.start_carrying(&self.surroundings.log);
    }
}

impl Place {
    /// What this session gets of a batch. Returns why its place is to be closed, if it is.
    fn deliver(
        &mut self,
        shared: &Shared,
        mine: &[Item],
        log: &Logger,
        cx: &mut Context<'_>,
    ) -> Option<CloseReason> {
        let (closed, outcome) = if mine.is_empty() {
            if !self.hears {
                return None;
            }
            (None, self.outbox.borrow_mut().send_shared(shared, cx))
        } else {
            let closed = self.interleave(shared, mine);
            (closed, self.outbox.borrow_mut().write_now(cx))
        };
        self.settle(outcome, log);
        closed
    }

    /// Queues shared messages and this session's own in their order.
    fn interleave(&mut self, shared: &Shared, mine: &[Item]) -> Option<CloseReason> {
        let mut outbox = self.outbox.borrow_mut();
        let mine = mine.iter().filter(|item| item.seat.id == self.id);
        let over = shared.for_session(mine, &mut self.hears, |piece| match piece {
            Piece::Shared(range) => outbox.put_shared(shared, range),
            Piece::Own(line) => outbox.put(line),
        });
        self.joined |= self.hears;
        over
    }

    /// Sees to what a write left undone.
    fn settle(&mut self, outcome: Result<(), Trouble>, log: &Logger) {
        match outcome {
            Ok(()) => {}
            Err(Trouble::Full) => {
                // Its last words still have to fit; the registry, told by the session, sends them.
                self.hears = false;
                self.outbox.borrow_mut().drop_queue();
                self.session.do_send(Jammed { reason: CloseReason::OutboxFull, error: None });
            }
            Err(Trouble::Broken(error)) => {
                self.hears = false;
                self.session.do_send(Jammed { reason: CloseReason::Broken, error: Some(error) });
            }
        }
        self.start_carrying(log);
    }

    /// Sees that a task empties the outbox, if it is not empty.
    fn start_carrying(&self, log: &Logger) {
        if !self.outbox.borrow_mut().wants_carrying() {
            return;
        }
        let (id, outbox, session, log) =
            (self.id, Rc::clone(&self.outbox), self.session.clone(), log.clone());
        actix_rt::spawn(async move {
            let outcome = carry(Rc::clone(&outbox)).await;
            if !outbox.borrow().is_closing() {
                if let Err(error) = outcome {
                    session.do_send(Jammed { reason: CloseReason::Broken, error: Some(error) });
                }
                return;
            }
            if let Err(error) = outcome {
                let lost = outbox.borrow().lost();
                info!(log, "last messages not taken"; "id" => id.0, "bytes" => lost, "error" => %error);
            }
            session.do_send(Sent);
        });
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

impl Actor for Courier {
    type Context = actix::Context<Self>;
}

impl From<Addr<Courier>> for ToCourier {
    fn from(courier: Addr<Courier>) -> Self {
        Self { reframe: courier.clone().into(), raw: courier.into() }
    }
}

impl Handler<Adopt> for Courier {
    type Result = ();

    fn handle(&mut self, Adopt { socket, peer, id, permit }: Adopt, _: &mut Self::Context) {
        match connection::from_tcp(socket) {
            Ok(halves) => self.take_in(halves, peer, id, permit),
            Err(error) => {
                warn!(self.surroundings.log, "connection lost"; "id" => id.0, "peer" => %peer, "error" => %error);
            }
        }
    }
}

impl Handler<Deliver> for Courier {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, _: &mut Self::Context) {
        at_once(|cx| self.deliver(&deliver, cx));
    }
}

impl Handler<Reframe> for Courier {
    type Result = ();

    fn handle(&mut self, Reframe { seat, kind }: Reframe, _: &mut Self::Context) {
        if let Some(place) = self.place(seat) {
            place.outbox.borrow_mut().set_kind(kind);
        }
    }
}

impl Handler<Raw> for Courier {
    type Result = ();

    fn handle(&mut self, Raw { seat, bytes }: Raw, _: &mut Self::Context) {
        self.tell(seat, |outbox| outbox.put_raw(bytes));
    }
}

impl Handler<Probe> for Courier {
    type Result = ();

    fn handle(&mut self, Probe { seat }: Probe, ctx: &mut Self::Context) {
        self.with_writer(seat, SendHalf::probe);
        ctx.run_later(PROBE_WITHIN, move |courier, _| courier.with_writer(seat, SendHalf::settle));
    }
}

impl Handler<CloseServer> for Courier {
    type Result = ();

    fn handle(&mut self, _: CloseServer, _: &mut Self::Context) {
        self.closing = true;
        let farewell = reply::server_closed();
        let deadline = Instant::now() + self.surroundings.config.server.drain_timeout;
        let slots: Vec<usize> = self.places.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            let outbox = Rc::clone(&self.places[slot].outbox);
            outbox.borrow_mut().put(&farewell);
            // A failure shows again when the queue is carried.
            let _ = at_once(|cx| outbox.borrow_mut().write_now(cx));
            self.close_place(slot, CloseReason::ServerClosed, deadline);
        }
    }
}
