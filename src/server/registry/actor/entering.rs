//! Assigns names, at once or after a wait for a member that may be dead.

use std::sync::Arc;

use actix::{AsyncContext, Context};
use arauto_protocol::{Name, reply};
use slog::info;
use tokio::time::sleep;

use super::{
    super::{pending_claim::PendingClaim, roster::Bearers},
    EndClaim, Registry, log_sent,
};
use crate::server::{
    common::{
        close::{CLAIM_TIMEOUT, CloseReason},
        peer::LogFields,
    },
    courier::messages::Probe,
    messages::Enter,
};

impl Registry {
    /// Gives a free name to the session. If members with a conflicting name may be dead, has them probed first.
    pub(super) fn enter(&mut self, enter: Enter, ctx: &mut Context<Self>) {
        if self.refuse_banned(&enter) {
            return;
        }
        let id = enter.session_ref.id;
        let bearers = match self.join(&enter) {
            Ok(()) => return self.welcome(&enter),
            Err(bearers) => bearers,
        };
        if !self.wait_for(&bearers, PendingClaim { enter, works: Vec::new() }) {
            return;
        }
        for bearer in bearers.iter() {
            self.couriers[usize::from(bearer.session_ref.courier)]
                .do_send(Probe { session_ref: bearer.session_ref });
        }
        let registry = ctx.address();
        // A timer of this actor would be polled at every wake-up of the actor.
        actix_rt::spawn(async move {
            sleep(CLAIM_TIMEOUT).await;
            registry.do_send(EndClaim(id));
        });
    }

    /// Gives a free name to the session. If the client has proved that it owns the account, disconnects members that
    /// took the name, or one that looks the same, without proof: they joined before the account existed.
    fn join(&mut self, enter: &Enter) -> Result<(), Box<Bearers>> {
        loop {
            let bearers = match self.roster.join(
                &enter.name,
                &enter.looks,
                enter.proven,
                enter.session_ref,
                Arc::clone(&enter.peer),
            ) {
                Err(bearers) if enter.proven => bearers,
                outcome => return outcome,
            };
            let Some(stranger) = bearers.iter().find(|bearer| !bearer.proven) else { return Err(bearers) };
            let limit = self.config.limits.message_bytes;
            let farewell = reply::name_claimed(limit, &stranger.name, &enter.name);
            self.dismiss(stranger, farewell, CloseReason::NameClaimed);
        }
    }

    /// Queues a session until the conflicting members leave. Refuses the name and returns false if a conflicting
    /// member is on this machine, or if too many sessions wait for it already.
    fn wait_for(&mut self, bearers: &Bearers, claim: PendingClaim) -> bool {
        // A connection within this machine cannot be half open.
        if let Some(alive) = bearers.iter().find(|bearer| bearer.peer.is_on_this_machine()) {
            self.refuse_name(&claim.enter, &alive.name);
            return false;
        }
        // Waiting for the first member suffices. When it has left, the name is requested again: the others conflict
        // then, or have left too.
        match self.claims.add(claim, bearers.first.session_ref.id) {
            Ok(()) => true,
            Err(claim) => {
                self.refuse_name(&claim.enter, &bearers.first.name);
                false
            }
        }
    }

    /// Gives the name to a session that waited for it, and runs its requests. If a member conflicts again, the
    /// session waits on until its time is up.
    pub(super) fn end_wait(&mut self, claim: PendingClaim, time_is_up: bool) {
        if self.refuse_banned(&claim.enter) {
            return;
        }
        match self.join(&claim.enter) {
            Ok(()) => {
                self.welcome(&claim.enter);
                for work in claim.works {
                    self.work(work);
                }
            }
            Err(bearers) if time_is_up => self.refuse_name(&claim.enter, &bearers.first.name),
            Err(bearers) => {
                self.wait_for(&bearers, claim);
            }
        }
    }

    fn welcome(&mut self, Enter { session_ref, peer, name, .. }: &Enter) {
        info!(self.log, "joined"; &LogFields { id: session_ref.id, peer, name: Some(name) });
        self.metrics.count_join();
        self.batch.enter(*session_ref);
        self.tell(*session_ref, reply::connection_confirmation(name));
    }

    fn refuse_name(&mut self, Enter { session_ref, peer, name, .. }: &Enter, bearer: &Name) {
        let (line, reason) = if bearer.key() == name.key() {
            (reply::name_taken(name), CloseReason::NameTaken)
        } else {
            (reply::name_looks_taken(self.config.limits.message_bytes, name, bearer), CloseReason::LookAlike)
        };
        log_sent(&self.log, &line, &LogFields { id: session_ref.id, peer, name: None });
        self.batch.tell(*session_ref, line);
        self.batch.close(*session_ref, reason);
    }

    /// Gives freed names to the sessions that wait for them. The requests of such a session can free further names;
    /// the loop handles a queue of any length without recursion.
    pub(super) fn give_freed_names(&mut self) {
        while let Some(bearer) = self.freed.pop() {
            for claim in self.claims.release(bearer) {
                if !self.closing {
                    self.end_wait(claim, false);
                }
            }
        }
    }
}
