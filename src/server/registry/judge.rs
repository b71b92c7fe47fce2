//! Judges requests by the tables: validity, rights, limits. Pure: nothing here changes a table, sends output or reads
//! the clock, so all that carry out one order judge alike if their callers pass the same time and limits.

use std::time::SystemTime;

use arauto_protocol::{Line, Name, NameKey, Operation, Refusal, Target, network, reply, request::Direct};

use super::roster::{Bearers, Member, Roster};
use crate::server::{
    admission::bans::Bans,
    common::{
        close::CloseReason,
        session_ref::{SessionId, SessionRef},
    },
    messages::Enter,
};

/// The outcome of a request for a name that other members bear.
#[derive(Debug)]
pub enum Claim<'a> {
    /// This member has to give up its name: it took the name, or one that looks the same, without proof, before the
    /// account existed that the client has proved to own.
    Displaces(&'a Member),
    /// The request is refused because of the bearer of this name.
    Refused(&'a Name),
    /// The session waits: the bearers' connections may be dead.
    Waits,
}

/// Judges a request for a name that is taken. `time_is_up` if the session has waited as long as it may. `is_heard` tells
/// whether the server of a bearer is known to live.
pub fn claim(
    proven: bool,
    bearers: &Bearers,
    time_is_up: bool,
    is_heard: impl Fn(&Member) -> bool,
) -> Claim<'_> {
    let stranger = bearers.iter().find(|bearer| proven && !bearer.proven);
    // A connection within its server's machine cannot be half open.
    let is_alive = |bearer: &&Member| time_is_up || bearer.peer.is_on_this_machine() && is_heard(bearer);
    let alive = bearers.iter().find(is_alive);
    match (stranger, alive) {
        (Some(stranger), _) => Claim::Displaces(stranger),
        (None, Some(alive)) => Claim::Refused(&alive.name),
        (None, None) => Claim::Waits,
    }
}

/// Returns the refusal for a session that requests a name which `bearer` conflicts with.
pub fn taken(limit: usize, name: &Name, bearer: &Name) -> (Line, CloseReason) {
    if bearer.key() == name.key() {
        (reply::name_taken(name), CloseReason::NameTaken)
    } else {
        (reply::name_looks_taken(limit, name, bearer), CloseReason::LookAlike)
    }
}

/// Judges whether a session may take a name.
///
/// # Errors
/// The refusal, if its name or address is banned.
pub fn admission(bans: &Bans, limit: usize, enter: &Enter, now: SystemTime) -> Result<(), Line> {
    let Enter { peer, name, looks, proven, .. } = enter;
    // A ban of a look-alike name does not affect the owner of an account, who has proved their identity.
    let alike = || bans.of_looks(looks, now).filter(|_| !proven);
    Err(if let Some(ban) = bans.of_name(name.key(), now) {
        reply::name_banned(limit, name, &ban.terms())
    } else if let Some(ban) = alike() {
        reply::look_banned(limit, name, &ban.target, &ban.terms())
    } else if let Some(ban) = bans.of_address(peer.ip(), now) {
        reply::address_banned(limit, &ban.terms())
    } else {
        return Ok(());
    })
}

/// Returns the receiver of a private message, and the line for it.
///
/// # Errors
/// The refusal, if no member has the name or the message is too long.
pub fn direct(
    roster: &Roster,
    limit: usize,
    from: &Name,
    direct: &Direct,
) -> Result<(SessionRef, Line), (Refusal, Line)> {
    let Some(receiver) = roster.find(&direct.to) else {
        return Err((Refusal::NotFound, reply::not_found(limit, from, direct.operation, &direct.typed)));
    };
    let line =
        direct.forwarded(limit, from, &receiver.name).map_err(|refusal| (Refusal::TooLong, refusal))?;
    Ok((receiver.session_ref, line))
}

/// Returns the member that an operator disconnects.
///
/// # Errors
/// The answer to the operator, if no member has the name.
pub fn kick<'a>(
    roster: &'a Roster,
    limit: usize,
    by: &Name,
    whom: &NameKey,
    typed: &str,
) -> Result<&'a Member, Line> {
    roster.find(whom).ok_or_else(|| reply::not_found(limit, by, Operation::Kick, typed))
}

/// Returns the members whose sessions a ban ends.
///
/// # Errors
/// The answer to the operator, if the target may be a mistyped address, or if the ban would end the operator's session.
pub fn ban(
    roster: &Roster,
    limit: usize,
    (operator, by): (SessionId, &Name),
    target: &Target,
) -> Result<Vec<Member>, Line> {
    let hit: Vec<&Member> = match target {
        Target::Name { key, shown, looks } => {
            // The name of a present member is never taken for a mistyped address.
            if roster.find(key).is_none()
                && let Some(why) = network::mistyped(shown)
            {
                return Err(reply::no_address(limit, by, target, why));
            }
            roster.find_alike(looks).collect()
        }
        Target::Network(network) => {
            roster.members().filter(|member| network.contains(member.peer.ip())).collect()
        }
    };
    if hit.iter().any(|member| member.session_ref.id == operator) {
        return Err(reply::would_ban_yourself(limit, by, target));
    }
    // A ban of a look-alike name does not affect the owner of an account; see `admission`.
    let is_exempt = |member: &Member| matches!(target, Target::Name { key, .. } if member.proven && member.name.key() != key);
    Ok(hit.into_iter().filter(|member| !is_exempt(member)).cloned().collect())
}

#[cfg(test)]
mod tests;
