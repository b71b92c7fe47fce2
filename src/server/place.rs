//! [`Place`]: what a courier knows of one session, and how it gets its share of a batch.

use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    task::Context,
};

use actix::Addr;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    batch::{Item, Piece, Shared, What},
    close::CloseReason,
    connection::SendHalf,
    inbox::Pulse,
    messages::{Hangup, Heavy, Jammed, Pressure, Sent},
    outbox::{Carried, Level, Outbox, Trouble, at_once, carry},
    seat::{Seat, SessionId},
    session::Session,
    tally::Volume,
};
use crate::protocol::{Kind, Line, websocket};

/// Pings that a WebSocket may leave unanswered in a row.
const MAX_UNANSWERED_PINGS: u8 = 2;

/// Whether a WebSocket answers its pings.
struct Pings {
    /// Whether something came from the other end since the last ping.
    pulse: Pulse,
    unanswered: u8,
}

/// How the Registry is told of outboxes that are full. By the courier itself, so that it knows before the batch that
/// filled one counts as carried.
pub type Report = Rc<dyn Fn(Pressure)>;

/// What the delivery of one batch came to.
#[derive(Default)]
pub struct Done {
    /// Whose places are to be closed, by slot, and why.
    pub closed: Vec<(usize, CloseReason)>,
    /// How much was sent or queued, to all together.
    pub delivered: Volume,
    /// The most bytes that wait in one outbox.
    pub fullest: usize,
}

/// One session's place at its courier.
pub struct Place {
    seat: Seat,
    report: Report,
    session: Addr<Session>,
    outbox: Rc<RefCell<Outbox>>,
    /// It was given its name.
    joined: bool,
    /// Broadcasts are for it: it has its name, and takes what it is sent.
    hears: bool,
    /// Until when the kernel asks its other end whether it is still there.
    probed_until: Option<Instant>,
    /// Present for a WebSocket. Boxed because other sessions pay for the place, too.
    pings: Option<Box<Pings>>,
}

impl Place {
    /// A place for someone without a name.
    #[must_use]
    pub fn new(seat: Seat, session: Addr<Session>, outbox: Outbox, report: Report) -> Self {
        let outbox = Rc::new(RefCell::new(outbox));
        Self { seat, report, session, outbox, joined: false, hears: false, probed_until: None, pings: None }
    }

