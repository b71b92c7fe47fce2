//! Runs the commands of operators: kicks, bans and their removal.

use std::time::{Duration, SystemTime};

use arauto_protocol::{Line, Moderation, Name, NameKey, Operation, Target, network, reply};
use arauto_settings::escape::Escaped;
use slog::info;

use super::{super::roster::Member, Registry, log_sent};
use crate::server::{
    admission::bans::{Ban, Full, Kept, MAX_BANS},
    common::{close::CloseReason, peer::LogFields, session_ref::SessionRef},
    messages::Enter,
};

impl Registry {
    /// Runs an operator's command.
    pub(super) fn moderate(&mut self, session_ref: SessionRef, by: &Name, moderation: Moderation) {
        match moderation {
            Moderation::Kick { whom, typed, reason } => self.kick(session_ref, by, &whom, &typed, &reason),
            Moderation::Ban { target, span, reason } => self.ban(session_ref, by, &target, span, &reason),
            Moderation::Unban(target) => self.unban(session_ref, by, &target),
            Moderation::ListBans => {
                let limit = self.config.limits.message_bytes;
                let line = |what: &str| reply::moderated(limit, by, Operation::ListBans, what);
                let bans = self.ledger.bans().in_force(SystemTime::now());
                let mut lines: Vec<Line> =
                    bans.map(|ban| line(&format!("{} {}", ban.target, ban.terms()))).collect();
                if lines.is_empty() {
                    lines.push(line("nobody is banned"));
                }
                self.tell_all(session_ref, lines);
            }
        }
    }

    fn kick(&mut self, session_ref: SessionRef, by: &Name, whom: &NameKey, typed: &str, reason: &str) {
        let limit = self.config.limits.message_bytes;
        let Some(member) = self.roster.find(whom).cloned() else {
            return self.tell(session_ref, reply::not_found(limit, by, Operation::Kick, typed));
        };
        let farewell = reply::kicked(limit, &member.name, by.as_str(), reason);
        info!(self.log, "kicked"; &log_fields(&member), "by" => %by, "why" => %Escaped(reason));
        // Answer first: an operator who kicks their own session gets no more lines afterwards.
        let done = format!("{} was disconnected", member.name);
        self.tell(session_ref, reply::moderated(limit, by, Operation::Kick, &done));
        self.dismiss(&member, farewell, CloseReason::Kicked);
    }

    fn ban(
        &mut self,
        session_ref: SessionRef,
        by: &Name,
        target: &Target,
        span: Option<Duration>,
        reason: &str,
    ) {
        let limit = self.config.limits.message_bytes;
        if let Some(why) = self.may_be_mistyped(target) {
            return self.tell(session_ref, reply::no_address(limit, by, target, why));
        }
        let mut hit: Vec<Member> = match target {
            Target::Name { looks, .. } => self.roster.find_alike(looks).cloned().collect(),
            Target::Network(network) => {
                self.roster.members().filter(|member| network.contains(member.peer.ip())).cloned().collect()
            }
        };
        if hit.iter().any(|member| member.session_ref.id == session_ref.id) {
            return self.tell(session_ref, reply::would_ban_yourself(limit, by, target));
        }
        if let Target::Name { key, .. } = target {
            // A ban of a look-alike name does not affect the owner of an account; see `refuse_banned`.
            hit.retain(|member| !member.proven || member.name.key() == key);
        }
        let now = SystemTime::now();
        let until = span.and_then(|span| now.checked_add(span));
        let ban = Ban { target: target.clone(), until, by: by.as_str().into(), reason: reason.into() };
        let terms = ban.terms();
        if self.ledger.change(|bans| bans.add(ban, now)) == Err(Full) {
            return self.tell(session_ref, reply::too_many_bans(limit, by, MAX_BANS));
        }
        info!(self.log, "banned"; "target" => %Escaped(target), "terms" => %Escaped(&terms), "sessions" => hit.len());
        for member in &hit {
            let farewell = reply::banned(limit, &member.name, by.as_str(), span, reason);
            self.dismiss(member, farewell, CloseReason::Banned);
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
        self.tell(session_ref, reply::moderated(limit, by, Operation::Ban, &done));
    }

    /// Why a target may be a mistyped address. The name of a present member is never taken for one.
    fn may_be_mistyped(&self, target: &Target) -> Option<&'static str> {
        match target {
            Target::Name { key, shown, .. } if self.roster.find(key).is_none() => network::mistyped(shown),
            _ => None,
        }
    }

    fn unban(&mut self, session_ref: SessionRef, by: &Name, target: &Target) {
        let limit = self.config.limits.message_bytes;
        let now = SystemTime::now();
        if self.ledger.change(|bans| bans.remove(target, now)).is_none() {
            let alike = match target {
                Target::Name { looks, .. } => self.ledger.bans().of_looks(looks, now),
                Target::Network(_) => None,
            };
            return self
                .tell(session_ref, reply::not_banned(limit, by, target, alike.map(|ban| &ban.target)));
        }
        info!(self.log, "unbanned"; "target" => %Escaped(target), "by" => %by);
        let done = format!("{target} is no longer banned{}", self.unless_kept());
        self.tell(session_ref, reply::moderated(limit, by, Operation::Unban, &done));
    }

    /// A note about a change that is lost when the server restarts.
    fn unless_kept(&self) -> &'static str {
        match self.ledger.kept() {
            Kept::InFile => "",
            Kept::InMemory => ". This lasts until the server ends, because accounts.bans_file is not set",
            Kept::Failing => ". The bans file could not be written last time; the log says why",
        }
    }

    /// Refuses a session whose name or address is banned. Returns whether it did.
    pub(super) fn refuse_banned(&mut self, enter: &Enter) -> bool {
        let bans = self.ledger.bans();
        if bans.is_empty() {
            return false;
        }
        let (now, limit) = (SystemTime::now(), self.config.limits.message_bytes);
        let Enter { session_ref, peer, name, looks, proven } = enter;
        // A ban of a look-alike name does not affect the owner of an account, who has proved their identity.
        let alike = || bans.of_looks(looks, now).filter(|_| !proven);
        let farewell = if let Some(ban) = bans.of_name(name.key(), now) {
            reply::name_banned(limit, name, &ban.terms())
        } else if let Some(ban) = alike() {
            reply::look_banned(limit, name, &ban.target, &ban.terms())
        } else if let Some(ban) = bans.of_address(peer.ip(), now) {
            reply::address_banned(limit, &ban.terms())
        } else {
            return false;
        };
        log_sent(&self.log, &farewell, &LogFields { id: session_ref.id, peer, name: None });
        self.batch.tell(*session_ref, farewell);
        self.batch.close(*session_ref, CloseReason::Banned);
        true
    }

    /// Ends a member's session with a last line, and frees its name.
    pub(super) fn dismiss(&mut self, member: &Member, farewell: Line, reason: CloseReason) {
        self.tell(member.session_ref, farewell);
        self.batch.close(member.session_ref, reason);
        self.leave(member.session_ref.id);
    }
}

fn log_fields(member: &Member) -> LogFields<'_> {
    LogFields { id: member.session_ref.id, peer: &member.peer, name: Some(&member.name) }
}
