//! [`Session`]: the actor of one connection. It reads frames, makes them requests and sends those to the Registry.
//!
//! It never writes: what it is answered takes the Registry's order and the courier's outbox. It ends exactly once,
//! when its courier hangs up, with one reason, which it logs and counts. From the moment that it wants to leave,
//! whatever is read is dropped.

use std::{io, rc::Rc, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, StreamHandler, WrapFuture,
};
use slog::{Drain, Logger, debug, error, info};
use tokio::time::Instant;

use super::{
    close::{CloseReason, LINGER},
    connection::ReceiveHalf,
    doorkeeper::Stay,
    entrance::{Claim, Proof},
    flood::Meter,
    inbox::{Inbox, Intake, Read, bytes_of},
    messages::{Hangup, Jammed, Leave, Raw, Reframe, Sent, ToCourier, ToRegistry},
    patience::Patience,
    seat::Seat,
    tally::{Tally, Volume},
    who::{Peer, Who},
};
use crate::{
    accounts::{Directory, Verifier},
    config::InForce,
    protocol::{Frame, Kind, Line, Name, reply},
};

mod entering;
mod requests;
mod wait;

use wait::Wait;

/// What all sessions of an arbiter share.
#[derive(Clone)]
pub struct Surroundings {
    /// Where requests go.
    pub registry: ToRegistry,
    /// Who carries their output.
    pub courier: ToCourier,
    /// What is in force.
    pub config: InForce,
    /// Whose names are only given for a password.
    pub accounts: Directory,
    /// Compares passwords.
    pub verifier: Verifier,
    /// The longest message, in bytes. Fixed while the server runs: what one part let pass fits for all others.
    pub message_bytes: usize,
    /// Counts joins and ends.
    pub tally: Arc<Tally>,
    /// The server's log.
    pub log: Logger,
}

/// What sessions of an arbiter share that began under one configuration. One pointer in each.
pub struct Terms {
    /// How long they may take for what.
    pub patience: Rc<Patience>,
    /// What all of them share.
    pub around: Rc<Surroundings>,
}

impl Terms {
    /// As configured now.
    #[must_use]
    pub fn of(around: &Rc<Surroundings>) -> Self {
        Self { patience: Rc::new(Patience::of(&around.config.get())), around: Rc::clone(around) }
    }
}

/// The actor of one connection.
pub struct Session {
    seat: Seat,
    peer: Arc<Peer>,
    kind: Kind,
    /// What it answered to the name request. Whether it may bear that name is for the Registry to say; what it sends
    /// meanwhile is carried out only if it may.
    name: Option<Name>,
    /// What it showed that the account of that name is its own, if it did.
    proof: Option<Box<Proof>>,
    /// The password that is asked for, while it is.
    claim: Option<Box<Claim>>,
    state: State,
    /// What broke the connection, if it leaves because of that.
    broken_by: Option<io::Error>,
    terms: Rc<Terms>,
    /// What it may send, where that is limited. Boxed because it is not limited for most.
    meter: Option<Box<Meter>>,
    /// The number of the wait for an answer that counts; see [`Wait`].
    wait: u8,
    /// The other end sends no more.
    input_ended: bool,
    /// Our side is shut.
    sent: bool,
    /// Its places; given back with the last of its parts.
    stay: Rc<Stay>,
}

enum State {
    /// What it sends counts.
    Open,
    /// It told the Registry that it leaves, and waits for the courier to hang up.
    Leaving,
    /// The courier has hung up: the end is logged and counted.
    Over,
}

