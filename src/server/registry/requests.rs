//! What is asked of the Registry, carried out: each request becomes lines of the batch.

use slog::Drain;

use super::{Registry, log_sent};
use crate::{
    protocol::{
        Line, Name, Request, reply,
        request::{Direct, forwarded},
    },
    server::{batch::BATCH_BYTES, close::CloseReason, messages::Work, roster::Member, seat::Seat, who::Who},
};

impl Registry {
    /// Carries out what one read held, as far as its sender is still a member.
    pub(super) fn work(&mut self, work: Work) {
        let Some(work) = self.challenges.divert(work) else { return };
        let seat = work.seat;
        let mut told = 0;
        for request in work.requests {
            // Few bytes can ask for many: a list of thousands, again and again. One more than any outbox could hold with
            // the others is not made.
            if told > self.limits.outbox_bytes && matches!(request, Request::ListClients | Request::Help) {
                self.overwhelmed(seat);
                break;
            }
            told += self.serve(seat, request);
            if self.batch.bytes() > BATCH_BYTES {
                self.pace.overflowed();
                self.flush(None);
            }
        }
        if let Some(credit) = work.credit {
            self.batch.hold(credit);
        }
    }

    /// Carries out one request. Returns how many bytes its sender is told.
    fn serve(&mut self, seat: Seat, request: Request) -> usize {
        let Some(member) = self.roster.get(seat.id) else { return 0 };
        let name = member.name.clone();
        match request {
            Request::Answer(line) => self.tell(seat, line),
            Request::Broadcast(line) => self.broadcast(seat, &line, None),
            Request::BroadcastNotMe(line) => self.broadcast(seat, &line, Some(seat)),
            Request::Direct(direct) => self.direct(seat, &name, &direct),
            Request::ListClients => {
                let lines = reply::list_clients(self.limits.message_bytes, &name, self.roster.names());
                self.tell_all(seat, lines)
            }
            Request::Help => self.tell_all(seat, reply::help(self.limits.message_bytes, &name)),
            Request::Exit => {
                let told = self.tell(seat, reply::client_disconnected(&name));
                self.batch.close(seat, CloseReason::Exit);
                self.leave(seat.id);
                told
            }
            Request::CloseServer => {
                self.close_server(name.as_str());
                0
            }
        }
    }

    fn direct(&mut self, seat: Seat, from: &Name, direct: &Direct) -> usize {
        let Direct { operation, to, typed, data } = direct;
        let limit = self.limits.message_bytes;
        let Some(receiver) = self.roster.find(to) else {
            return self.tell(seat, reply::not_found(limit, from, *operation, typed));
        };
        let receiver_seat = receiver.seat;
        match forwarded(limit, from, receiver.name.as_str(), *operation, data) {
            Ok(line) => {
                self.tell(receiver_seat, line);
                0
            }
            Err(refusal) => self.tell(seat, refusal),
        }
    }

    fn broadcast(&mut self, from: Seat, line: &Line, except: Option<Seat>) -> usize {
        self.log_sent_to(from, line);
        self.batch.broadcast(line, except);
        0
    }

    fn tell_all(&mut self, seat: Seat, lines: Vec<Line>) -> usize {
        lines.into_iter().map(|line| self.tell(seat, line)).sum()
    }

    /// Tells a member one line. Returns its bytes.
    pub(super) fn tell(&mut self, seat: Seat, line: Line) -> usize {
        self.log_sent_to(seat, &line);
        let bytes = line.as_bytes().len();
        self.batch.tell(seat, line);
        bytes
    }

    /// Logs a line that a member is told or tells everyone.
    fn log_sent_to(&self, seat: Seat, line: &Line) {
        // Looked up only for a log that wants it: this is the way of every message.
        if self.log.is_debug_enabled()
            && let Some(Member { name, peer, .. }) = self.roster.get(seat.id)
        {
            log_sent(&self.log, line, &Who { id: seat.id, peer: *peer, name: Some(name) });
        }
    }

    fn overwhelmed(&mut self, seat: Seat) {
        if let Some(member) = self.roster.get(seat.id) {
            let farewell =
                reply::outbox_full(self.limits.message_bytes, Some(&member.name), self.limits.outbox_bytes);
            self.tell(seat, farewell);
            self.batch.close(seat, CloseReason::OutboxFull);
            self.leave(seat.id);
        }
    }
}
