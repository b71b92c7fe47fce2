//! Runs the requests of clients: each becomes lines of the batch.

use slog::Drain;

use super::{Registry, log_sent};
use crate::{
    config::Limits,
    protocol::{Line, Moderation, Name, Refusal, Request, reply, request::Direct},
    server::{
        batch::BATCH_BYTES,
        close::CloseReason,
        messages::{Impatient, Leave, Work},
        outbox::Level,
        roster::Member,
        seat::Seat,
        waiting::{Turn, Until},
        who::Who,
    },
};

impl Registry {
    /// Runs the requests of one read. They are kept if the session still waits for its name, queued if earlier
    /// requests of the session wait, and ignored if the session is no member.
    pub(super) fn work(&mut self, work: Work) {
        let Some(work) = self.challenges.divert(work) else { return };
        if self.waiting.has(work.seat.id) {
            self.waiting.add(Turn::Work(work));
        } else {
            self.carry_out(work);
        }
    }

    /// Runs waiting requests until the batch is full or none can run.
    pub(super) fn resume(&mut self) {
        while !self.batch_is_full()
            && let Some(turn) = self.waiting.next()
        {
            match turn {
                Turn::Work(work) => self.carry_out(work),
                Turn::Leave(leave) => self.end(leave),
            }
        }
        self.waiting.mark_tried();
    }

    /// Runs all waiting requests, because the server is shutting down. The couriers have lifted the limits of the
    /// outboxes.
    pub(super) fn carry_out_all(&mut self) {
        for turn in self.waiting.take_all() {
            match turn {
                Turn::Work(Work { seat, requests, credit }) => {
                    for request in requests {
                        self.serve(seat, request);
                        if self.batch_is_full() {
                            self.flush(None);
                        }
                    }
                    self.batch.hold(credit);
                }
                Turn::Leave(leave) => self.end(leave),
            }
        }
    }

    /// Ends a session, after a last line if there is one.
    pub(super) fn end(&mut self, Leave { seat, reason, farewell }: Leave) {
        if let Some(line) = farewell {
            self.batch.tell(seat, line);
        }
        self.batch.close(seat, reason);
        self.leave(seat.id);
    }

    fn carry_out(&mut self, Work { seat, requests, credit }: Work) {
        let mut requests = requests.into_iter();
        while let Some(request) = requests.next() {
            if let Some(until) = self.must_wait(seat, &request) {
                if until != Until::Turn {
                    self.tally.count_held_back();
                    if self.is_pressed(seat.id, Level::Busy) {
                        self.couriers[usize::from(seat.courier)].do_send(Impatient { seat });
                    }
                }
                let requests = std::iter::once(request).chain(requests).collect();
                return self.waiting.put_back(Work { seat, requests, credit }, until);
            }
            self.serve(seat, request);
        }
        self.batch.hold(credit);
    }

    /// The event that this request has to wait for, if any.
    fn must_wait(&self, seat: Seat, request: &Request) -> Option<Until> {
        if self.batch_is_full() {
            return Some(Until::Turn);
        }
        // Usually all outboxes are calm, and every message passes here.
        if self.pressed.is_empty() {
            return None;
        }
        let is_held = match request {
            Request::Broadcast(_) => return self.is_anyone_full_but(None).then_some(Until::RoomForAll),
            Request::BroadcastNotMe(_) => {
                return self.is_anyone_full_but(Some(seat.id)).then_some(Until::RoomForAll);
            }
            Request::Direct(direct) => {
                let receiver = self.roster.find(&direct.to);
                self.is_pressed(receiver.map_or(seat.id, |receiver| receiver.seat.id), Level::Full)
            }
            // The asker may get an answer, and the owner of the file a request.
            Request::Play(direct) => {
                let owner = self.roster.find(&direct.to);
                self.is_pressed(seat.id, Level::Busy)
                    || owner.is_some_and(|owner| self.is_pressed(owner.seat.id, Level::Full))
            }
            Request::Answer(_)
            | Request::Refuse(..)
            | Request::ListClients
            | Request::ListStreams
            | Request::Stop { .. }
            | Request::Help { .. } => self.is_pressed(seat.id, Level::Busy),
            // Of the operators' commands only the list of bans waits.
            Request::Moderate(moderation) => {
                **moderation == Moderation::ListBans && self.is_pressed(seat.id, Level::Busy)
            }
            Request::Exit | Request::CloseServer => false,
        };
        is_held.then_some(Until::Room)
    }

