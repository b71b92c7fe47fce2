//! [`Session`]: the actor of one connection. It turns the frames that it reads into requests and sends these to the
//! Registry.
//!
//! A session never writes: replies take the Registry's order and the courier's outbox. A session ends exactly once,
//! when its courier hangs up, with one reason, which it logs and counts. Once it has asked to leave, it drops whatever
//! it still reads.

use std::{io, rc::Rc, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, StreamHandler, WrapFuture,
};
use arauto_protocol::{Frame, Kind, Line, Name, reply};
use slog::{Drain, Logger, debug, error, info};
use tokio::time::Instant;

use super::{
    frame_reader::{FrameReader, Read, ReadEvent, bytes_of},
    messages::{Evicted, Hangup, Sent},
    read_timeouts::ReadTimeouts,
};
use crate::{
    accounts::{Directory, Verifier},
    config::InForce,
    server::{
        admission::{
            address_limiter::SessionPermit,
            auth::{Credential, LoginAttempt},
            flood::Meter,
        },
        common::{
            close::{CloseReason, LINGER_TIMEOUT},
            peer::{LogFields, Peer},
            session_ref::SessionRef,
        },
        messages::{Leave, Reframe, SendRaw, ToCourier, ToRegistry},
        metrics::{Metrics, Traffic},
        net::connection::ReceiveHalf,
    },
};

mod entering;
mod requests;
mod wait;

use wait::Wait;

/// State shared by all sessions of a worker.
#[derive(Clone)]
pub struct WorkerContext {
    /// Sends requests to the Registry.
    pub registry: ToRegistry,
    /// Sends to the courier, which writes the sessions' output.
    pub courier: ToCourier,
    /// The configuration in force.
    pub config: InForce,
    /// The accounts, whose names require a password.
    pub accounts: Directory,
    /// Compares passwords.
    pub verifier: Verifier,
    /// Maximum length of a message in bytes. Fixed while the server runs, so a message that one part accepts fits in
    /// all others.
    pub message_bytes: usize,
    /// Counts sessions, received messages and ends.
    pub metrics: Arc<Metrics>,
    /// The server's log.
    pub log: Logger,
}

/// State shared by the sessions of a worker that began under one configuration. Each session holds one pointer to it.
pub struct SessionConfig {
    /// Read timeouts.
    pub timeouts: Rc<ReadTimeouts>,
    /// State shared by all sessions of the worker.
    pub worker: Rc<WorkerContext>,
}

impl SessionConfig {
    /// Creates the configuration of sessions that begin under the configuration now in force.
    #[must_use]
    pub fn of(worker: &Rc<WorkerContext>) -> Self {
        Self { timeouts: Rc::new(ReadTimeouts::of(&worker.config.get())), worker: Rc::clone(worker) }
    }
}

/// The actor of one connection.
pub struct Session {
    own_ref: SessionRef,
    peer: Arc<Peer>,
    kind: Kind,
    /// The answer to the name request. The Registry decides whether the session may have this name; requests that the
    /// client sends meanwhile are carried out only if it may.
    name: Option<Name>,
    /// Shows that the account of that name is the client's own, if the client gave a password or certificate.
    credential: Option<Box<Credential>>,
    /// The attempt to log in to an account, while its password is asked for or compared.
    login: Option<Box<LoginAttempt>>,
    state: State,
    /// The error that broke the connection, if the session leaves because of it.
    broken_by: Option<io::Error>,
    config: Rc<SessionConfig>,
    /// Limits what the client may send. Boxed, because most sessions have no limit.
    meter: Option<Box<Meter>>,
    /// Number of the wait for an answer that counts; see [`Wait`].
    wait: u8,
    /// The client sends no more.
    input_ended: bool,
    /// The server's sending side is shut.
    sent: bool,
    /// The session's places, given back when its last part is dropped.
    permit: Rc<SessionPermit>,
}

