//! Admits a session: the name request, the password request, and what follows from their answers.

use std::{sync::Arc, time::Duration};

use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use arauto_protocol::{Frame, Kind, Line, Name, reply, telnet};
use slog::{debug, info};

use super::{Session, State, Wait};
use crate::{
    accounts::{Attempt, AttemptOrigin, PasswordHash, Secret, Verdict},
    server::{
        admission::auth::{
            self, Buffered, Credential, LoginAttempt, LoginOutcome, LoginPolicy, LoginRefusal, NameOwner,
        },
        common::close::CloseReason,
        messages::{Enter, SendLine, SendRaw},
    },
};

impl Session {
    /// Handles the answer to the name request.
    pub(super) fn introduce(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let found = auth::name(frame, self.config.worker.message_bytes).and_then(|name| self.look_up(name));
        self.let_in(found, ctx);
    }

    /// Enters with a name that belongs to no account; asks for the password of an account.
    fn let_in(&mut self, found: Result<NameOwner, LoginRefusal>, ctx: &mut Context<Self>) {
        match found {
            Ok(NameOwner::Name(name)) => self.enter(name),
            Ok(NameOwner::Account(account)) => {
                self.login = Some(Box::new(LoginAttempt::of(&account)));
                self.ask_for_password(ctx);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Handles the name in a client's certificate. No password is asked for, because the issuer has verified the
    /// client.
    pub(super) fn introduce_certified(&mut self, name: &str) {
        match auth::certified_name(name, self.config.worker.message_bytes).and_then(|name| self.look_up(name))
        {
            Ok(NameOwner::Name(name)) => self.enter(name),
            Ok(NameOwner::Account(account)) => {
                self.credential = Some(Box::new(Credential::Certificate));
                self.enter(account.name);
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Checks whether a session of this name may enter, and whether the name belongs to an account.
    fn look_up(&self, name: Name) -> Result<NameOwner, LoginRefusal> {
        let (accounts, config) = (self.config.worker.accounts.current(), self.config.worker.config.get());
        let (is_private, limit) = (self.peer.is_private(), self.config.worker.message_bytes);
        LoginPolicy { accounts: &accounts, settings: &config.accounts, is_private, limit }.look_up(name)
    }

    fn ask_for_password(&mut self, ctx: &mut Context<Self>) {
        let timeout = self.permit.name_timeout(self.config.worker.config.get().limits.name_timeout);
        self.end_wait();
        ctx.spawn(Wait::new(self.wait, timeout));
        let Some(login) = &mut self.login else { return };
        let request = reply::password_request(&login.name);
        if self.kind == Kind::Telnet {
            login.hide();
            self.send_raw(telnet::HIDE);
        }
        self.say(request);
    }

    /// Handles an answer to the password request, and has the password compared.
    pub(super) fn take_password(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let Some(login) = &mut self.login else { return };
        match login.answer(frame, self.config.worker.message_bytes) {
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
        let Some(login) = &self.login else { return };
        if let Some(trial) = &self.permit.trial {
            trial.set_comparing(true);
        }
        let account = login.name.key().clone();
        let origin = if self.peer.is_proxied() {
            AttemptOrigin::Proxied(account.clone())
        } else {
            AttemptOrigin::from_address(self.peer.ip())
        };
        let verifier = self.config.worker.verifier.clone();
        // Dropped with the session, which removes the attempt from the verifier's queue.
        let verdict = async move { verifier.judge(Attempt { origin, account, hash, secret }).await };
        ctx.spawn(verdict.into_actor(self).map(|verdict, session, ctx| session.judged(verdict, ctx)));
    }

    fn judged(&mut self, verdict: Verdict, ctx: &mut Context<Self>) {
        if let Some(trial) = &self.permit.trial {
            trial.set_comparing(false);
        }
        let Some(mut login) = self.login.take_if(|_| matches!(self.state, State::Open)) else { return };
        if verdict == Verdict::Wrong {
            info!(self.log(), "wrong password"; &self.log_fields(), "account" => %login.name);
        }
        let (buffered, ended) = (login.take_buffered(), login.has_ended());
        match login.judged(verdict, self.config.worker.message_bytes) {
            LoginOutcome::Enter(credential) => {
                let accounts = self.config.worker.accounts.current();
                if accounts.find(login.name.key()).is_some_and(|account| credential.holds_for(account)) {
                    self.credential = Some(Box::new(credential));
                    self.enter(login.name);
                } else {
                    // The account was changed or removed while the password was compared.
                    let found = self.look_up(login.name);
                    self.let_in(found, ctx);
                }
            }
            LoginOutcome::Again(line) => {
                self.login = Some(login);
                self.say(line);
                self.ask_for_password(ctx);
            }
            LoginOutcome::Refused(refusal) => {
                self.login = Some(login);
                self.refuse(refusal);
            }
        }
        for Buffered { frames, credit } in buffered {
            self.carry_out(frames, credit, ctx);
        }
        match &mut self.login {
            Some(login) if login.is_comparing() => {}
            _ if ended => self.leave(CloseReason::Eof, None, None),
            Some(login) => login.await_answer(),
            None => {}
        }
    }

    fn refuse(&mut self, LoginRefusal { reason, farewell }: LoginRefusal) {
        self.leave(reason, None, Some(farewell));
    }

    /// Sends a line to a client that has no name yet.
    fn say(&self, line: Line) {
        debug!(self.log(), "Server sends: {:?}", line.text(); &self.log_fields());
        self.config.worker.courier.say.do_send(SendLine { session_ref: self.own_ref, line });
    }

    fn send_raw(&self, bytes: &'static [u8]) {
        self.config.worker.courier.raw.do_send(SendRaw { session_ref: self.own_ref, bytes: bytes.into() });
    }

    /// Ends the wait for an answer, which has come.
    fn end_wait(&mut self) {
        self.wait = self.wait.wrapping_add(1);
    }

    fn enter(&mut self, name: Name) {
        self.end_wait();
        if !self.permit.take_place(self.credential.is_some(), self.is_operator(&name)) {
            return self.refuse(self.full());
        }
        self.name = Some(name.clone());
        let (looks, proven) = (name.looks(), self.credential.is_some());
        self.config.worker.registry.enter.do_send(Enter {
            session_ref: self.own_ref,
            peer: Arc::clone(&self.peer),
            name,
            proven,
            looks,
        });
    }

    /// The refusal of a session that has none of the places kept for accounts.
    fn full(&self) -> LoginRefusal {
        let max_sessions = self.config.worker.config.get().limits.max_sessions;
        let farewell = reply::server_full(self.config.worker.message_bytes, max_sessions);
        LoginRefusal { reason: CloseReason::ServerFull, farewell }
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
        let limit = self.config.worker.message_bytes;
        let (reason, farewell) = match self.login.as_deref() {
            None => (CloseReason::NameTimeout, reply::no_name_in_time(limit, waited)),
            Some(LoginAttempt { name, .. }) => {
                (CloseReason::PasswordTimeout, reply::no_password_in_time(limit, name, waited))
            }
        };
        self.leave(reason, None, Some(farewell));
    }
}
