//! Assigns names, at once or after a wait for a member that may be dead.

use std::{sync::Arc, time::SystemTime};

use arauto_protocol::{Name, reply};
use slog::info;

use super::super::{
    super::{
        judge::{self, Claim},
        pending_claim::PendingClaim,
        roster::Bearers,
    },
    Registry,
};
use crate::server::{
    common::{close::CloseReason, peer::LogFields, session_ref::SessionId},
    courier::messages::Probe,
    messages::Enter,
};

impl Registry {
    /// Gives a free name to the session. If members with a conflicting name may be dead, has them probed first.
    pub(super) fn enter(&mut self, enter: Enter) {
        let id = enter.session_ref.id;
        let Some(bearers) = self.claim(PendingClaim { enter, works: Vec::new() }, false) else { return };
        for bearer in bearers.iter() {
            self.couriers[usize::from(bearer.session_ref.courier)]
                .do_send(Probe { session_ref: bearer.session_ref });
        }
        self.claims_begun.push(id);
    }

    /// Judges for the last time the request of a session that waits for its name.
    pub(super) fn end_claim(&mut self, claimant: SessionId) {
        if let Some(claim) = self.claims.remove(claimant) {
            self.claim(claim, true);
        }
    }

    /// Gives the name to a session, and runs the requests that it sent while it waited. Refuses the name, or returns the
    /// bearers for which the session now waits, if members conflict.
    fn claim(&mut self, claim: PendingClaim, time_is_up: bool) -> Option<Box<Bearers>> {
        let (enter, limit) = (&claim.enter, self.config.limits.message_bytes);
        if let Err(farewell) = judge::admission(self.ledger.bans(), limit, enter, SystemTime::now()) {
            self.output().turn_away(enter, (farewell, CloseReason::Banned));
            return None;
        }
        let Enter { name, looks, proven, session_ref, peer } = enter;
        while let Err(bearers) = self.roster.join(name, looks, *proven, *session_ref, Arc::clone(peer)) {
            match judge::claim(*proven, &bearers, time_is_up) {
                Claim::Displaces(stranger) => {
                    let farewell = reply::name_claimed(limit, &stranger.name, name);
                    self.dismiss(stranger.session_ref, farewell, CloseReason::NameClaimed);
                }
                Claim::Refused(bearer) => {
                    self.refuse_name(enter, bearer);
                    return None;
                }
                // Waiting for the first bearer suffices. When it has left, the name is requested again: the others
                // conflict then, or have left too.
                Claim::Waits => {
                    return match self.claims.add(claim, bearers.first.session_ref.id) {
                        Ok(()) => Some(bearers),
                        Err(claim) => {
                            self.refuse_name(&claim.enter, &bearers.first.name);
                            None
                        }
                    };
                }
            }
        }
        self.welcome(enter);
        for work in claim.works {
            self.work(work);
        }
        None
    }

    fn welcome(&mut self, Enter { session_ref, peer, name, .. }: &Enter) {
        info!(self.log, "joined"; &LogFields { id: session_ref.id, peer, name: Some(name) });
        self.metrics.count_join();
        self.batch.enter(*session_ref);
        self.output().tell(*session_ref, reply::connection_confirmation(name));
    }

    fn refuse_name(&mut self, enter: &Enter, bearer: &Name) {
        let refusal = judge::taken(self.config.limits.message_bytes, &enter.name, bearer);
        self.output().turn_away(enter, refusal);
    }

    /// Gives freed names to the sessions that wait for them. The requests of such a session can free further names;
    /// the loop handles a queue of any length without recursion.
    pub(in super::super) fn give_freed_names(&mut self) {
        while let Some(bearer) = self.freed.pop() {
            for claim in self.claims.release(bearer) {
                if !self.closing {
                    self.claim(claim, false);
                }
            }
        }
    }
}
