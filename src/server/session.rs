//! [`Session`]: the actor of one connection. It reads frames, makes them requests and sends those to the Registry.
//!
//! It never writes: what it is answered takes the Registry's order and the courier's outbox. It ends exactly once,
//! with one reason, which it logs and counts; from then on whatever is read is dropped.

use std::{io, rc::Rc, sync::Arc};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, SpawnHandle, StreamHandler};
use slog::{Logger, debug, info};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    close::{CloseReason, LINGER, Tally},
    connection::ReceiveHalf,
    inbox::{Inbox, Intake, Read},
    messages::{Enter, Hangup, Leave, Raw, Reframe, Sent, ToCourier, ToRegistry, Work},
    seat::Seat,
    who::{Peer, Who},
};
use crate::{
    config::{Allow, Config},
    escape::Escaped,
    protocol::{Asker, Frame, Kind, Line, Name, Request, reply, request},
};

/// What all sessions of an arbiter share.
#[derive(Clone)]
pub struct Surroundings {
    /// Where requests go.
    pub registry: ToRegistry,
    /// Who carries their output.
    pub courier: ToCourier,
    /// What is in force.
    pub config: Config,
    /// Counts joins and ends.
    pub tally: Arc<Tally>,
    /// The server's log.
    pub log: Logger,
}

/// The actor of one connection.
pub struct Session {
    seat: Seat,
    peer: Peer,
    kind: Kind,
    state: State,
    around: Rc<Surroundings>,
    name_timer: Option<SpawnHandle>,
    /// The session's place among the server's; given back with the last of its parts.
    _permit: Rc<OwnedSemaphorePermit>,
}

enum State {
    /// Its answer to the name request has not come.
    Unnamed,
    /// It answered with this name. Whether it may bear it is for the Registry to say; what it sends meanwhile
    /// is carried out only if it may.
    Named(Name),
    /// It is over.
    Ended,
}

impl Session {
    /// Starts a session that reads from `inbox` and is written to by `courier`.
    pub fn open(
        inbox: Inbox<impl ReceiveHalf>,
        seat: Seat,
        peer: Peer,
        around: Rc<Surroundings>,
        permit: Rc<OwnedSemaphorePermit>,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.add_stream(inbox);
            let name_timer = Some(ctx.run_later(around.config.limits.name_timeout, Self::out_of_time));
            let state = State::Unnamed;
            Self { seat, peer, kind: Kind::Line, state, around, name_timer, _permit: permit }
        })
    }

    fn log(&self) -> &Logger {
        &self.around.log
    }

    fn who(&self) -> Who<'_> {
        let name = match &self.state {
            State::Named(name) => Some(name),
            State::Unnamed | State::Ended => None,
        };
        Who { id: self.seat.id, peer: self.peer, name }
    }

    /// Takes what one read held.
    fn take(&mut self, read: Read, ctx: &mut Context<Self>) {
        if read.kind != self.kind {
            self.kind = read.kind;
            self.around.courier.reframe.do_send(Reframe { seat: self.seat, kind: read.kind });
        }
        if !read.replies.is_empty() {
            self.around.courier.raw.do_send(Raw { seat: self.seat, bytes: read.replies.into() });
        }
        let requests = self.requests(read.frames, ctx);
        if !requests.is_empty() {
            self.around.registry.work.do_send(Work { seat: self.seat, requests, credit: Some(read.credit) });
        }
    }

    /// The requests that these frames make. The first frame of all is the answer to the name request.
    fn requests(&mut self, frames: Vec<Frame>, ctx: &mut Context<Self>) -> Vec<Request> {
        let mut requests = Vec::new();
        for frame in frames {
            if let Frame::Line(line) = &frame {
                debug!(self.log(), "Server receive: {}", Escaped(String::from_utf8_lossy(line)); &self.who());
            }
            match &self.state {
                State::Unnamed => self.introduce(&frame, ctx),
                State::Named(name) => requests.push(self.request(&frame, name)),
                State::Ended => break,
            }
        }
        requests
    }

    fn request(&self, frame: &Frame, name: &Name) -> Request {
        let limit = self.around.config.limits.message_bytes;
        match frame {
            Frame::Line(line) => match Request::read(line, &Asker { name, kind: self.kind, limit }) {
                Request::CloseServer => {
                    self.may_close(name).map_or_else(Request::Answer, |()| Request::CloseServer)
                }
                request => request,
            },
            Frame::TooLong => Request::Answer(reply::line_too_long(limit, name)),
            Frame::Unfinished => Request::Answer(reply::line_unfinished(limit, name)),
            // The decoder finds other protocols on the first line only, which is the answer to the name request.
            Frame::Http | Frame::Tls => Request::Answer(reply::error_message(limit, name, SPEAKS_TR2)),
        }
    }

    /// Takes the answer to the name request.
    fn introduce(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let limit = self.around.config.limits.message_bytes;
        let (reason, farewell) = match frame {
            Frame::Line(line) => match request::introduction(line, limit) {
                Ok(name) => return self.enter(name, ctx),
                Err((request::NoName::NotAName, farewell)) => (CloseReason::NotAName, farewell),
                Err((request::NoName::Invalid, farewell)) => (CloseReason::NameInvalid, farewell),
            },
            Frame::TooLong => (
                CloseReason::NotAName,
                reply::connection_error(
                    limit,
                    "A name was asked for, but the line is too long. Type just your name: bob",
                ),
            ),
            Frame::Unfinished => (
                CloseReason::NotAName,
                reply::connection_error(
                    limit,
                    "A name was asked for, but the line does not end with a newline",
                ),
            ),
            Frame::Http => (CloseReason::Http, reply::connection_error(limit, SPEAKS_TR2)),
            Frame::Tls => (CloseReason::Tls, reply::connection_error(limit, SPEAKS_TR2)),
        };
        self.leave(reason, None, Some(farewell), ctx);
    }

    fn enter(&mut self, name: Name, ctx: &mut Context<Self>) {
        if let Some(timer) = self.name_timer.take() {
            ctx.cancel_future(timer);
        }
        self.state = State::Named(name.clone());
        self.around.registry.enter.do_send(Enter { seat: self.seat, peer: self.peer, name });
    }

    /// Whether this session may end the server; the refusal if not.
    fn may_close(&self, name: &Name) -> Result<(), Line> {
        let why = match self.around.config.close_server.allow {
            Allow::Anyone => return Ok(()),
            Allow::Loopback if self.peer.is_local => return Ok(()),
            Allow::Loopback => "Only someone connected from the server's own machine may close it",
            Allow::Nobody => "Nobody may close this server by a message",
        };
        Err(reply::error_message(self.around.config.limits.message_bytes, name, why))
    }

    fn out_of_time(&mut self, ctx: &mut Context<Self>) {
        let limits = &self.around.config.limits;
        let waited = humantime::format_duration(limits.name_timeout);
        let why = format!("No name came within {waited}. Connect again and type your name and Enter");
        let farewell = reply::connection_error(limits.message_bytes, &why);
        self.leave(CloseReason::NameTimeout, None, Some(farewell), ctx);
    }

    /// Ends the session for a reason of its own, after everything it sent so far.
    fn leave(
        &mut self,
        reason: CloseReason,
        error: Option<&io::Error>,
        farewell: Option<Line>,
        ctx: &mut Context<Self>,
    ) {
        if matches!(self.state, State::Ended) {
            return;
        }
        if let Some(line) = &farewell {
            debug!(self.log(), "Server sends: {}", Escaped(line.text()); &self.who());
        }
        self.end(reason, error, ctx);
        self.around.registry.leave.do_send(Leave { seat: self.seat, reason, farewell });
    }

    /// Ends the session, if it has not ended before.
    fn end(&mut self, reason: CloseReason, error: Option<&io::Error>, ctx: &mut Context<Self>) {
        if matches!(self.state, State::Ended) {
            return;
        }
        match (&self.state, error) {
            (State::Named(name), Some(error)) => {
                let message = reply::broken_connection(&error.to_string(), name.as_str());
                info!(self.log(), "{}", message; &self.who(), "reason" => reason);
            }
            // Until the Registry has given the name, nobody has joined who could leave.
            (State::Named(_), None) if reason != CloseReason::NameTaken => {
                info!(self.log(), "left"; &self.who(), "reason" => reason);
            }
            (_, Some(error)) => {
                info!(self.log(), "refused"; &self.who(), "reason" => reason, "error" => %error);
            }
            (_, None) => info!(self.log(), "refused"; &self.who(), "reason" => reason),
        }
        self.around.tally.count_end(reason);
        self.state = State::Ended;
        if !reason.lingers() {
            ctx.stop();
        }
    }
}

