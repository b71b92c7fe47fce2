//! Admits a session: the name request, the password request, and what follows from their answers.

use std::{sync::Arc, time::Duration};

use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use slog::{debug, info};

use super::{Session, Wait};
use crate::{
    accounts::{Attempt, Origin, PasswordHash, Secret, Verdict},
    protocol::{Frame, Kind, Line, Name, reply, telnet},
    server::{
        close::CloseReason,
        entrance::{self, Claim, Found, Kept, Outcome, Proof, Refusal, Rules},
        messages::{Enter, Raw, Say},
        session::State,
    },
};

impl Session {
    /// Handles the answer to the name request.
    pub(super) fn introduce(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let found = entrance::name(frame, self.session_config.worker.message_bytes)
            .and_then(|name| self.look_up(name));
        self.let_in(found, ctx);
    }

    /// Enters with a name that belongs to no account; asks for the password of an account.
    fn let_in(&mut self, found: Result<Found, Refusal>, ctx: &mut Context<Self>) {
        match found {
            Ok(Found::Name(name)) => self.enter(name),
            Ok(Found::Account(account)) => {
                self.claim = Some(Box::new(Claim::of(&account)));
                self.ask_for_password(ctx);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Handles the name in a client's certificate. No password is asked for, because the issuer has verified the
    /// client.
    pub(super) fn introduce_certified(&mut self, name: &str) {
        match entrance::certified_name(name, self.session_config.worker.message_bytes)
            .and_then(|name| self.look_up(name))
        {
            Ok(Found::Name(name)) => self.enter(name),
            Ok(Found::Account(account)) => {
                self.proof = Some(Box::new(Proof::Certificate));
                self.enter(account.name);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Checks whether a session of this name may enter, and whether the name belongs to an account.
    fn look_up(&self, name: Name) -> Result<Found, Refusal> {
        let (accounts, config) =
            (self.session_config.worker.accounts.current(), self.session_config.worker.config.get());
        let (is_private, limit) = (self.peer.is_private(), self.session_config.worker.message_bytes);
        Rules { accounts: &accounts, settings: &config.accounts, is_private, limit }.look_up(name)
    }

    fn ask_for_password(&mut self, ctx: &mut Context<Self>) {
        let timeout = self.permit.name_timeout(self.session_config.worker.config.get().limits.name_timeout);
        self.end_wait();
        ctx.spawn(Wait::new(self.wait, timeout));
        let Some(claim) = &mut self.claim else { return };
        let request = reply::password_request(&claim.name);
        if self.kind == Kind::Telnet {
            claim.hide();
            self.send_raw(telnet::HIDE);
        }
        self.say(request);
    }

    /// Handles an answer to the password request, and has the password compared.
    pub(super) fn take_password(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let Some(claim) = &mut self.claim else { return };
        match claim.answer(frame, self.session_config.worker.message_bytes) {
            Ok((hash, secret)) => self.compare(hash, secret, ctx),
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn compare(&mut self, hash: PasswordHash, secret: Secret, ctx: &mut Context<Self>) {
        // From here on, the server takes the time, so the client's timeout ends.
        self.end_wait();
        if self.kind == Kind::Telnet {
            self.send_raw(telnet::SHOW);
        }
        let Some(claim) = &self.claim else { return };
        if let Some(trial) = &self.permit.trial {
            trial.set_comparing(true);
        }
        let account = claim.name.key().clone();
        let origin = if self.peer.is_proxied() {
            Origin::Proxied(account.clone())
        } else {
            Origin::from_address(self.peer.ip())
        };
        let verifier = self.session_config.worker.verifier.clone();
        // Dropped with the session, which removes the attempt from the verifier's queue.
        let verdict = async move { verifier.judge(Attempt { origin, account, hash, secret }).await };
        ctx.spawn(verdict.into_actor(self).map(|verdict, session, ctx| session.judged(verdict, ctx)));
    }

    fn judged(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        if let Some(trial) = &self.permit.trial {
            trial.set_comparing(false);
        }
        let Some(mut claim) = self.claim.take_if(|_| matches!(self.state, State::Open)) else { return };
        if verdict == Verdict::Wrong {
            info!(self.log(), "wrong password"; &self.log_fields(), "account" => %claim.name);
        }
        let (kept, ended) = (claim.take_kept(), claim.has_ended());
        match claim.judged(verdict, self.session_config.worker.message_bytes) {
            Outcome::Enter(proof) => {
                let accounts = self.session_config.worker.accounts.current();
                if accounts.find(claim.name.key()).is_some_and(|account| proof.holds_for(account)) {
                    self.proof = Some(Box::new(proof));
                    self.enter(claim.name);
                } else {
                    // The account was changed or removed while the password was compared.
                    let found = self.look_up(claim.name);
                    self.let_in(found, ctx);
                }
            }
            Outcome::Again(line) => {
                self.claim = Some(claim);
                self.say(line);
                self.ask_for_password(ctx);
            }
            Outcome::Refused(refusal) => {
                self.claim = Some(claim);
                self.refuse(refusal);
            }
        }
        for Kept { frames, credit } in kept {
            self.carry_out(frames, credit, ctx);
        }
        match &mut self.claim {
            Some(claim) if claim.is_comparing() => {}
            _ if ended => self.leave(CloseReason::Eof, None, None),
            Some(claim) => claim.await_answer(),
            None => {}
        }
    }

    fn refuse(&mut self, Refusal { reason, farewell }: Refusal) {
        self.leave(reason, None, Some(farewell));
    }

    /// Sends a line to a client that has no name yet.
    fn say(&self, line: Line) {
        debug!(self.log(), "Server sends: {:?}", line.text(); &self.log_fields());
        self.session_config.worker.courier.say.do_send(Say { session_ref: self.session_ref, line });
    }

    fn send_raw(&self, bytes: &'static [u8]) {
        self.session_config
            .worker
            .courier
            .raw
            .do_send(Raw { session_ref: self.session_ref, bytes: bytes.into() });
    }

    /// Ends the wait for an answer, which has come.
    fn end_wait(&mut self) {
        self.wait = self.wait.wrapping_add(1);
    }

    fn enter(&mut self, name: Name) {
        self.end_wait();
        if !self.permit.take_place(self.proof.is_some(), self.is_operator(&name)) {
            return self.refuse(self.full());
        }
        self.name = Some(name.clone());
        let (looks, proven) = (name.looks(), self.proof.is_some());
        self.session_config.worker.registry.enter.do_send(Enter {
            session_ref: self.session_ref,
            peer: Arc::clone(&self.peer),
            name,
            proven,
            looks,
        });
    }

    /// The refusal of a session that has none of the places kept for accounts.
    fn full(&self) -> Refusal {
        let max_sessions = self.session_config.worker.config.get().limits.max_sessions;
        let farewell = reply::server_full(self.session_config.worker.message_bytes, max_sessions);
        Refusal { reason: CloseReason::ServerFull, farewell }
    }

    /// Ends a session on trial in favour of a newer one, unless it has a place by now. A session that only waits for
    /// the other end to close is closed at once if it handed over its permit.
    pub(super) fn turn_away(&mut self, ctx: &mut Context<Self>) {
        if !self.permit.is_on_trial() {
            return;
        }
        if self.sent && !self.permit.may_linger() {
            ctx.stop();
        }
        self.refuse(self.full());
    }

    /// Ends the session of a client that gave no name or no password in time.
    pub(super) fn out_of_time(&mut self, waited: Duration) {
        if self.permit.is_on_trial() {
            return self.refuse(self.full());
        }
        let limit = self.session_config.worker.message_bytes;
        let (reason, farewell) = match self.claim.as_deref() {
            None => (CloseReason::NameTimeout, reply::no_name_in_time(limit, waited)),
            Some(Claim { name, .. }) => {
                (CloseReason::PasswordTimeout, reply::no_password_in_time(limit, name, waited))
            }
        };
        self.leave(reason, None, Some(farewell));
    }
}
