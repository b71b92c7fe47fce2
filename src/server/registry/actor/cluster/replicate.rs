//! Writes entries into the cluster's log, and keeps answers that need no log in their place behind them.

use arauto_protocol::{Request, reply};
use tokio::sync::OwnedSemaphorePermit;

use super::super::{
    super::cluster::{
        log_entry::{Act, Claimant},
        replica::Behind,
    },
    Registry,
    order_log::Entry,
};
use crate::server::{
    common::{close::CloseReason, session_ref::SessionId},
    messages::{Enter, Leave},
};

impl Registry {
    /// Has an entry take its place in the log; one that needs no log, its place behind what this server has appended.
    pub(in super::super) fn replicate(&mut self, entry: Entry) {
        match entry {
            Entry::Enter(enter) => self.replicate_enter(enter),
            Entry::Leave(leave) => self.replicate_leave(leave),
            Entry::ClaimOver(claimant) => {
                if let Some(replica) = &mut self.replica {
                    replica.append(claimant, Act::ClaimOver);
                }
            }
            Entry::Request(_, Request::CloseServer) => {
                if let Some(replica) = &mut self.replica {
                    replica.close_all();
                }
            }
            Entry::Request(session_ref, request) => match (Act::of(request), &mut self.replica) {
                (Ok(act), Some(replica)) => {
                    replica.note_list(&act, 1);
                    replica.append(session_ref.id, act);
                }
                (Err(request), _) => {
                    if let (Request::Watch, Some(replica)) = (&request, &mut self.replica) {
                        replica.note_lists(1);
                    }
                    self.answer_in_turn(Behind::Request(session_ref, request));
                }
                (Ok(_), None) => {}
            },
            Entry::Close { by } => self.close(&by),
        }
    }

    fn replicate_enter(&mut self, enter: Enter) {
        if !self.seat.as_ref().is_none_or(|seat| seat.serves) {
            let farewell = reply::no_cluster(self.config.limits.message_bytes);
            return self.output().turn_away(&enter, (farewell, CloseReason::LostTouch));
        }
        let Some(replica) = &mut self.replica else { return };
        let claimant = Claimant::of(&enter.name, &enter.looks, enter.proven, &enter.peer);
        replica.enter(enter, Act::Enter(claimant));
    }

    fn replicate_leave(&mut self, leave: Leave) {
        let id = leave.session_ref.id;
        match self.roster.get(id).map(|member| member.session_ref.is_here()) {
            // Its end is on its way already.
            Some(false) => {}
            // At once: no entry of the log, its own end among them, is carried out until its outbox has room.
            Some(true) if leave.reason.is_abrupt() => self.disconnect(leave, true),
            _ => {
                let is_known = self.is_in_log(id);
                match &mut self.replica {
                    Some(replica) if is_known => replica.leave(leave),
                    _ => self.end(leave),
                }
            }
        }
    }

    /// Whether an own session has asked for a name, and not left since.
    fn is_in_log(&self, id: SessionId) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.is_entering(id)) || self.standing(id) > 0
    }

    /// Gives an answer that needs no log, once all that this server appended before was read back.
    fn answer_in_turn(&mut self, behind: Behind) {
        let Some(replica) = &mut self.replica else { return };
        if let Some(behind) = replica.put_behind(behind) {
            self.answer(behind);
        }
    }

    /// Gives the answers whose turn it is.
    pub(super) fn answer_behind(&mut self) {
        while let Some(behind) = self.replica.as_mut().and_then(|replica| replica.next_behind()) {
            self.answer(behind);
        }
    }

    fn answer(&mut self, behind: Behind) {
        match behind {
            Behind::Request(session_ref, request) => {
                if let (Request::Watch, Some(replica)) = (&request, &mut self.replica) {
                    replica.note_lists(-1);
                }
                self.carry_out(Entry::Request(session_ref, request));
            }
            Behind::Credit(credit) => self.batch.hold(Some(credit)),
        }
    }

    /// Has the batch hold a sender's credit, once its requests were carried out.
    pub(in super::super) fn hold_credit(&mut self, credit: Option<OwnedSemaphorePermit>) {
        match (credit, &self.replica) {
            (Some(credit), Some(_)) => self.answer_in_turn(Behind::Credit(credit)),
            (credit, _) => self.batch.hold(credit),
        }
    }
}