impl Session {
    /// Starts a session that reads from `inbox`. Its name is to be asked for, unless a certificate says it.
    pub fn open(
        inbox: Inbox<impl ReceiveHalf>,
        seat: Seat,
        peer: Arc<Peer>,
        terms: Rc<Terms>,
        meter: Option<Box<Meter>>,
        stay: Rc<Stay>,
        certified: Option<String>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            let kind = inbox.kind();
            ctx.add_stream(inbox);
            terms.around.tally.add_session(kind, peer.is_encrypted);
            let name_timeout = stay.name_timeout(terms.around.config.get().limits.name_timeout);
            let wait = 0;
            ctx.spawn(Wait::new(wait, name_timeout));
            let state = State::Open;
            let mut session = Self {
                seat,
                peer,
                kind,
                name: None,
                proof: None,
                claim: None,
                state,
                broken_by: None,
                terms,
                meter,
                wait,
                input_ended: false,
                sent: false,
                stay,
            };
            if let Some(trial) = &session.stay.trial {
                ctx.spawn(
                    trial.turned_away().into_actor(&session).map(|(), session, ctx| session.turn_away(ctx)),
                );
            }
            if let Some(name) = certified {
                session.introduce_certified(&name);
            }
            session
        })
    }

    fn log(&self) -> &Logger {
        &self.terms.around.log
    }

    fn who(&self) -> Who<'_> {
        Who { id: self.seat.id, peer: &self.peer, name: self.name.as_ref() }
    }

    /// Takes what one read held.
    fn take(&mut self, read: Read, ctx: &mut Context<Self>) {
        if !matches!(self.state, State::Open) {
            // All but that the other end is done, too.
            if read.frames.contains(&Frame::Goodbye) {
                self.input_ended = true;
                if self.sent {
                    ctx.stop();
                }
            }
            return;
        }
        if read.kind != self.kind {
            self.terms.around.tally.take_session(self.kind, self.peer.is_encrypted);
            self.terms.around.tally.add_session(read.kind, self.peer.is_encrypted);
            self.kind = read.kind;
            self.terms.around.courier.reframe.do_send(Reframe { seat: self.seat, kind: read.kind });
        }
        let replies = match &mut self.claim {
            Some(claim) => claim.pass_on(read.replies),
            None => read.replies,
        };
        if !replies.is_empty() {
            self.terms.around.courier.raw.do_send(Raw { seat: self.seat, bytes: replies.into() });
        }
        if read.waste > 0
            && let Some(meter) = &mut self.meter
        {
            meter.take_waste(read.waste, Instant::now());
        }
        let mut volume = Volume::default();
        volume.add(read.frames.len(), read.frames.iter().map(bytes_of).sum());
        self.terms.around.tally.count_received(volume);
        self.carry_out(read.frames, Some(read.credit), ctx);
        if let Some(claim) = &mut self.claim {
            claim.await_answer();
        }
    }

    fn idle(&mut self) {
        let farewell =
            reply::idle(self.terms.around.message_bytes, self.name.as_ref(), self.terms.patience.idle);
        self.leave(CloseReason::Idle, None, Some(farewell));
    }

    /// Ends the session for a reason of its own, after everything it sent so far.
    fn leave(&mut self, reason: CloseReason, error: Option<io::Error>, farewell: Option<Line>) {
        if !matches!(self.state, State::Open) {
            return;
        }
        if let Some(line) = &farewell {
            debug!(self.log(), "Server sends: {:?}", line.text(); &self.who());
        }
        (self.state, self.broken_by) = (State::Leaving, error);
        self.terms.around.registry.leave.do_send(Leave { seat: self.seat, reason, farewell });
    }

    fn count_end(&self, reason: CloseReason) {
        self.terms.around.tally.take_session(self.kind, self.peer.is_encrypted);
        self.terms.around.tally.count_end(reason);
    }

    /// Logs the end. Only now, because what the Registry logs of the session comes before.
    fn log_end(&self, reason: CloseReason, joined: bool) {
        let error = self.broken_by.as_ref().filter(|_| reason == CloseReason::Broken);
        let nameless = Who { name: None, ..self.who() };
        let wanted = self.name.as_ref().or(self.claim.as_ref().map(|claim| &claim.name));
        match (wanted, error) {
            (Some(name), Some(error)) if joined => {
                let message = reply::broken_connection(&error.to_string(), name.as_str());
                info!(self.log(), "{}", message; &self.who(), "reason" => reason);
            }
            (Some(_), None) if joined => {
                info!(self.log(), "left"; &self.who(), "reason" => reason);
            }
            (_, Some(error)) => {
                info!(self.log(), "refused"; &nameless, "reason" => reason, "error" => %error);
            }
            (Some(wanted), None) => {
                info!(self.log(), "refused"; &nameless, "reason" => reason, "wanted" => %wanted);
            }
            (None, None) => {
                info!(self.log(), "refused"; &nameless, "reason" => reason);
            }
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        // The listener sent it, before there was a session. Made here only for a log that wants it.
        if self.name.is_none() && self.log().is_debug_enabled() {
            debug!(self.log(), "Server sends: {:?}", reply::name_request().text(); &self.who());
        }
    }
}

