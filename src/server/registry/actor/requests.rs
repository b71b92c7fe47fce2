//! Runs the requests of clients: each becomes lines of the batch.

use arauto_protocol::{Line, Moderation, Name, Refusal, Request, reply, request::Direct};
use slog::Drain;

use super::{super::roster::Member, Registry, log_sent};
use crate::{
    config::Limits,
    server::{
        common::{close::CloseReason, fill_level::FillLevel, peer::LogFields, session_ref::SessionRef},
        courier::messages::ExpectDrain,
        delivery::{
            batch::BATCH_BYTES,
            blocked_work::{BlockedOn, Pending},
        },
        messages::{Leave, Work},
    },
};

impl Registry {
    /// Runs the requests of one read. They are kept if the session still waits for its name, queued if earlier
    /// requests of the session wait, and ignored if the session is no member.
    pub(super) fn work(&mut self, work: Work) {
        let Some(work) = self.claims.divert(work) else { return };
        if self.blocked.has(work.session_ref.id) {
            self.blocked.add(Pending::Work(work));
        } else {
            self.carry_out(work);
        }
    }

    /// Runs waiting requests until the batch is full or none can run.
    pub(super) fn resume(&mut self) {
        while !self.batch_is_full()
            && let Some(pending) = self.blocked.next()
        {
            match pending {
                Pending::Work(work) => self.carry_out(work),
                Pending::Leave(leave) => self.end(leave),
            }
        }
        self.blocked.mark_tried();
    }

    /// Runs all waiting requests, because the server is shutting down. The couriers have lifted the limits of the
    /// outboxes.
    pub(super) fn carry_out_all(&mut self) {
        for pending in self.blocked.take_all() {
            match pending {
                Pending::Work(Work { session_ref, requests, credit }) => {
                    for request in requests {
                        self.serve(session_ref, request);
                        if self.batch_is_full() {
                            self.flush(None);
                        }
                    }
                    self.batch.hold(credit);
                }
                Pending::Leave(leave) => self.end(leave),
            }
        }
    }

    /// Ends a session, after a last line if there is one.
    pub(super) fn end(&mut self, Leave { session_ref, reason, farewell }: Leave) {
        if let Some(line) = farewell {
            self.batch.tell(session_ref, line);
        }
        self.batch.close(session_ref, reason);
        self.leave(session_ref.id);
    }

    fn carry_out(&mut self, Work { session_ref, requests, credit }: Work) {
        let mut requests = requests.into_iter();
        while let Some(request) = requests.next() {
            if let Some(blocked_on) = self.must_wait(session_ref, &request) {
                if blocked_on != BlockedOn::Batch {
                    self.metrics.count_held_back();
                    if self.is_at_least(session_ref.id, FillLevel::High) {
                        self.couriers[usize::from(session_ref.courier)].do_send(ExpectDrain { session_ref });
                    }
                }
                let requests = std::iter::once(request).chain(requests).collect();
                return self.blocked.put_back(Work { session_ref, requests, credit }, blocked_on);
            }
            self.serve(session_ref, request);
        }
        self.batch.hold(credit);
    }

    /// The event that this request has to wait for, if any.
    fn must_wait(&self, session_ref: SessionRef, request: &Request) -> Option<BlockedOn> {
        if self.batch_is_full() {
            return Some(BlockedOn::Batch);
        }
        // Usually all outboxes are low, and every message passes here.
        if self.levels.is_empty() {
            return None;
        }
        let is_held = match request {
            Request::Broadcast(_) => return self.is_anyone_full_but(None).then_some(BlockedOn::AllReceivers),
            Request::BroadcastNotMe(_) => {
                return self.is_anyone_full_but(Some(session_ref.id)).then_some(BlockedOn::AllReceivers);
            }
            Request::Direct(direct) => {
                let receiver = self.roster.find(&direct.to);
                self.is_at_least(
                    receiver.map_or(session_ref.id, |receiver| receiver.session_ref.id),
                    FillLevel::Full,
                )
            }
            // The asker may get an answer, and the owner of the file a request.
            Request::Play(direct) => {
                let owner = self.roster.find(&direct.to);
                self.is_at_least(session_ref.id, FillLevel::High)
                    || owner.is_some_and(|owner| self.is_at_least(owner.session_ref.id, FillLevel::Full))
            }
            Request::Answer(_)
            | Request::Refuse(..)
            | Request::ListClients
            | Request::ListStreams
            | Request::Stop { .. }
            | Request::Help { .. } => self.is_at_least(session_ref.id, FillLevel::High),
            // Of the operators' commands only the list of bans waits.
            Request::Moderate(moderation) => {
                **moderation == Moderation::ListBans && self.is_at_least(session_ref.id, FillLevel::High)
            }
            Request::Exit | Request::CloseServer => false,
        };
        is_held.then_some(BlockedOn::Receiver)
    }