    /// Whether the batch has to be sent before more is added.
    pub(super) fn batch_is_full(&self) -> bool {
        self.batch.bytes() >= batch_bytes(&self.config.limits)
    }

    fn serve(&mut self, seat: Seat, request: Request) {
        let Some(member) = self.roster.get(seat.id) else { return };
        let name = member.name.clone();
        match request {
            Request::Answer(line) => self.tell(seat, line),
            Request::Refuse(why, line) => self.refuse(seat, why, line),
            Request::Broadcast(line) => self.broadcast(seat, &line, None),
            Request::BroadcastNotMe(line) => self.broadcast(seat, &line, Some(seat)),
            Request::Direct(direct) => self.direct(seat, &name, &direct),
            Request::Play(asked) => self.play(seat, &name, &asked),
            Request::ListStreams => self.list_streams(seat, &name),
            Request::Stop { what, by_operator } => self.stop(seat, &name, &what, by_operator),
            Request::ListClients => {
                let lines = reply::list_clients(self.config.limits.message_bytes, &name, self.roster.names());
                self.tell_all(seat, lines);
            }
            Request::Help { for_operator } => {
                let lines = reply::help(self.config.limits.message_bytes, &name, for_operator);
                self.tell_all(seat, lines);
            }
            Request::Moderate(moderation) => self.moderate(seat, &name, *moderation),
            Request::Exit => {
                self.tell(seat, reply::client_disconnected(&name));
                self.batch.close(seat, CloseReason::Exit);
                self.leave(seat.id);
            }
            Request::CloseServer => self.close_server(name.as_str()),
        }
    }

    fn direct(&mut self, seat: Seat, from: &Name, direct: &Direct) {
        let Direct { operation, to, typed, .. } = direct;
        let limit = self.config.limits.message_bytes;
        let Some(receiver) = self.roster.find(to) else {
            return self.refuse(seat, Refusal::NotFound, reply::not_found(limit, from, *operation, typed));
        };
        let receiver_seat = receiver.seat;
        match direct.forwarded(limit, from, &receiver.name) {
            Ok(line) => self.tell(receiver_seat, line),
            Err(refusal) => self.refuse(seat, Refusal::TooLong, refusal),
        }
    }

    pub(super) fn refuse(&mut self, seat: Seat, why: Refusal, line: Line) {
        self.tally.count_refused(why);
        self.tell(seat, line);
    }

    fn broadcast(&mut self, from: Seat, line: &Line, except: Option<Seat>) {
        self.log_sent_to(from, line);
        self.waits.count_sent(line.as_bytes().len());
        self.batch.broadcast(line, except);
    }

    pub(super) fn tell_all(&mut self, seat: Seat, lines: Vec<Line>) {
        for line in lines {
            self.tell(seat, line);
        }
    }

    /// Queues one line for a member.
    pub(super) fn tell(&mut self, seat: Seat, line: Line) {
        self.log_sent_to(seat, &line);
        self.batch.tell(seat, line);
    }

    /// Logs a line to one member or to all.
    fn log_sent_to(&self, seat: Seat, line: &Line) {
        // Every message passes here, so the member is looked up only if the log needs it.
        if self.log.is_debug_enabled()
            && let Some(Member { name, peer, .. }) = self.roster.get(seat.id)
        {
            log_sent(&self.log, line, &Who { id: seat.id, peer, name: Some(name) });
        }
    }
}

/// The size of a full batch, at most a quarter of an outbox: batches in flight when an outbox becomes full come on
/// top of its limit.
pub(super) fn batch_bytes(limits: &Limits) -> usize {
    BATCH_BYTES.min(limits.outbox_bytes / 4)
}
