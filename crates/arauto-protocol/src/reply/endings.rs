//! The last messages of sessions that the server ends.

use std::time::{Duration, SystemTime};

use super::{connection_error, error_message};
use crate::{frame::Breach, line::Line, name::Name};

/// Last message to a client, which may have no name yet.
pub(super) fn disconnected(limit: usize, to: Option<&Name>, why: &str) -> Line {
    let why = format!("You were disconnected: {why}");
    match to {
        Some(name) => error_message(limit, name, &why),
        None => connection_error(limit, &why),
    }
}

/// Last message to a client that did not read its messages.
#[must_use]
pub fn outbox_full(limit: usize, to: Option<&Name>, outbox_bytes: usize) -> Line {
    disconnected(limit, to, &format!("more than {outbox_bytes} bytes for you were waiting unread"))
}

/// Last message to a receiver whose outbox is among the largest and oldest when all outboxes together take too much
/// memory.
#[must_use]
pub fn outboxes_full(limit: usize, to: Option<&Name>, outboxes_bytes: usize) -> Line {
    let why = format!(
        "unread messages for all clients passed {outboxes_bytes} bytes, and yours were among the largest and oldest"
    );
    disconnected(limit, to, &why)
}

/// Last message to a receiver that is disconnected because broadcasts waited for it and other slow receivers for
/// `waited` of the last `window`.
#[must_use]
pub fn slow_reader(limit: usize, to: &Name, waited: Duration, window: Duration, outbox_bytes: usize) -> Line {
    let (waited, window) = (humantime::format_duration(waited), humantime::format_duration(window));
    let why = format!(
        "you read too slowly. Slow readers delayed broadcasts by {waited} within {window}, and more than {outbox_bytes} bytes \
         for you were unread"
    );
    disconnected(limit, Some(to), &why)
}

/// The last message of a server that is no longer sure of its place in a cluster. Messages sent `since` then may be lost.
#[must_use]
pub fn lost_touch(limit: usize, to: Option<&Name>, since: SystemTime) -> Line {
    let since = humantime::format_rfc3339_seconds(since).to_string();
    let time = since.split_once('T').map_or(&*since, |(_, time)| time);
    let why = format!(
        "this server lost touch with the others. What you sent since {time} may not have been delivered"
    );
    disconnected(limit, to, &why)
}

/// Last message over a WebSocket that violated RFC 6455.
#[must_use]
pub fn bad_websocket(limit: usize, to: Option<&Name>, breach: Breach) -> Line {
    disconnected(limit, to, &format!("your WebSocket {}", breach.in_words()))
}

/// Last message to a client that sent nothing for `limits.idle_timeout`.
#[must_use]
pub fn idle(limit: usize, to: Option<&Name>, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    disconnected(
        limit,
        to,
        &format!("you sent nothing for {waited}. An empty line now and then is enough to stay"),
    )
}