    /// Whether the batch has to be sent before more is added.
    pub(super) fn batch_is_full(&self) -> bool {
        self.batch.bytes() >= batch_bytes(&self.config.limits)
    }

    fn serve(&mut self, session_ref: SessionRef, request: Request) {
        let Some(member) = self.roster.get(session_ref.id) else { return };
        let name = member.name.clone();
        match request {
            Request::Answer(line) => self.tell(session_ref, line),
            Request::Refuse(why, line) => self.refuse(session_ref, why, line),
            Request::Broadcast(line) => self.broadcast(session_ref, &line, None),
            Request::BroadcastNotMe(line) => self.broadcast(session_ref, &line, Some(session_ref)),
            Request::Direct(direct) => self.direct(session_ref, &name, &direct),
            Request::Play(asked) => self.play(session_ref, &name, &asked),
            Request::ListStreams => self.list_streams(session_ref, &name),
            Request::Stop { what, by_operator } => self.stop(session_ref, &name, &what, by_operator),
            Request::ListClients => {
                let lines = reply::list_clients(self.config.limits.message_bytes, &name, self.roster.names());
                self.tell_all(session_ref, lines);
            }
            Request::Help { for_operator } => {
                let lines = reply::help(self.config.limits.message_bytes, &name, for_operator);
                self.tell_all(session_ref, lines);
            }
            Request::Moderate(moderation) => self.moderate(session_ref, &name, *moderation),
            Request::Exit => {
                self.tell(session_ref, reply::client_disconnected(&name));
                self.batch.close(session_ref, CloseReason::Exit);
                self.leave(session_ref.id);
            }
            Request::CloseServer => self.close_server(name.as_str()),
        }
    }

    fn direct(&mut self, session_ref: SessionRef, from: &Name, direct: &Direct) {
        let Direct { operation, to, typed, .. } = direct;
        let limit = self.config.limits.message_bytes;
        let Some(receiver) = self.roster.find(to) else {
            return self.refuse(
                session_ref,
                Refusal::NotFound,
                reply::not_found(limit, from, *operation, typed),
            );
        };
        let receiver_ref = receiver.session_ref;
        match direct.forwarded(limit, from, &receiver.name) {
            Ok(line) => self.tell(receiver_ref, line),
            Err(refusal) => self.refuse(session_ref, Refusal::TooLong, refusal),
        }
    }

    pub(super) fn refuse(&mut self, session_ref: SessionRef, why: Refusal, line: Line) {
        self.metrics.count_refused(why);
        self.tell(session_ref, line);
    }

    fn broadcast(&mut self, from: SessionRef, line: &Line, except: Option<SessionRef>) {
        self.log_sent_to(from, line);
        self.waits.count_sent(line.as_bytes().len());
        self.batch.broadcast(line, except);
    }

    pub(super) fn tell_all(&mut self, session_ref: SessionRef, lines: Vec<Line>) {
        for line in lines {
            self.tell(session_ref, line);
        }
    }

    /// Queues one line for a member.
    pub(super) fn tell(&mut self, session_ref: SessionRef, line: Line) {
        self.log_sent_to(session_ref, &line);
        self.batch.tell(session_ref, line);
    }

    /// Logs a line to one member or to all.
    fn log_sent_to(&self, session_ref: SessionRef, line: &Line) {
        // Every message passes here, so the member is looked up only if the log needs it.
        if self.log.is_debug_enabled()
            && let Some(Member { name, peer, .. }) = self.roster.get(session_ref.id)
        {
            log_sent(&self.log, line, &LogFields { id: session_ref.id, peer, name: Some(name) });
        }
    }
}

/// The size of a full batch, at most a quarter of an outbox: batches in flight when an outbox becomes full come on
/// top of its limit.
pub(super) fn batch_bytes(limits: &Limits) -> usize {
    BATCH_BYTES.min(limits.outbox_bytes / 4)
}
