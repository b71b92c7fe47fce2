//! Texts about kicks and bans.

use std::time::{Duration, SystemTime};

use super::{connection_error, error_message, server_says_within};
use crate::{
    line::Line,
    moderation::Target,
    name::{NEW_CLIENT, Name},
    operation::Operation,
};

/// Refusal of an operation that is for operators only.
#[must_use]
pub fn only_operators(limit: usize, to: &Name, operation: Operation) -> Line {
    error_message(limit, to, &format!("Only operators of this server may use {operation}"))
}

/// Refusal of `close_server` from a client that is no operator if `close_server.allow` is `operators`.
#[must_use]
pub fn only_operators_may_close(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "Only an operator of this server may close it")
}

/// Tells an operator the result of a request.
#[must_use]
pub fn moderated(limit: usize, to: &Name, operation: Operation, what: &str) -> Line {
    server_says_within(limit, to.as_str(), operation.wire(), what)
}

/// Refusal of a ban that would match its own operator.
#[must_use]
pub fn would_ban_yourself(limit: usize, to: &Name, target: &Target) -> Line {
    error_message(limit, to, &format!("{target} was not banned, because that would keep you out as well"))
}

/// Refusal of a ban of a text that may be a mistyped address and is not the name of a connected client.
#[must_use]
pub fn no_address(limit: usize, to: &Name, target: &Target, why: &str) -> Line {
    error_message(limit, to, &format!("{target} was not banned: {why}"))
}

/// Refusal of a ban beyond the largest number of bans.
#[must_use]
pub fn too_many_bans(limit: usize, to: &Name, most: usize) -> Line {
    error_message(limit, to, &format!("There are {most} bans, and no more are kept. Lift one: /unban bob"))
}

/// Reply to `unban` if the target is not banned. `alike`: a ban that matches this name because it looks the same.
#[must_use]
pub fn not_banned(limit: usize, to: &Name, target: &Target, alike: Option<&Target>) -> Line {
    let why = match alike {
        None => format!("{target} is not banned. /bans shows who is"),
        Some(alike) => {
            format!("{target} is not banned, but {alike} is, and looks the same. Type: /unban {alike}")
        }
    };
    error_message(limit, to, &why)
}

/// Last message to a client that an operator disconnects.
#[must_use]
pub fn kicked(limit: usize, to: &Name, by: &str, reason: &str) -> Line {
    error_message(limit, to, &format!("You were disconnected by {by}{}", because(reason)))
}

/// Last message to a client that an operator bans.
#[must_use]
pub fn banned(limit: usize, to: &Name, by: &str, span: Option<Duration>, reason: &str) -> Line {
    let span = span.map(|span| format!(" for {}", humantime::format_duration(span))).unwrap_or_default();
    error_message(limit, to, &format!("You were banned by {by}{span}{}", because(reason)))
}

/// Refusal of a name that is banned.
#[must_use]
pub fn name_banned(limit: usize, name: &Name, terms: &str) -> Line {
    let why = format!("The name {name} is banned {terms}");
    server_says_within(limit, &format!("{NEW_CLIENT} {name}"), "connection_error", &why)
}

/// Refusal of a name that looks like a banned one.
#[must_use]
pub fn look_banned(limit: usize, name: &Name, banned: &Target, terms: &str) -> Line {
    let why = format!("{} ({terms})", name.resemblance_to_banned(&banned.to_string()));
    server_says_within(limit, &format!("{NEW_CLIENT} {name}"), "connection_error", &why)
}

/// Refusal of a connection from a banned address.
#[must_use]
pub fn address_banned(limit: usize, terms: &str) -> Line {
    connection_error(limit, &format!("Your address is banned {terms}"))
}

/// The end, author and reason of a ban: `until 2026-11-24T12:00:00Z by alan: being rude`.
#[must_use]
pub fn terms(until: Option<SystemTime>, by: &str, reason: &str) -> String {
    let until = match until {
        Some(until) => format!("until {}", humantime::format_rfc3339_seconds(until)),
        None => "for good".to_owned(),
    };
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    format!("{until}{by}{}", because(reason))
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
