//! [`Subscriber`]: what a courier knows of one session, and how the session gets its share of a batch.

use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    task::Context,
};

use actix::Addr;
use arauto_protocol::{Kind, Line, websocket};
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    batch::{Edit, EditKind, Segment, SharedBatch},
    outbox::{Flushed, Outbox, OutboxError, at_once, flush_task},
};
use crate::server::{
    common::{
        close::CloseReason,
        fill_level::FillLevel,
        session_ref::{SessionId, SessionRef},
    },
    messages::{Backpressure, Heavy},
    metrics::Traffic,
    net::connection::SendHalf,
    session::{
        actor::Session,
        frame_reader::Pulse,
        messages::{Evicted, Hangup, Sent},
    },
};

/// Pings in a row that a WebSocket may leave unanswered.
const MAX_UNANSWERED_PINGS: u8 = 2;

/// Tracks whether a WebSocket answers its pings.
struct Pings {
    /// Whether bytes arrived from the peer since the last ping.
    pulse: Pulse,
    unanswered: u8,
}

/// Reports the fill level of an outbox to the `Registry`. The courier itself reports, so that the `Registry` knows
/// before the batch that filled the outbox counts as delivered.
pub type Report = Rc<dyn Fn(Backpressure)>;

/// The outcome of delivering one batch.
#[derive(Default)]
pub struct Done {
    /// The slots to close, and why.
    pub closed: Vec<(usize, CloseReason)>,
    /// Messages and bytes that were sent or queued, summed over all sessions.
    pub delivered: Traffic,
    /// The most bytes queued in one outbox.
    pub fullest: usize,
}

/// State that a courier keeps for one session.
pub struct Subscriber {
    session_ref: SessionRef,
    report: Report,
    session: Addr<Session>,
    outbox: Rc<RefCell<Outbox>>,
    /// The session has its name, and receives broadcasts.
    joined: bool,
    /// When the running probe of its peer is over; `None` without a probe.
    probed_until: Option<Instant>,
    /// Present for a WebSocket. Boxed because every subscriber has this field.
    pings: Option<Box<Pings>>,
}

impl Subscriber {
    /// Creates the entry of a session without a name.
    #[must_use]
    pub fn new(session_ref: SessionRef, session: Addr<Session>, outbox: Outbox, report: Report) -> Self {
        let outbox = Rc::new(RefCell::new(outbox));
        Self { session_ref, report, session, outbox, joined: false, probed_until: None, pings: None }
    }

    /// Expects answers to pings from now on; any input sets `pulse`.
    pub fn watch_pings(&mut self, pulse: Pulse) {
        self.pings = Some(Box::new(Pings { pulse, unanswered: 0 }));
    }