/// What someone who speaks another protocol is told.
const SPEAKS_TR2: &str =
    "This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet and type a name";

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        // The courier sent it when it gave the session its place.
        debug!(self.log(), "Server sends: {}", reply::name_request().text(); &self.who());
    }
}

impl StreamHandler<Intake> for Session {
    fn handle(&mut self, intake: Intake, ctx: &mut Self::Context) {
        match intake {
            Intake::Read(read) => self.take(read, ctx),
            Intake::End(_) if matches!(self.state, State::Ended) => ctx.stop(),
            Intake::End(Ok(last)) => {
                let requests = self.requests(last.into_iter().collect(), ctx);
                if !requests.is_empty() {
                    self.around.registry.work.do_send(Work { seat: self.seat, requests, credit: None });
                }
                self.leave(CloseReason::Eof, None, None, ctx);
            }
            Intake::End(Err(error)) => self.leave(CloseReason::Broken, Some(&error), None, ctx),
        }
    }

    /// The end of input is an [`Intake`] of its own; that no more follows it means nothing.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Hangup> for Session {
    type Result = ();

    fn handle(&mut self, Hangup { reason, error }: Hangup, ctx: &mut Self::Context) {
        let farewell = match (&self.state, reason) {
            (State::Named(name), CloseReason::OutboxFull) => Some(reply::outbox_full(
                self.around.config.limits.message_bytes,
                name,
                self.around.config.limits.outbox_bytes,
            )),
            _ => None,
        };
        match reason {
            // The courier found these out by itself: the Registry has to be told.
            CloseReason::OutboxFull | CloseReason::Broken => {
                self.leave(reason, error.as_ref(), farewell, ctx);
            }
            _ => self.end(reason, None, ctx),
        }
    }
}

impl Handler<Sent> for Session {
    type Result = ();

    fn handle(&mut self, _: Sent, ctx: &mut Self::Context) {
        ctx.run_later(LINGER, |_, ctx| ctx.stop());
    }
}

impl Drop for Session {
    /// A session that dies of a fault must not keep its name.
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.around.tally.count_end(CloseReason::Fault);
            self.around.registry.leave.do_send(Leave {
                seat: self.seat,
                reason: CloseReason::Fault,
                farewell: None,
            });
        }
    }
}