impl StreamHandler<Intake> for Session {
    fn handle(&mut self, intake: Intake, ctx: &mut Self::Context) {
        self.input_ended |= matches!(intake, Intake::End(_));
        match intake {
            Intake::Read(read) => self.take(read, ctx),
            Intake::Idle => self.idle(),
            Intake::End(_) if self.sent => ctx.stop(),
            Intake::End(Ok(last)) => {
                self.carry_out(last.into_iter().collect(), None, ctx);
                match &mut self.claim {
                    Some(claim) if claim.is_comparing() => claim.end_input(),
                    _ => self.leave(CloseReason::Eof, None, None),
                }
            }
            Intake::End(Err(error)) => self.leave(CloseReason::Broken, Some(error), None),
        }
    }

    /// The end of input is an `Intake` of its own; that no more follows it means nothing.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Jammed> for Session {
    type Result = ();

    fn handle(&mut self, Jammed { reason, error }: Jammed, _: &mut Self::Context) {
        let limits = &self.terms.around.config.get().limits;
        let farewell = (reason == CloseReason::OutboxFull)
            .then(|| reply::outbox_full(limits.message_bytes, self.name.as_ref(), limits.outbox_bytes));
        if matches!(self.state, State::Leaving) {
            // It waits until all that it sent is carried out. That is over now.
            self.broken_by = error;
            self.terms.around.registry.leave.do_send(Leave { seat: self.seat, reason, farewell });
        } else {
            self.leave(reason, error, farewell);
        }
    }
}

impl Handler<Hangup> for Session {
    type Result = ();

    fn handle(&mut self, Hangup { reason, joined }: Hangup, _: &mut Self::Context) {
        self.log_end(reason, joined);
        self.count_end(reason);
        // It stays until all is sent, and while the other end may still be sending.
        self.state = State::Over;
    }
}

impl Handler<Sent> for Session {
    type Result = ();

    fn handle(&mut self, Sent { lost }: Sent, ctx: &mut Self::Context) {
        if lost > 0 {
            info!(self.log(), "last messages not taken"; &self.who(), "bytes" => lost);
        }
        if self.input_ended || !self.stay.may_linger() {
            ctx.stop();
        } else {
            self.sent = true;
            ctx.run_later(LINGER, |_, ctx| ctx.stop());
        }
    }
}

impl Drop for Session {
    /// A session that dies of a fault must not keep its name.
    fn drop(&mut self) {
        if !matches!(self.state, State::Over) {
            error!(self.log(), "session died"; &self.who(), "reason" => CloseReason::Fault);
            self.count_end(CloseReason::Fault);
            self.terms.around.registry.leave.do_send(Leave {
                seat: self.seat,
                reason: CloseReason::Fault,
                farewell: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_the_smallest_task_that_an_actor_can_have() {
        // Tasks come in steps of 128 bytes, and with one byte more each connection takes the next.
        assert!(size_of::<Session>() <= 112, "{}", size_of::<Session>());
    }
}
