//! Turns the frames that a session reads into requests, once it has a name, and checks what it may ask for.

use actix::Context;
use arauto_protocol::{Asker, Frame, Line, Name, Refusal, Request, password, reply};
use arauto_rtsp::key::Masked;
use slog::{Drain, debug};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{super::frame_reader::bytes_of, Session, State};
use crate::{
    config::Allow,
    server::{
        admission::{
            auth::Buffered,
            flood::{Excess, FloodUnit, Meter},
        },
        common::close::CloseReason,
        messages::Work,
    },
};

impl Session {
    /// Carries out frames. The session's first frame is the answer to the name request, and the next may be a password.
    pub(super) fn carry_out(
        &mut self,
        frames: Vec<Frame>,
        credit: Option<OwnedSemaphorePermit>,
        ctx: &mut Context<Self>,
    ) {
        let mut requests = Vec::new();
        // Taken out of the session while its name is borrowed. The clock is read once for frames that came together.
        let mut meter = self.meter.take().map(|meter| (meter, Instant::now()));
        let mut frames = frames.into_iter();
        let (mut buffered, mut end) = (None, None);
        while let State::Open = self.state
            && let Some(frame) = frames.next()
        {
            if self.login.as_ref().is_some_and(|login| login.is_comparing()) {
                buffered = Some(frame);
                break;
            }
            if matches!(frame, Frame::Goodbye | Frame::Breach(_)) {
                end = Some(frame);
                break;
            }
            self.log_received(&frame);
            match &self.name {
                None if self.login.is_some() => self.take_password(&frame, ctx),
                None => self.introduce(&frame, ctx),
                // A client whose name came from its certificate, so that it was not asked.
                Some(_) if matches!(frame, Frame::Http | Frame::Tls) => self.introduce(&frame, ctx),
                Some(name) => match meter.as_mut().map(|(meter, now)| meter.admit(bytes_of(&frame), *now)) {
                    Some(Err(excess)) => {
                        requests.push(Request::Refuse(Refusal::TooFast, self.refusal(excess, name)));
                    }
                    Some(Ok(())) | None => requests.push(self.request(&frame, name)),
                },
            }
            if meter.as_ref().is_some_and(|(meter, _)| meter.is_exhausted()) {
                break;
            }
        }
        if let (Some(first), Some(login)) = (buffered, &mut self.login) {
            // The session has no name yet, so there are no requests that the credit could be for.
            login.buffer(Buffered { frames: std::iter::once(first).chain(frames).collect(), credit });
        } else if !requests.is_empty() {
            self.config.worker.metrics.count_operations(requests.iter().filter_map(Request::operation));
            self.config.worker.registry.work.do_send(Work { session_ref: self.own_ref, requests, credit });
        }
        if let Some((meter, _)) = meter {
            if meter.is_exhausted() {
                self.flooded(&meter);
            }
            self.meter = Some(meter);
        }
        if let Some(end) = end {
            self.end_websocket(&end);
        }
    }

    /// Ends a WebSocket that was closed by its client, or not used as RFC 6455 requires.
    fn end_websocket(&mut self, end: &Frame) {
        if let Frame::Breach(breach) = end {
            let farewell =
                reply::bad_websocket(self.config.worker.message_bytes, self.name.as_ref(), *breach);
            self.input_ended |= breach.is_last();
            self.leave((*breach).into(), None, Some(farewell));
        } else {
            // Nothing follows a close frame, so the session need not wait for more input.
            self.input_ended = true;
            self.leave(CloseReason::Eof, None, None);
        }
    }

    fn log_received(&self, frame: &Frame) {
        // Checked first, because the text would be made before slog checks.
        if let Frame::Line(line) = frame
            && self.log().is_debug_enabled()
        {
            if self.login.is_some() || password::is_one(line) {
                debug!(self.log(), "Server receive: a line that may hold a password"; &self.log_fields());
            } else {
                debug!(self.log(), "Server receive: {:?}", Masked(&String::from_utf8_lossy(line)); &self.log_fields());
            }
        }
    }

    /// The refusal for a client that sends too much.
    fn refusal(&self, Excess { of, rate, wait }: Excess, name: &Name) -> Line {
        let limit = self.config.worker.message_bytes;
        match of {
            FloodUnit::Messages => reply::too_many_messages(limit, name, rate.tokens, rate.burst, wait),
            FloodUnit::Bytes => reply::too_many_bytes(limit, name, rate.tokens, rate.burst, wait),
        }
    }

    fn flooded(&mut self, meter: &Meter) {
        let allowance = meter.allowance();
        let (limit, name) = (self.config.worker.message_bytes, self.name.as_ref());
        let farewell = reply::flooded(limit, name, allowance.refusals, allowance.window);
        self.leave(CloseReason::Flood, None, Some(farewell));
    }

    fn request(&self, frame: &Frame, name: &Name) -> Request {
        let limit = self.config.worker.message_bytes;
        match frame {
            Frame::Line(line) => match Request::read(line, &Asker { name, kind: self.kind, limit }) {
                Request::CloseServer => self
                    .may_close(name)
                    .map_or_else(|why| Request::Refuse(Refusal::NotAllowed, why), |()| Request::CloseServer),
                Request::Moderate(moderation) if !self.is_operator(name) => Request::Refuse(
                    Refusal::NotAllowed,
                    reply::only_operators(limit, name, moderation.operation()),
                ),
                Request::Stop { what, .. } => Request::Stop { what, by_operator: self.is_operator(name) },
                Request::Help { .. } => Request::Help { for_operator: self.is_operator(name) },
                request => request,
            },
            Frame::TooLong => Request::Refuse(Refusal::TooLong, reply::line_too_long(limit, name)),
            Frame::Unfinished => Request::Refuse(Refusal::Unfinished, reply::line_unfinished(limit, name)),
            Frame::Overdue => Request::Refuse(
                Refusal::Unfinished,
                reply::line_overdue(limit, name, self.config.timeouts.line),
            ),
            Frame::Http | Frame::Tls | Frame::Goodbye | Frame::Breach(_) => {
                unreachable!("these end the session before")
            }
        }
    }

    /// Whether the session's account is an operator's now, and its credential still holds.
    pub(super) fn is_operator(&self, name: &Name) -> bool {
        self.credential.as_ref().is_some_and(|credential| {
            let accounts = self.config.worker.accounts.current();
            accounts.find(name.key()).is_some_and(|account| account.operator && credential.holds_for(account))
        })
    }

    /// Checks whether this session may end the server; returns the refusal if not.
    fn may_close(&self, name: &Name) -> Result<(), Line> {
        let limit = self.config.worker.message_bytes;
        match self.config.worker.config.get().close_server.allow {
            Allow::Anyone => Ok(()),
            Allow::Operators if self.is_operator(name) => Ok(()),
            Allow::Operators => Err(reply::only_operators_may_close(limit, name)),
            Allow::Loopback if self.peer.is_local => Ok(()),
            Allow::Loopback => Err(reply::only_locals_may_close(limit, name)),
            Allow::Nobody => Err(reply::nobody_may_close(limit, name)),
        }
    }
}
