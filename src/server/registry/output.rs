//! [`Output`]: puts lines for sessions into the batch, and logs them in the form in which the server of the report
//! (TR2.23) prints them.

use arauto_protocol::{Line, Refusal, Tag};
use arauto_rtsp::key::Masked;
use slog::{Drain, Logger, debug};

use super::roster::{Member, Roster};
use crate::server::{
    common::{close::CloseReason, peer::LogFields, session_ref::SessionRef},
    delivery::batch::Batch,
    messages::Enter,
    metrics::Metrics,
};

/// The batch that is being gathered, with what its lines are logged and counted by.
pub struct Output<'a> {
    /// The members.
    pub roster: &'a Roster,
    /// Takes the lines.
    pub batch: &'a mut Batch,
    /// Counts refusals.
    pub metrics: &'a Metrics,
    /// The server's log.
    pub log: &'a Logger,
}

impl Output<'_> {
    /// Queues a line for all members but `except`.
    pub fn broadcast(&mut self, from: SessionRef, line: &Line, tag: Tag, except: Option<SessionRef>) {
        self.log_sent_to(from, line);
        self.batch.broadcast(line, tag, except);
    }

    /// Queues a message from a member for another.
    pub fn tell_message(&mut self, receiver: SessionRef, line: Line, tag: Tag) {
        if self.roster.get(receiver.id).is_some_and(|member| member.is_tagged) {
            self.batch.tag(receiver, tag);
        }
        self.tell(receiver, line);
    }

    /// Queues one line for a member.
    pub fn tell(&mut self, session_ref: SessionRef, line: Line) {
        self.log_sent_to(session_ref, &line);
        self.batch.tell(session_ref, line);
    }

    /// Queues lines for a member.
    pub fn tell_all(&mut self, session_ref: SessionRef, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            self.tell(session_ref, line);
        }
    }

    /// Queues the refusal of a member's request, and counts it.
    pub fn refuse(&mut self, session_ref: SessionRef, (why, line): (Refusal, Line)) {
        // All nodes of a cluster carry a request out, and that of its sender counts it.
        if session_ref.is_here() {
            self.metrics.count_refused(why);
        }
        self.tell(session_ref, line);
    }

    /// Ends a session that gets no name, after a line that says why.
    pub fn turn_away(&mut self, enter: &Enter, (line, reason): (Line, CloseReason)) {
        let Enter { session_ref, peer, .. } = enter;
        if session_ref.is_here() {
            self.log_sent(&line, &LogFields { id: session_ref.id, peer, name: None });
        }
        self.batch.tell(*session_ref, line);
        self.batch.close(*session_ref, reason);
    }

    /// Logs a line to one member or to all.
    pub fn log_sent_to(&self, session_ref: SessionRef, line: &Line) {
        // Every message passes here, so the member is looked up only if the log needs it.
        if self.log.is_debug_enabled()
            && session_ref.is_here()
            && let Some(Member { name, peer, .. }) = self.roster.get(session_ref.id)
        {
            self.log_sent(line, &LogFields { id: session_ref.id, peer, name: Some(name) });
        }
    }

    fn log_sent(&self, line: &Line, fields: &LogFields<'_>) {
        debug!(self.log, "Server sends: {:?}", Masked(line.text()); fields);
    }
}
