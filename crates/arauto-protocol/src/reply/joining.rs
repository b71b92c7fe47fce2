//! Texts for clients that have no name yet.

use std::time::Duration;

use super::{CLIENT, presentable, server_says, server_says_within};
use crate::{
    line::Line,
    message::{Malformed, NAME, NO_DATA},
    name::{NEW_CLIENT, Name, NameError},
};

/// Ending of each refusal that another name would avoid.
pub const CONNECT_AGAIN: &str = "You need to connect again and use another one";

/// Refusal of a server that has no place in its cluster at the moment. Another address may let the client in at once.
pub const NO_CLUSTER: &str =
    "This server has lost touch with the others. Connect again later, or to another one";

/// Asks a new connection for its name.
#[must_use]
pub fn name_request() -> Line {
    server_says(CLIENT, NAME, NO_DATA)
}

/// Confirms the name: the client has joined.
#[must_use]
pub fn connection_confirmation(name: &Name) -> Line {
    server_says(name.as_str(), "connection_confirmation", "You are now connected to the server")
}

/// Refusal: another client has the name.
#[must_use]
pub fn name_taken(name: &Name) -> Line {
    let destination = format!("{NEW_CLIENT} {name}");
    let data = format!("This username is already taken. {CONNECT_AGAIN}");
    server_says(&destination, "connection_error", &data)
}

/// Refusal: another client has a name that looks the same.
#[must_use]
pub fn name_looks_taken(limit: usize, name: &Name, bearer: &Name) -> Line {
    let destination = format!("{NEW_CLIENT} {name}");
    let data = format!("{}. {CONNECT_AGAIN}", name.resemblance(bearer));
    server_says_within(limit, &destination, "connection_error", &data)
}

/// Refusal: the answer to the name request is not a valid name.
#[must_use]
pub fn name_invalid(limit: usize, typed: &str, why: &NameError) -> Line {
    let destination = format!("{NEW_CLIENT} {}", presentable(typed.trim(), 32));
    server_says_within(limit, &destination, "connection_error", &format!("{why}. {CONNECT_AGAIN}"))
}

/// Refuses a connection that has no name yet, with the reason.
#[must_use]
pub fn connection_error(limit: usize, why: &str) -> Line {
    server_says_within(limit, CLIENT, "connection_error", why)
}

/// Refusal of HTTP or TLS in place of a name.
#[must_use]
pub fn other_protocol(limit: usize) -> Line {
    let why = "This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet and type a name";
    connection_error(limit, why)
}

/// Refusal of plain text at an address for TLS.
#[must_use]
pub fn tls_only(limit: usize) -> Line {
    let why =
        "This port speaks TLS: connect with ncat --ssl or openssl s_client, not with plain netcat or telnet";
    connection_error(limit, why)
}

/// Refusal of a connection that sent nothing where a TLS handshake was expected.
#[must_use]
pub fn no_handshake_in_time(limit: usize, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    let why = format!("No TLS handshake came within {waited}. Connect with ncat --ssl or openssl s_client");
    connection_error(limit, &why)
}

/// Refusal: the answer to the name request is neither a message nor a name.
#[must_use]
pub fn name_malformed(limit: usize, why: Malformed) -> Line {
    connection_error(limit, &format!("A name was asked for, but {why}. Type: bob | server | name | bob"))
}

/// Refusal: the answer to the name request is a `name` message without DATA.
#[must_use]
pub fn name_left_out(limit: usize) -> Line {
    connection_error(limit, "A name was asked for, but DATA is empty. Type: bob | server | name | bob")
}

/// Refusal: another request came before the name.
#[must_use]
pub fn name_comes_first(limit: usize) -> Line {
    let why = "A name is asked for before anything else. Type: bob | server | name | bob, or just: bob";
    connection_error(limit, why)
}

/// Refusal: the answer to the name request exceeds the message limit.
#[must_use]
pub fn name_line_too_long(limit: usize) -> Line {
    connection_error(limit, "A name was asked for, but the line is too long. Type just your name: bob")
}

/// Refusal: the client's sending side ended in the middle of the answer to the name request.
#[must_use]
pub fn name_line_unfinished(limit: usize) -> Line {
    connection_error(limit, "A name was asked for, but the line does not end with a newline")
}

/// Refusal: the name request was not answered within `limits.name_timeout`.
#[must_use]
pub fn no_name_in_time(limit: usize, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    let why = format!("No name came within {waited}. Connect again and type your name and Enter");
    connection_error(limit, &why)
}

/// Refusal: the server has no place in its cluster at the moment.
#[must_use]
pub fn no_cluster(limit: usize) -> Line {
    connection_error(limit, NO_CLUSTER)
}

/// Refusal: all of `limits.max_sessions` are in use.
#[must_use]
pub fn server_full(limit: usize, max_sessions: usize) -> Line {
    let why = format!("The server is full: it serves {max_sessions} at most. Try again later");
    connection_error(limit, &why)
}
