//! Measures how long broadcasts wait for full receivers, and disconnects the costliest ones once the budget is spent.

use actix::{Context, Handler, Message};
use arauto_protocol::reply;
use tokio::time::Instant;

use super::{super::roster::Member, Registry, notify_later, order_log::Entry};
use crate::server::{
    common::{close::CloseReason, session_ref::SessionId},
    delivery::wait_budget::WINDOW,
    messages::Leave,
};

/// From the registry to itself: the budget may be spent by now.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CheckWaits;

impl Registry {
    /// Whether a broadcast has to wait for a full receiver other than `except`.
    pub(super) fn is_anyone_full_but(&self, except: Option<SessionId>) -> bool {
        self.waits.is_anyone_full_but(except)
    }

    /// Accounts for the time that broadcasts wait. Once the budget is spent, disconnects the costliest receivers and
    /// releases the broadcasts.
    ///
    /// Called at the end of each handler as well as by a timer, because timers of this thread do not fire until the
    /// mailbox is empty.
    pub(super) fn watch_waits(&mut self, ctx: &mut Context<Self>) {
        if self.closing || !self.waits.is_running() && !self.holds_broadcasts() {
            return;
        }
        // Released broadcasts may have to wait again; this is known once they have been tried, at the latest after
        // the next `Flush`. Until then the wait counts as going on, so that a session that leaves does not interrupt
        // it for an instant.
        if self.blocked.is_untried() {
            return;
        }
        let now = Instant::now();
        self.observe_waits(now);
        match self.waits.left(self.config.limits.slow_reader_wait, now) {
            Some(left) if left.is_zero() => self.disconnect_slow_readers(now),
            Some(left) if !self.check_due => {
                self.check_due = true;
                notify_later(ctx, left, CheckWaits);
            }
            _ => {}
        }
    }

    fn disconnect_slow_readers(&mut self, now: Instant) {
        let limits = &self.config.limits;
        let (limit, waited, outbox_bytes) =
            (limits.message_bytes, limits.slow_reader_wait, limits.outbox_bytes);
        for id in self.waits.give_way(waited, now) {
            if let Some(Member { session_ref, name, .. }) = self.roster.get(id) {
                let (session_ref, reason) = (*session_ref, CloseReason::SlowReader);
                let farewell = reply::slow_reader(limit, name, waited, WINDOW, outbox_bytes);
                self.output().log_sent_to(session_ref, &farewell);
                self.append(Entry::Leave(Leave { session_ref, reason, farewell: Some(farewell) }));
            }
        }
        // Release even if no receiver was disconnected: broadcasts no longer wait for those that are passed over.
        self.blocked.release();
        self.resume();
        self.observe_waits(Instant::now());
        self.give_freed_names();
    }

    fn observe_waits(&mut self, now: Instant) {
        let outbox_bytes = self.config.limits.outbox_bytes;
        let waited = self.waits.observe(self.holds_broadcasts(), outbox_bytes, now);
        self.metrics.count_broadcast_wait(waited);
    }
}

impl Handler<CheckWaits> for Registry {
    type Result = ();

    fn handle(&mut self, _: CheckWaits, ctx: &mut Self::Context) {
        self.check_due = false;
        // Released requests run with the current configuration, as all others do.
        self.begin_batch();
        self.go_on(ctx);
    }
}