enum State {
    /// Frames are carried out.
    Open,
    /// The session has told the Registry that it leaves, and waits for the courier to hang up.
    Leaving,
    /// The courier has hung up, and the end is logged and counted.
    Over,
}

impl Session {
    /// Starts a session that reads from `frame_reader`. `certified` is the name in the client's certificate; without
    /// one, the client has to answer the name request.
    pub fn open(
        frame_reader: FrameReader<impl ReceiveHalf>,
        session_ref: SessionRef,
        peer: Arc<Peer>,
        session_config: Rc<SessionConfig>,
        meter: Option<Box<Meter>>,
        permit: Rc<SessionPermit>,
        certified: Option<String>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            let kind = frame_reader.kind();
            ctx.add_stream(frame_reader);
            session_config.worker.metrics.add_session(kind, peer.is_encrypted);
            let name_timeout = permit.name_timeout(session_config.worker.config.get().limits.name_timeout);
            let wait = 0;
            ctx.spawn(Wait::new(wait, name_timeout));
            let state = State::Open;
            let mut session = Self {
                own_ref: session_ref,
                peer,
                kind,
                name: None,
                credential: None,
                login: None,
                state,
                broken_by: None,
                config: session_config,
                meter,
                wait,
                input_ended: false,
                sent: false,
                permit,
            };
            if let Some(trial) = &session.permit.trial {
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
        &self.config.worker.log
    }

    fn log_fields(&self) -> LogFields<'_> {
        LogFields { id: self.own_ref.id, peer: &self.peer, name: self.name.as_ref() }
    }

    /// Handles the frames of one read.
    fn take(&mut self, read: Read, ctx: &mut Context<Self>) {
        if !matches!(self.state, State::Open) {
            // Frames are dropped, except that a goodbye ends the input.
            if read.frames.contains(&Frame::Goodbye) {
                self.input_ended = true;
                if self.sent {
                    ctx.stop();
                }
            }
            return;
        }
        if read.kind != self.kind {
            self.config.worker.metrics.take_session(self.kind, self.peer.is_encrypted);
            self.config.worker.metrics.add_session(read.kind, self.peer.is_encrypted);
            self.kind = read.kind;
            self.config
                .worker
                .courier
                .reframe
                .do_send(Reframe { session_ref: self.own_ref, kind: read.kind });
        }
        let replies = match &mut self.login {
            Some(login) => login.pass_on(read.replies),
            None => read.replies,
        };
        if !replies.is_empty() {
            self.config
                .worker
                .courier
                .raw
                .do_send(SendRaw { session_ref: self.own_ref, bytes: replies.into() });
        }
        if read.junk_bytes > 0
            && let Some(meter) = &mut self.meter
        {
            meter.take_junk(read.junk_bytes, Instant::now());
        }
        let mut traffic = Traffic::default();
        traffic.add(read.frames.len(), read.frames.iter().map(bytes_of).sum());
        self.config.worker.metrics.count_received(traffic);
        self.carry_out(read.frames, Some(read.credit), ctx);
        if let Some(login) = &mut self.login {
            login.await_answer();
        }
    }

    fn idle(&mut self) {
        let farewell =
            reply::idle(self.config.worker.message_bytes, self.name.as_ref(), self.config.timeouts.idle);
        self.leave(CloseReason::Idle, None, Some(farewell));
    }

    /// Asks the Registry to end the session for `reason`, after everything that the client has sent so far.
    fn leave(&mut self, reason: CloseReason, error: Option<io::Error>, farewell: Option<Line>) {
        if !matches!(self.state, State::Open) {
            return;
        }
        if let Some(line) = &farewell {
            debug!(self.log(), "Server sends: {:?}", line.text(); &self.log_fields());
        }
        (self.state, self.broken_by) = (State::Leaving, error);
        self.config.worker.registry.leave.do_send(Leave { session_ref: self.own_ref, reason, farewell });
    }