    /// Pings are to be answered from now on, which this pulse shows.
    pub fn watch_pings(&mut self, pulse: Pulse) {
        self.pings = Some(Box::new(Pings { pulse, unanswered: 0 }));
    }

    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.seat.id
    }

    /// The memory that its outbox takes, if any.
    #[must_use]
    pub fn weigh(&self, now: Instant) -> Option<Heavy> {
        let (bytes, idle) = self.outbox.borrow().weight(now);
        (bytes > 0).then_some(Heavy { seat: self.seat, bytes, idle })
    }

    /// The actor whose it is.
    #[must_use]
    pub fn session(&self) -> &Addr<Session> {
        &self.session
    }

    /// How its messages are framed from here on.
    pub fn reframe(&mut self, kind: Kind) {
        self.tell(|outbox| outbox.set_kind(kind));
    }

    /// What its session asks for waits for its outbox, which is to take something within the grace.
    pub fn lose_patience(&self) {
        self.outbox.borrow_mut().lose_patience();
    }

    /// From here on its outbox takes whatever comes: the session ends soon, and has a deadline for that.
    pub fn lift_bounds(&self) {
        self.outbox.borrow_mut().lift_bounds();
    }

    /// Puts something into the outbox and writes what can be written.
    pub fn tell(&mut self, put: impl FnOnce(&mut Outbox)) {
        put(&mut self.outbox.borrow_mut());
        let outcome = at_once(|cx| self.outbox.borrow_mut().write_now(cx));
        self.see_to(outcome);
    }

    /// What this session gets of a batch. Returns why its place is to be closed, if it is.
    pub fn deliver(
        &mut self,
        shared: &Shared,
        mine: &[Item],
        cx: &mut Context<'_>,
        done: &mut Done,
    ) -> Option<CloseReason> {
        if mine.iter().any(|item| item.seat.id == self.seat.id && item.what.drops_unsent()) {
            self.outbox.borrow_mut().jam();
        }
        let is_jammed = self.outbox.borrow().is_jammed();
        let (closed, outcome) = if is_jammed {
            let closed = self.last_words(mine);
            (closed, self.outbox.borrow_mut().write_now(cx))
        } else if mine.is_empty() {
            if !self.hears {
                return None;
            }
            done.delivered.extend(shared.volume(&(0..shared.len())));
            (None, self.outbox.borrow_mut().send_shared(shared, cx))
        } else if let Some(line) = self.only_line(shared, mine) {
            done.delivered.add(1, line.as_bytes().len());
            (None, self.outbox.borrow_mut().send_line(line, cx))
        } else {
            let closed = self.interleave(shared, mine, &mut done.delivered);
            (closed, self.outbox.borrow_mut().write_now(cx))
        };
        self.see_to(outcome);
        done.fullest = done.fullest.max(self.outbox.borrow().queued());
        closed
    }

    /// The line that is all this session gets of a batch, if it gets no more than one of its own.
    fn only_line<'a>(&self, shared: &Shared, mine: &'a [Item]) -> Option<&'a Line> {
        match mine {
            [Item { seat, what: What::Tell(line), .. }]
                if seat.id == self.id() && (shared.is_empty() || !self.hears) =>
            {
                Some(line)
            }
            _ => None,
        }
    }

    /// Queues shared messages and this session's own in their order.
    fn interleave(&mut self, shared: &Shared, mine: &[Item], delivered: &mut Volume) -> Option<CloseReason> {
        let mut outbox = self.outbox.borrow_mut();
        let was_empty = outbox.is_empty();
        let id = self.seat.id;
        let mine = mine.iter().filter(|item| item.seat.id == id);
        let over = shared.for_session(mine, &mut self.hears, |piece| match piece {
            Piece::Shared(range) => {
                delivered.extend(shared.volume(&range));
                outbox.put_shared(shared, range);
            }
            Piece::Own(line) => {
                delivered.add(1, line.as_bytes().len());
                outbox.put(line);
            }
        });
        if was_empty {
            outbox.excuse();
        }
        self.joined |= self.hears;
        over
    }

    /// Of a jammed session's items takes the end, and the line before it if that says why. The rest would follow a gap as
    /// if nothing were missing.
    fn last_words(&mut self, mine: &[Item]) -> Option<CloseReason> {
        let mine: Vec<&What> =
            mine.iter().filter(|item| item.seat.id == self.id()).map(|item| &item.what).collect();
        let end = mine.iter().position(|what| matches!(what, What::Close(_)))?;
        let What::Close(reason) = mine[end] else { return None };
        if let (CloseReason::OutboxFull | CloseReason::SlowReader, Some(What::Tell(line))) =
            (reason, mine[..end].last())
        {
            self.outbox.borrow_mut().put_last_words(line);
        }
        Some(*reason)
    }

    /// Sees to what a write left undone.
    fn see_to(&mut self, outcome: Result<(), Trouble>) {
        match outcome {
            Ok(()) => {}
            Err(Trouble::Full) => self.jam(CloseReason::OutboxFull, None),
            Err(Trouble::Broken(error)) => self.jam(CloseReason::Broken, Some(error)),
        }
        self.start_carrying();
    }

    /// It cannot be written to: the session is told so, leaves, and until it has left only its last words are for it.
    fn jam(&self, reason: CloseReason, error: Option<io::Error>) {
        if self.outbox.borrow_mut().jam() {
            self.session.do_send(Jammed { reason, error });
        }
    }

    /// Sees that a task empties the outbox, if it is not empty.
    fn start_carrying(&self) {
        let mut outbox = self.outbox.borrow_mut();
        if let Some(level) = outbox.take_pressure() {
            (self.report)(Pressure { seat: self.seat, level });
        }
        if outbox.wants_carrying() {
            let (seat, report) = (self.seat, Rc::clone(&self.report));
            let report = move |level| report(Pressure { seat, level });
            actix_rt::spawn(carry_all(Rc::clone(&self.outbox), self.session.clone(), report));
        }
    }

    /// Ends the session: what is queued for it is sent, until `deadline`. Returns its outbox if something is queued.
    #[must_use]
    pub fn close(self, reason: CloseReason, deadline: Instant) -> Option<Weak<RefCell<Outbox>>> {
        self.session.do_send(Hangup { reason, joined: self.joined });
        self.outbox.borrow_mut().close(reason.websocket_code(), deadline);
        self.start_carrying();
        let is_empty = self.outbox.borrow().is_empty();
        (!is_empty).then(|| Rc::downgrade(&self.outbox))
    }

    /// Pings a WebSocket. One that left the last `MAX_UNANSWERED_PINGS` unanswered is ended: what stands between may still
    /// acknowledge what is sent, long after the other end is gone.
    ///
    /// One that has other things to take is not pinged: it shows by taking them that it is there.
    pub fn ping(&mut self) {
        let Some(pings) = &mut self.pings else { return };
        if pings.pulse.take() {
            pings.unanswered = 0;
        }
        if pings.unanswered >= MAX_UNANSWERED_PINGS {
            return self.see_to(Err(Trouble::Broken(io::ErrorKind::TimedOut.into())));
        }
        let (is_empty, has_moved) = {
            let mut outbox = self.outbox.borrow_mut();
            (outbox.is_empty(), outbox.take_moved())
        };
        if is_empty || !has_moved {
            pings.unanswered += 1;
        }
        if is_empty {
            self.tell(|outbox| outbox.put_raw(Bytes::from_static(websocket::PING_FRAME)));
        }
    }

    /// Makes the kernel ask the other end whether it is still there.
    pub fn begin_probe(&mut self, until: Instant) {
        self.probed_until = Some(until);
        // A connection that refuses this is about to end by itself.
        let _ = self.with_writer(SendHalf::begin_probe);
    }

    /// Whether the probe is over by now; it is not if someone else has asked since.
    pub fn end_probe(&mut self, now: Instant) -> bool {
        self.probed_until.take_if(|until| *until <= now).is_some()
    }

    /// Does something with the sending half, if there still is one.
    pub fn with_writer<T>(&self, act: impl FnOnce(&dyn SendHalf) -> T) -> Option<T> {
        self.outbox.borrow().writer().map(act)
    }
}

/// Empties an outbox, and tells what comes of it.
async fn carry_all(outbox: Rc<RefCell<Outbox>>, session: Addr<Session>, report: impl Fn(Level)) {
    let outcome = loop {
        match carry(&outbox).await {
            Ok(Carried::All) => break Ok(()),
            Ok(Carried::Change(level)) => report(level),
            Ok(Carried::Stuck) => {
                if outbox.borrow_mut().jam() {
                    session.do_send(Jammed { reason: CloseReason::OutboxFull, error: None });
                }
            }
            Err(error) => break Err(error),
        }
    };
    if outbox.borrow().is_closing() {
        session.do_send(Sent { lost: outbox.borrow().lost() });
    } else if let Err(error) = outcome {
        session.do_send(Jammed { reason: CloseReason::Broken, error: Some(error) });
    }
}
