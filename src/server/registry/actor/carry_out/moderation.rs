//! Carries out the commands of operators: kicks, bans and their removal.

use std::time::Duration;

use arauto_protocol::{Line, Moderation, Name, NameKey, Operation, Target, reply};
use arauto_settings::escape::Escaped;
use slog::info;

use super::super::{
    super::{judge, roster::Member},
    Registry,
};
use crate::server::{
    admission::bans::{Ban, Full, Kept, MAX_BANS},
    common::{close::CloseReason, peer::LogFields, session_ref::SessionRef},
};

impl Registry {
    /// Carries out an operator's command, and answers the operator.
    pub(super) fn moderate(&mut self, operator: SessionRef, by: &Name, moderation: Moderation) {
        let answer = match moderation {
            Moderation::Kick { whom, typed, reason } => {
                return self.kick(operator, by, (&whom, &typed), &reason);
            }
            Moderation::Ban { target, span, reason } => self.ban(operator, by, &target, span, &reason),
            Moderation::Unban(target) => self.unban(by, &target),
            Moderation::ListBans => return self.list_bans(operator, by),
        };
        self.output().tell(operator, answer);
    }

    fn kick(&mut self, operator: SessionRef, by: &Name, (whom, typed): (&NameKey, &str), reason: &str) {
        let limit = self.config.limits.message_bytes;
        let member = match judge::kick(&self.roster, limit, by, whom, typed) {
            Ok(member) => member.clone(),
            Err(answer) => return self.output().tell(operator, answer),
        };
        let farewell = reply::kicked(limit, &member.name, by.as_str(), reason);
        info!(self.log, "kicked"; &log_fields(&member), "by" => %by, "why" => %Escaped(reason));
        // Answer first: an operator who kicks their own session gets no more lines afterwards.
        let done = format!("{} was disconnected", member.name);
        self.output().tell(operator, reply::moderated(limit, by, Operation::Kick, &done));
        self.dismiss(member.session_ref, farewell, CloseReason::Kicked);
    }

    fn ban(
        &mut self,
        operator: SessionRef,
        by: &Name,
        target: &Target,
        span: Option<Duration>,
        reason: &str,
    ) -> Line {
        let limit = self.config.limits.message_bytes;
        let hit = match judge::ban(&self.roster, limit, (operator.id, by), target) {
            Ok(hit) => hit,
            Err(answer) => return answer,
        };
        let now = self.time();
        let until = span.and_then(|span| now.checked_add(span));
        let ban = Ban { target: target.clone(), until, by: by.as_str().into(), reason: reason.into() };
        let terms = ban.terms();
        if self.ledger.change(|bans| bans.add(ban, now)) == Err(Full) {
            return reply::too_many_bans(limit, by, MAX_BANS);
        }
        info!(self.log, "banned"; "target" => %Escaped(target), "terms" => %Escaped(&terms), "sessions" => hit.len());
        for member in &hit {
            let farewell = reply::banned(limit, &member.name, by.as_str(), span, reason);
            self.dismiss(member.session_ref, farewell, CloseReason::Banned);
        }
        let ended = match hit.len() {
            1 => "1 session ended".to_owned(),
            sessions => format!("{sessions} sessions ended"),
        };
        let what = match target {
            Target::Name { .. } => "that is a name",
            Target::Network(_) => "those are addresses",
        };
        let done = format!("{target} is banned {terms} ({ended}); {what}{}", self.unless_kept());
        reply::moderated(limit, by, Operation::Ban, &done)
    }

    fn unban(&mut self, by: &Name, target: &Target) -> Line {
        let limit = self.config.limits.message_bytes;
        let now = self.time();
        if self.ledger.change(|bans| bans.remove(target, now)).is_none() {
            let alike = match target {
                Target::Name { looks, .. } => self.ledger.bans().of_looks(looks, now),
                Target::Network(_) => None,
            };
            return reply::not_banned(limit, by, target, alike.map(|ban| &ban.target));
        }
        info!(self.log, "unbanned"; "target" => %Escaped(target), "by" => %by);
        let done = format!("{target} is no longer banned{}", self.unless_kept());
        reply::moderated(limit, by, Operation::Unban, &done)
    }

    fn list_bans(&mut self, operator: SessionRef, by: &Name) {
        let limit = self.config.limits.message_bytes;
        let line = |what: &str| reply::moderated(limit, by, Operation::ListBans, what);
        let bans = self.ledger.bans().in_force(self.time());
        let mut lines: Vec<Line> = bans.map(|ban| line(&format!("{} {}", ban.target, ban.terms()))).collect();
        if lines.is_empty() {
            lines.push(line("nobody is banned"));
        }
        self.output().tell_all(operator, lines);
    }

    /// A note about a change that is lost when the server restarts.
    fn unless_kept(&self) -> &'static str {
        match self.ledger.kept() {
            Kept::InFile => "",
            Kept::InMemory => ". This lasts until the server ends, because accounts.bans_file is not set",
            Kept::Failing => ". The bans file could not be written last time; the log says why",
        }
    }
}

fn log_fields(member: &Member) -> LogFields<'_> {
    LogFields { id: member.session_ref.id, peer: &member.peer, name: Some(&member.name) }
}