    fn count_end(&self, reason: CloseReason) {
        self.config.worker.metrics.take_session(self.kind, self.peer.is_encrypted);
        self.config.worker.metrics.count_end(reason);
    }

    /// Logs the end. Called on hangup, because all that the Registry logs of the session comes before.
    fn log_end(&self, reason: CloseReason, joined: bool) {
        let error = self.broken_by.as_ref().filter(|_| reason == CloseReason::Broken);
        let nameless = LogFields { name: None, ..self.log_fields() };
        let wanted = self.name.as_ref().or(self.login.as_ref().map(|login| &login.name));
        match (wanted, error) {
            (Some(name), Some(error)) if joined => {
                let message = reply::broken_connection(&error.to_string(), name.as_str());
                info!(self.log(), "{}", message; &self.log_fields(), "reason" => reason);
            }
            (Some(_), None) if joined => {
                info!(self.log(), "left"; &self.log_fields(), "reason" => reason);
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
        // The listener or the courier sends the name request. Its text is made here only for a log that wants it.
        if self.name.is_none() && self.log().is_debug_enabled() {
            debug!(self.log(), "Server sends: {:?}", reply::name_request().text(); &self.log_fields());
        }
    }
}

impl StreamHandler<ReadEvent> for Session {
    fn handle(&mut self, read_event: ReadEvent, ctx: &mut Self::Context) {
        self.input_ended |= matches!(read_event, ReadEvent::End(_));
        match read_event {
            ReadEvent::Read(read) => self.take(read, ctx),
            ReadEvent::Idle => self.idle(),
            ReadEvent::End(_) if self.sent => ctx.stop(),
            ReadEvent::End(Ok(last)) => {
                self.carry_out(last.into_iter().collect(), None, ctx);
                match &mut self.login {
                    Some(login) if login.is_comparing() => login.end_input(),
                    _ => self.leave(CloseReason::Eof, None, None),
                }
            }
            ReadEvent::End(Err(error)) => self.leave(CloseReason::Broken, Some(error), None),
        }
    }

    /// Does nothing: the end of input is a `ReadEvent` of its own.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Evicted> for Session {
    type Result = ();

    fn handle(&mut self, Evicted { reason, error }: Evicted, _: &mut Self::Context) {
        let limits = &self.config.worker.config.get().limits;
        let farewell = (reason == CloseReason::OutboxFull)
            .then(|| reply::outbox_full(limits.message_bytes, self.name.as_ref(), limits.outbox_bytes));
        if matches!(self.state, State::Leaving) {
            // The session was leaving after its queued requests. Now it leaves without waiting for them.
            self.broken_by = error;
            self.config.worker.registry.leave.do_send(Leave { session_ref: self.own_ref, reason, farewell });
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
        // The actor lives on until all output is sent, and while the client may still be sending.
        self.state = State::Over;
    }
}

impl Handler<Sent> for Session {
    type Result = ();

    fn handle(&mut self, Sent { lost }: Sent, ctx: &mut Self::Context) {
        if lost > 0 {
            info!(self.log(), "unsent data discarded at close"; &self.log_fields(), "bytes" => lost);
        }
        if self.input_ended || !self.permit.may_linger() {
            ctx.stop();
        } else {
            self.sent = true;
            ctx.run_later(LINGER_TIMEOUT, |_, ctx| ctx.stop());
        }
    }
}

impl Drop for Session {
    /// Leaves for a session that died of a fault, which must not keep its name.
    fn drop(&mut self) {
        if !matches!(self.state, State::Over) {
            error!(self.log(), "session died"; &self.log_fields(), "reason" => CloseReason::Fault);
            self.count_end(CloseReason::Fault);
            self.config.worker.registry.leave.do_send(Leave {
                session_ref: self.own_ref,
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
        // Tasks are allocated in steps of 128 bytes. With one byte more, each connection would take the next step.
        assert!(size_of::<Session>() <= 112, "{}", size_of::<Session>());
    }
}
