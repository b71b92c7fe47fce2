//! What is asked of the Registry, carried out: each request becomes lines of the batch.

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
    /// Carries out what one read held, as far as its sender is still a member, or lets it wait.
    pub(super) fn work(&mut self, work: Work) {
        let Some(work) = self.challenges.divert(work) else { return };
        if self.waiting.has(work.seat.id) {
            self.waiting.add(Turn::Work(work));
        } else {
            self.carry_out(work);
        }
    }

    /// Carries out what waited, as far as it can be now.
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

    /// Carries out all that waits, whatever for: the server ends. The couriers have been told that it may be much.
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

    /// A session's last words, and its end.
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

    /// What this request has to wait for, if anything.
    fn must_wait(&self, seat: Seat, request: &Request) -> Option<Until> {
        if self.batch_is_full() {
            return Some(Until::Turn);
        }
        // Nearly always all are calm: this is the way of every message.
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
            // Whoever asks for a file is answered, and perhaps its owner asked.
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
            // To send somebody away waits for nobody.
            Request::Moderate(moderation) => {
                **moderation == Moderation::ListBans && self.is_pressed(seat.id, Level::Busy)
            }
            Request::Exit | Request::CloseServer => false,
        };
        is_held.then_some(Until::Room)
    }

    /// Whether the batch has to go before more is put in.
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

    /// Tells a member one line.
    pub(super) fn tell(&mut self, seat: Seat, line: Line) {
        self.log_sent_to(seat, &line);
        self.batch.tell(seat, line);
    }

    /// Logs a line that a member is told or tells everyone.
    fn log_sent_to(&self, seat: Seat, line: &Line) {
        // Looked up only for a log that wants it: this is the way of every message.
        if self.log.is_debug_enabled()
            && let Some(Member { name, peer, .. }) = self.roster.get(seat.id)
        {
            log_sent(&self.log, line, &Who { id: seat.id, peer, name: Some(name) });
        }
    }
}

/// How much goes out at once. Small outboxes want small batches: what is on its way when one becomes full comes on top
/// of what it may hold.
pub(super) fn batch_bytes(limits: &Limits) -> usize {
    BATCH_BYTES.min(limits.outbox_bytes / 4)
}