    /// The session's ID.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.session_ref.id
    }

    /// The memory of its outbox; `None` if the outbox is empty.
    #[must_use]
    pub fn weigh(&self, now: Instant) -> Option<Heavy> {
        let (bytes, idle) = self.outbox.borrow().weight(now);
        (bytes > 0).then_some(Heavy { session_ref: self.session_ref, bytes, idle })
    }

    /// The session's actor.
    #[must_use]
    pub fn session(&self) -> &Addr<Session> {
        &self.session
    }

    /// Sets the framing of the session's messages from here on.
    pub fn reframe(&mut self, kind: Kind) {
        self.tell(|outbox| outbox.set_kind(kind));
    }

    /// Applies the grace period to the outbox, because the session's own requests wait for it to drain.
    pub fn expect_drain(&self) {
        self.outbox.borrow_mut().expect_drain();
    }

    /// Removes the limit of the outbox: the server is shutting down, so the session ends soon, and its end has a
    /// deadline.
    pub fn unbound(&self) {
        self.outbox.borrow_mut().unbound();
    }

    /// Lets `put` queue output, and writes what the socket takes at once.
    pub fn tell(&mut self, put: impl FnOnce(&mut Outbox)) {
        put(&mut self.outbox.borrow_mut());
        let outcome = at_once(|cx| self.outbox.borrow_mut().write_now(cx));
        self.handle_result(outcome);
    }

    /// Delivers this session's share of a batch. Returns the reason if the entry is to be closed.
    pub fn deliver(
        &mut self,
        shared: &SharedBatch,
        mine: &[Edit],
        cx: &mut Context<'_>,
        done: &mut Done,
    ) -> Option<CloseReason> {
        if mine.iter().any(|edit| edit.session_ref.id == self.session_ref.id && edit.kind.drops_unsent()) {
            self.outbox.borrow_mut().evict();
        }
        let is_open = self.outbox.borrow().is_open();
        let (closed, outcome) = if !is_open {
            let closed = self.last_words(mine);
            (closed, self.outbox.borrow_mut().write_now(cx))
        } else if mine.is_empty() {
            if !self.joined {
                return None;
            }
            done.delivered.extend(shared.traffic(&(0..shared.len())));
            (None, self.outbox.borrow_mut().send_shared(shared, cx))
        } else if let Some(line) = self.only_line(shared, mine) {
            done.delivered.add(1, line.as_bytes().len());
            (None, self.outbox.borrow_mut().send_line(line, cx))
        } else {
            let closed = self.interleave(shared, mine, &mut done.delivered);
            (closed, self.outbox.borrow_mut().write_now(cx))
        };
        self.handle_result(outcome);
        done.fullest = done.fullest.max(self.outbox.borrow().queued());
        closed
    }

    /// The line, if this session gets nothing but a single line of its own out of the batch.
    fn only_line<'a>(&self, shared: &SharedBatch, mine: &'a [Edit]) -> Option<&'a Line> {
        match mine {
            [Edit { session_ref, kind: EditKind::Tell(line), .. }]
                if session_ref.id == self.id() && (shared.is_empty() || !self.joined) =>
            {
                Some(line)
            }
            _ => None,
        }
    }

    /// Queues shared messages and the session's own lines in their common order. Returns the reason if the session is
    /// over.
    fn interleave(
        &mut self,
        shared: &SharedBatch,
        mine: &[Edit],
        delivered: &mut Traffic,
    ) -> Option<CloseReason> {
        let mut outbox = self.outbox.borrow_mut();
        let was_empty = outbox.is_empty();
        let id = self.session_ref.id;
        let mine = mine.iter().filter(|edit| edit.session_ref.id == id);
        let over = shared.for_session(mine, &mut self.joined, |segment| match segment {
            Segment::Shared(range) => {
                delivered.extend(shared.traffic(&range));
                outbox.put_shared(shared, range);
            }
            Segment::Own(line, tag) => {
                delivered.add(1, line.as_bytes().len());
                outbox.put_tagged(line, tag);
            }
            Segment::SetTagged(is_tagged) => outbox.set_tagged(is_tagged),
        });
        if was_empty {
            outbox.exempt_reply();
        }
        over
    }

    /// For a session whose outbox is not open: finds its end among the edits, and queues the line before it if that
    /// explains the end. All other lines would follow a gap as if nothing were missing.
    fn last_words(&mut self, mine: &[Edit]) -> Option<CloseReason> {
        let mine: Vec<&EditKind> =
            mine.iter().filter(|edit| edit.session_ref.id == self.id()).map(|edit| &edit.kind).collect();
        self.joined |= mine.iter().any(|kind| matches!(kind, EditKind::Enter));
        let end = mine.iter().position(|kind| matches!(kind, EditKind::Close(_)))?;
        let EditKind::Close(reason) = mine[end] else { return None };
        if let (CloseReason::OutboxFull | CloseReason::SlowReader, Some(EditKind::Tell(line))) =
            (reason, mine[..end].last())
        {
            self.outbox.borrow_mut().put_last_words(line);
        }
        Some(*reason)
    }

    /// Handles the outcome of a write: has the session leave after a failure, and starts a task for what is queued.
    fn handle_result(&mut self, outcome: Result<(), OutboxError>) {
        match outcome {
            Ok(()) => {}
            Err(OutboxError::Full) => self.evict(CloseReason::OutboxFull, None),
            Err(OutboxError::Broken(error)) => {
                self.session.do_send(Evicted { reason: CloseReason::Broken, error: Some(error) });
            }
        }
        self.start_flush_task();
    }

    /// Evicts an open outbox and tells the session, which then leaves. Until it has left it gets only its last words.
    fn evict(&self, reason: CloseReason, error: Option<io::Error>) {
        if self.outbox.borrow_mut().evict() {
            self.session.do_send(Evicted { reason, error });
        }
    }

    /// Reports a changed fill level, and spawns a task that empties the outbox if none does.
    fn start_flush_task(&self) {
        let mut outbox = self.outbox.borrow_mut();
        if let Some(level) = outbox.take_level_change() {
            (self.report)(Backpressure { session_ref: self.session_ref, level });
        }
        if outbox.wants_flush_task() {
            let (session_ref, report) = (self.session_ref, Rc::clone(&self.report));
            let report = move |level| report(Backpressure { session_ref, level });
            actix_rt::spawn(flush_all(Rc::clone(&self.outbox), self.session.clone(), report));
        }
    }

    /// Ends the session: its queue is sent until `deadline`. Returns the outbox if [`Outbox::cut_short`] could drop
    /// something: an evicted session has only its last words.
    #[must_use]
    pub fn close(self, reason: CloseReason, deadline: Instant) -> Option<Weak<RefCell<Outbox>>> {
        self.session.do_send(Hangup { reason, joined: self.joined });
        let was_open = self.outbox.borrow().is_open();
        self.outbox.borrow_mut().close(reason.websocket_code(), deadline);
        self.start_flush_task();
        let can_be_cut = was_open && !self.outbox.borrow().is_empty();
        can_be_cut.then(|| Rc::downgrade(&self.outbox))
    }

    /// Pings a WebSocket, and evicts one that left `MAX_UNANSWERED_PINGS` unanswered: a proxy in between may go on
    /// acknowledging output long after the peer is gone.
    ///
    /// A WebSocket whose outbox is not empty is not pinged, because taking output is an answer too. An interval in
    /// which it takes nothing counts as an unanswered ping.
    pub fn ping(&mut self) {
        let Some(pings) = &mut self.pings else { return };
        if pings.pulse.take() {
            pings.unanswered = 0;
        }
        if pings.unanswered >= MAX_UNANSWERED_PINGS {
            self.evict(CloseReason::Broken, Some(io::ErrorKind::TimedOut.into()));
            return self.start_flush_task();
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

    /// Has the kernel probe whether the peer is alive, until `until`.
    pub fn begin_probe(&mut self, until: Instant) {
        self.probed_until = Some(until);
        // A connection that refuses this is about to break anyway.
        let _ = self.with_writer(SendHalf::begin_probe);
    }

    /// Ends the probe if it is over by `now`, and returns whether it was. A newer probe extends it.
    pub fn end_probe(&mut self, now: Instant) -> bool {
        self.probed_until.take_if(|until| *until <= now).is_some()
    }

    /// Calls `act` with the sending half, unless a write failed.
    pub fn with_writer<T>(&self, act: impl FnOnce(&dyn SendHalf) -> T) -> Option<T> {
        self.outbox.borrow().writer().map(act)
    }
}

/// Empties an outbox and reports the outcome.
async fn flush_all(outbox: Rc<RefCell<Outbox>>, session: Addr<Session>, report: impl Fn(FillLevel)) {
    let outcome = loop {
        match flush_task(&outbox).await {
            Ok(Flushed::All) => break Ok(()),
            Ok(Flushed::Change(level)) => report(level),
            Ok(Flushed::Stuck) => {
                if outbox.borrow_mut().evict() {
                    session.do_send(Evicted { reason: CloseReason::OutboxFull, error: None });
                }
            }
            Err(error) => break Err(error),
        }
    };
    if outbox.borrow().is_closed() {
        session.do_send(Sent { lost: outbox.borrow().lost() });
    } else if let Err(error) = outcome {
        session.do_send(Evicted { reason: CloseReason::Broken, error: Some(error) });
    }
}
