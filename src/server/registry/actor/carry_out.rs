//! Carries out the entries of the order: changes members, names and bans, and emits the output.

use arauto_protocol::{Line, Name, Operation, Request, Tag, reply, tag};

use super::{
    super::{judge, roster::Roster},
    Registry,
    order_log::Entry,
};
use crate::server::{
    common::{
        close::CloseReason,
        exit_guard::SupervisorEvent,
        fill_level::FillLevel,
        session_ref::{SessionId, SessionRef},
    },
    messages::{CloseServer, Leave},
};

mod entering;
mod moderation;

impl Registry {
    /// Carries out one entry. Only [`Self::append`] calls this. Inlined, so that a request is not copied into an entry
    /// and out again.
    #[inline]
    pub(super) fn carry_out(&mut self, entry: Entry) {
        match entry {
            Entry::Request(session_ref, request) => self.serve(session_ref, request),
            Entry::Enter(enter) => self.enter(enter, Vec::new()),
            Entry::ClaimOver(claimant) => self.end_claim(claimant),
            Entry::Leave(leave) => self.end(leave),
            Entry::Close { by } => self.close(&by),
        }
    }

    pub(super) fn serve(&mut self, session_ref: SessionRef, request: Request) {
        let Some(member) = self.roster.get(session_ref.id) else { return };
        let name = member.name.clone();
        let limit = self.config.limits.message_bytes;
        match request {
            Request::Answer(line) => self.output().tell(session_ref, line),
            Request::Refuse(why, line) => self.output().refuse(session_ref, (why, line)),
            Request::Broadcast(line) => self.broadcast(session_ref, &line, None),
            Request::BroadcastNotMe(line) => self.broadcast(session_ref, &line, Some(session_ref)),
            Request::Direct(direct) => match judge::direct(&self.roster, limit, &name, &direct) {
                Ok((receiver, line)) if direct.operation == Operation::PrivateMessage => {
                    let tag = self.next_tag();
                    self.output().tell_message(receiver, line, tag);
                }
                Ok((receiver, line)) => self.output().tell(receiver, line),
                Err(refusal) => self.output().refuse(session_ref, refusal),
            },
            Request::Play(asked) => self.streams().play(session_ref, &name, &asked),
            Request::ListStreams => self.streams().list(session_ref, &name),
            Request::Stop { what, by_operator } => {
                self.streams().stop(session_ref, &name, &what, by_operator);
            }
            Request::ListClients => {
                let lines = reply::list_clients(limit, &name, self.roster.names());
                self.output().tell_all(session_ref, lines);
            }
            Request::Watch => self.watch(session_ref),
            Request::Unwatch => self.unwatch(session_ref, &name),
            Request::Tags(on) => self.set_tags(session_ref, &name, on),
            Request::Help { for_operator } => {
                self.output().tell_all(session_ref, reply::help(limit, &name, for_operator));
            }
            Request::Moderate(moderation) => self.moderate(session_ref, &name, *moderation),
            Request::Exit => {
                let farewell = reply::client_disconnected(&name);
                self.dismiss(session_ref, farewell, CloseReason::Exit);
            }
            Request::CloseServer => self.close_server(name.as_str()),
        }
    }

    fn broadcast(&mut self, from: SessionRef, line: &Line, except: Option<SessionRef>) {
        self.waits.count_sent(line.as_bytes().len());
        let tag = self.next_tag();
        self.output().broadcast(from, line, tag, except);
    }

    /// The number and time of the message that is being carried out.
    fn next_tag(&mut self) -> Tag {
        let millis = tag::millis(self.time());
        self.message_ids.next(millis)
    }

    /// Begins each later line of a session with a tag, or no longer does. The answer is the last line of the old kind.
    fn set_tags(&mut self, session_ref: SessionRef, name: &Name, on: bool) {
        let answer = if on { reply::tags_on(name, &self.message_ids.log()) } else { reply::tags_off(name) };
        if on {
            self.output().tell(session_ref, answer);
            self.batch.set_tagged(session_ref, true);
        } else {
            self.batch.set_tagged(session_ref, false);
            self.output().tell(session_ref, answer);
        }
        self.roster.set_tagged(session_ref.id, on);
    }

    /// Ends a session, after a last line if there is one.
    pub(super) fn end(&mut self, Leave { session_ref, reason, farewell }: Leave) {
        if let Some(line) = farewell {
            self.batch.tell(session_ref, line);
        }
        self.batch.close(session_ref, reason);
        self.leave(session_ref.id);
    }

    /// Ends a member's session with a last line, and frees its name.
    fn dismiss(&mut self, session_ref: SessionRef, farewell: Line, reason: CloseReason) {
        self.output().log_sent_to(session_ref, &farewell);
        self.end(Leave { session_ref, reason, farewell: Some(farewell) });
    }

    /// Frees a session's name and drops its requests that still wait.
    pub(super) fn leave(&mut self, id: SessionId) {
        self.blocked.drop_all_of(id);
        self.set_level(id, FillLevel::Low);
        match self.roster.leave(id) {
            Some(member) => {
                self.forget_bearer(id, member.name.key());
                self.presence.left(&member.name);
                self.freed.push(id);
            }
            None => drop(self.claims.remove(id)),
        }
        self.forget_session(id);
        self.streams().leave(id);
    }

    /// Has every courier end its sessions, after all output so far.
    pub(super) fn close(&mut self, by: &str) {
        self.flush(None);
        for courier in &self.couriers {
            courier.do_send(CloseServer { by: by.to_owned() });
        }
        self.roster = Roster::default();
        self.metrics.set_members(0);
        self.exit_guard.report(SupervisorEvent::Closing);
    }
}
