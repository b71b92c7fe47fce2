//! [`Session`]: the actor of one connection. It reads frames, makes them requests and sends those to the Registry.
//!
//! It never writes: what it is answered takes the Registry's order and the courier's outbox. It ends exactly once,
//! when its courier hangs up, with one reason, which it logs and counts. From the moment that it wants to leave,
//! whatever is read is dropped.

use std::{io, rc::Rc, sync::Arc};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, SpawnHandle, StreamHandler};
use slog::{Drain, Logger, debug, error, info};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    close::{CloseReason, LINGER},
    connection::ReceiveHalf,
    doorkeeper::Visit,
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

/// What a session is held to, as it was configured when it began.
pub struct Terms {
    /// How long it may take for what.
    pub patience: Rc<Patience>,
    /// What it may send, where that is limited. Boxed because it is not limited for most.
    pub meter: Option<Box<Meter>>,
    /// Its place among its address's, where these are counted; given back with the session.
    pub visit: Option<Visit>,
}

/// The actor of one connection.
pub struct Session {
    seat: Seat,
    peer: Peer,
    kind: Kind,
    /// What it answered to the name request. Whether it may bear that name is for the Registry to say; what it sends
    /// meanwhile is carried out only if it may.
    name: Option<Name>,
    /// What it showed that the account of that name is its own, if it did.
    proof: Option<Proof>,
    /// The password that is asked for, while it is.
    claim: Option<Box<Claim>>,
    state: State,
    around: Rc<Surroundings>,
    terms: Terms,
    timer: Option<SpawnHandle>,
    /// The other end sends no more.
    input_ended: bool,
    /// Our side is shut.
    sent: bool,
    /// The session's place among the server's; given back with the last of its parts.
    _permit: Rc<OwnedSemaphorePermit>,
}

enum State {
    /// What it sends counts.
    Open,
    /// It told the Registry that it leaves, and waits for the courier to hang up. If it leaves because the connection
    /// broke: by this error.
    Leaving(Option<io::Error>),
    /// The courier has hung up: the end is logged and counted.
    Over,
}

impl Session {
    /// Starts a session that reads from `inbox`. Its name is to be asked for, unless a certificate says it.
    pub fn open(
        inbox: Inbox<impl ReceiveHalf>,
        seat: Seat,
        peer: Peer,
        around: Rc<Surroundings>,
        terms: Terms,
        permit: Rc<OwnedSemaphorePermit>,
        certified: Option<String>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            let kind = inbox.kind();
            ctx.add_stream(inbox);
            around.tally.add_session(kind, peer.is_encrypted);
            let name_timeout = around.config.get().limits.name_timeout;
            let timer =
                Some(ctx.run_later(name_timeout, move |session, _| session.out_of_time(name_timeout)));
            let state = State::Open;
            let mut session = Self {
                seat,
                peer,
                kind,
                name: None,
                proof: None,
                claim: None,
                state,
                around,
                terms,
                timer,
                input_ended: false,
                sent: false,
                _permit: permit,
            };
            if let Some(name) = certified {
                session.introduce_certified(&name, ctx);
            }
            session
        })
    }

    fn log(&self) -> &Logger {
        &self.around.log
    }

    fn who(&self) -> Who<'_> {
        Who { id: self.seat.id, peer: self.peer, name: self.name.as_ref() }
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
            self.around.tally.take_session(self.kind, self.peer.is_encrypted);
            self.around.tally.add_session(read.kind, self.peer.is_encrypted);
            self.kind = read.kind;
            self.around.courier.reframe.do_send(Reframe { seat: self.seat, kind: read.kind });
        }
        let replies = match &mut self.claim {
            Some(claim) => claim.pass_on(read.replies),
            None => read.replies,
        };
        if !replies.is_empty() {
            self.around.courier.raw.do_send(Raw { seat: self.seat, bytes: replies.into() });
        }
        if read.waste > 0
            && let Some(meter) = &mut self.terms.meter
        {
            meter.take_waste(read.waste, Instant::now());
        }
        let mut volume = Volume::default();
        volume.add(read.frames.len(), read.frames.iter().map(bytes_of).sum());
        self.around.tally.count_received(volume);
        self.carry_out(read.frames, Some(read.credit), ctx);
        if let Some(claim) = &mut self.claim {
            claim.await_answer();
        }
    }

    fn idle(&mut self) {
        let farewell = reply::idle(self.around.message_bytes, self.name.as_ref(), self.terms.patience.idle);
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
        self.state = State::Leaving(error);
        self.around.registry.leave.do_send(Leave { seat: self.seat, reason, farewell });
    }

    fn count_end(&self, reason: CloseReason) {
        self.around.tally.take_session(self.kind, self.peer.is_encrypted);
        self.around.tally.count_end(reason);
    }

    /// Logs the end. Only now, because what the Registry logs of the session comes before.
    fn log_end(&self, reason: CloseReason, joined: bool) {
        let error = match &self.state {
            State::Leaving(Some(error)) if reason == CloseReason::Broken => Some(error),
            _ => None,
        };
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
        let limits = &self.around.config.get().limits;
        let farewell = (reason == CloseReason::OutboxFull)
            .then(|| reply::outbox_full(limits.message_bytes, self.name.as_ref(), limits.outbox_bytes));
        if let State::Leaving(known) = &mut self.state {
            // It waits until all that it sent is carried out. That is over now.
            *known = error;
            self.around.registry.leave.do_send(Leave { seat: self.seat, reason, farewell });
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
        if self.input_ended {
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
            self.around.registry.leave.do_send(Leave {
                seat: self.seat,
                reason: CloseReason::Fault,
                farewell: None,
            });
        }
    }
}
