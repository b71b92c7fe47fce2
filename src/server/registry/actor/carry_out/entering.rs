//! Assigns names, at once or after a wait for a member that may be dead.

use std::sync::Arc;

use arauto_protocol::{Name, reply};
use slog::info;

use super::super::{
    super::{
        judge::{self, Claim},
        pending_claim::PendingClaim,
        roster::{Bearers, Member},
    },
    Registry,
};
use crate::server::{
    common::{
        close::CloseReason,
        peer::LogFields,
        session_ref::{SessionId, SessionRef},
    },
    courier::messages::Probe,
    messages::{Enter, Work},
};

impl Registry {
    /// Gives a free name to the session, which has sent `works` since it asked. If members with a conflicting name may be
    /// dead, has them probed first.
    pub(in super::super) fn enter(&mut self, enter: Enter, works: Vec<Work>) {
        let claimant = enter.session_ref;
        let Some(bearers) = self.claim(PendingClaim { enter, works, is_heard: false }, false) else { return };
        for Member { session_ref, .. } in bearers.iter() {
            if let Some(courier) = self.couriers.get(usize::from(session_ref.courier)) {
                courier.do_send(Probe { session_ref: *session_ref });
            }
        }
        self.begin_claim(claimant, &bearers.first);
    }

    /// Begins the time for which a session waits for a bearer, if the bearer's server is known to live. If not, the time
    /// begins when it is heard, or the name becomes free when the server is given up.
    fn begin_claim(&mut self, claimant: SessionRef, bearer: &Member) {
        if self.is_heard(bearer) {
            self.claims.set_heard(claimant.id);
            if claimant.is_here() {
                self.claims_begun.push(claimant.id);
            }
        } else if bearer.session_ref.is_here() {
            // The claimant waits for a sign of life of this node.
            self.speak_soon();
        }
    }

    /// Judges again the requests that wait for bearers of whose server nothing had been heard since.
    pub(in super::super) fn hear_bearers(&mut self) {
        let mut unheard = self.claims.unheard();
        // Each node has numbers of its own for these sessions.
        unheard.sort_by_key(|(bearer, _)| self.replica.as_ref().map(|replica| replica.origin_of(*bearer)));
        for (bearer, claimant) in unheard {
            if !self.roster.get(bearer).is_some_and(|bearer| self.is_heard(bearer)) {
                continue;
            }
            let Some(claim) = self.claims.remove(claimant) else { continue };
            let claimant = claim.enter.session_ref;
            if let Some(bearers) = self.claim(claim, false) {
                self.begin_claim(claimant, &bearers.first);
            }
        }
    }

    /// Judges for the last time the request of a session that waits for its name.
    pub(in super::super) fn end_claim(&mut self, claimant: SessionId) {
        if let Some(claim) = self.claims.remove(claimant) {
            self.claim(claim, true);
        }
    }

    /// Gives the name to a session, and runs the requests that it sent while it waited. Refuses the name, or returns the
    /// bearers for which the session now waits, if members conflict.
    fn claim(&mut self, claim: PendingClaim, time_is_up: bool) -> Option<Box<Bearers>> {
        let (enter, limit) = (&claim.enter, self.config.limits.message_bytes);
        if let Err(farewell) = judge::admission(self.ledger.bans(), limit, enter, self.time()) {
            self.output().turn_away(enter, (farewell, CloseReason::Banned));
            return None;
        }
        let Enter { name, looks, proven, session_ref, peer } = enter;
        while let Err(bearers) = self.roster.join(name, looks, *proven, *session_ref, Arc::clone(peer)) {
            match judge::claim(*proven, &bearers, time_is_up, |bearer| self.is_heard(bearer)) {
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
        self.note_bearer(session_ref.id, name.key());
        self.presence.joined(name);
        self.welcome(enter);
        for work in claim.works {
            self.work(work);
        }
        None
    }

    fn welcome(&mut self, Enter { session_ref, peer, name, .. }: &Enter) {
        if !session_ref.is_here() {
            return;
        }
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
