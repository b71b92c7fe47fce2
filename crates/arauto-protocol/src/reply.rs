//! All texts that the server sends.
//!
//! Texts that the contract fixes are sent whole. All others are cut to the message limit, with `…` in place of the part
//! left out.
//!
//! ```
//! use arauto_protocol::{Name, Operation, reply};
//!
//! let [alan, bob] = [Name::parse("alan", 489)?, Name::parse("bob", 489)?];
//! assert_eq!(reply::name_request().text(), "server | client | name | no data");
//!
//! let list = reply::list_clients(1024, &alan, [&alan, &bob].into_iter());
//! assert_eq!(list[0].text(), "server | alan | list_clients | clients connected: alan , bob");
//!
//! let missing = reply::not_found(1024, &alan, Operation::PrivateMessage, "ana");
//! assert_eq!(missing.text(), "server | alan | private_message | Destination client (ana) not found!");
//! assert_eq!(reply::error_message(40, &alan, "Out of order").text(), "server | alan | error_message | Out o…");
//! # Ok::<(), arauto_protocol::NameError>(())
//! ```

use std::time::Duration;

use super::{
    hidden::without_hidden,
    line::Line,
    message::{Malformed, Message},
    name::{self, Name},
    operation::Operation,
};

mod endings;
mod flood;
mod joining;
mod moderation;
mod password;
mod presence;
mod streams;
mod tags;

pub use endings::{bad_websocket, idle, lost_touch, outbox_full, outboxes_full, slow_reader};
pub use flood::{flooded, too_many_bytes, too_many_joins, too_many_messages, too_many_sessions};
pub use joining::*;
pub use moderation::*;
pub use password::*;
pub use presence::{changes, list_clients, unwatched, watch};
pub use streams::*;
pub use tags::{tags_need_line_endings, tags_off, tags_on, tags_on_or_off};

/// The server's own name in SENDER and DESTINATION.
pub const SERVER: &str = "server";
/// DESTINATION of a broadcast.
pub const ALL_CLIENTS: &str = "all clients";
/// DESTINATION of a client that has no name yet.
const CLIENT: &str = "client";
/// The answer to a telnet client's Are You There: visible evidence that the server is up (RFC 854).
pub const ARE_YOU_THERE: &str = "server | client | echo | yes\r\n";

fn server_says(destination: &str, operation: &str, data: &str) -> Line {
    Line::lossy(&Message { sender: SERVER, destination, operation, data })
}

/// As [`server_says`], with DATA cut so that the message has at most `limit` bytes.
fn server_says_within(limit: usize, destination: &str, operation: &str, data: &str) -> Line {
    within(limit, &Message { sender: SERVER, destination, operation, data })
}

/// Encodes a message, with DATA cut so that the message has at most `limit` bytes.
fn within(limit: usize, whole: &Message<'_>) -> Line {
    let over = whole.encoded_len().saturating_sub(limit);
    if over == 0 {
        return Line::lossy(whole);
    }
    let kept = whole.data.floor_char_boundary(whole.data.len().saturating_sub(over + '…'.len_utf8()));
    Line::lossy(&Message { data: &format!("{}…", &whole.data[..kept]), ..*whole })
}

/// Reply to `list_files` without a destination.
#[must_use]
pub fn name_not_informed(to: &Name) -> Line {
    server_says(to.as_str(), Operation::ListFiles.wire(), "Client name not informed!")
}

/// Reply if no client has the name that a message was for.
#[must_use]
pub fn not_found(limit: usize, to: &Name, operation: Operation, typed: &str) -> Line {
    // Only the quoted name is cut to the limit: clients look for "not found!".
    let whole = |typed: &str| format!("Destination client ({typed}) not found!");
    let line = server_says(to.as_str(), operation.wire(), &whole(typed));
    if line.text().len() <= limit {
        line
    } else {
        server_says(to.as_str(), operation.wire(), &whole(&presentable(typed, 32)))
    }
}

/// Reply to `exit`.
#[must_use]
pub fn client_disconnected(to: &Name) -> Line {
    server_says(to.as_str(), Operation::Exit.wire(), "client disconnected")
}

/// Broadcast when the server ends.
#[must_use]
pub fn server_closed() -> Line {
    server_says(ALL_CLIENTS, Operation::Broadcast.wire(), "server closed")
}

/// Reply to an unknown OPERATION. With `for_people`, it suggests the operation that was probably meant.
#[must_use]
pub fn unknown_operation(limit: usize, to: &Name, typed: &str, for_people: bool) -> Line {
    let meant = match Operation::nearest(typed).filter(|_| for_people) {
        Some(near) => format!(". Did you mean {near}? Type: {}", near.typed()),
        None => String::new(),
    };
    let data = format!("Operation ({typed}) is not supported{meant}");
    server_says_within(limit, to.as_str(), "Unknown_operation", &data)
}

/// Reply to any other fault in a client's input.
#[must_use]
pub fn error_message(limit: usize, to: &Name, why: &str) -> Line {
    server_says_within(limit, to.as_str(), "error_message", why)
}

/// Reply to a line that is not a message: the fault, its position, and what to type instead.
#[must_use]
pub fn no_message(limit: usize, to: &Name, line: &str, why: Malformed) -> Line {
    let advice = match why {
        Malformed::NotUtf8 { .. } => "Set your terminal or program to send UTF-8".to_owned(),
        Malformed::Control { .. } => "Send plain text; a tab is allowed in DATA".to_owned(),
        Malformed::Hidden { .. } => "Type it again without that character".to_owned(),
        Malformed::MissingFields { found: 1 } => match meant_in(line) {
            Some(operation) => format!("Did you mean {operation}? Type: {}", operation.typed()),
            None => format!("To say it to everyone, type: /all {}", presentable(line, 60)),
        },
        Malformed::MissingFields { .. } => {
            let destination = line.split('|').nth(1).unwrap_or_default().trim();
            let destination =
                if destination.is_empty() { "bob".to_owned() } else { presentable(destination, 32) };
            format!(
                "OPERATION is missing at the end. Type: {to} | {destination} | {} | hi",
                Operation::PrivateMessage
            )
        }
    };
    let quoted = presentable(line, 40);
    error_message(
        limit,
        to,
        &format!("\"{quoted}\" is no message: {why}. {advice}. /help shows all operations"),
    )
}

/// Reply to a `/` line whose word is not a short form.
#[must_use]
pub fn no_short_form(limit: usize, to: &Name, word: &str) -> Line {
    let quoted = presentable(word, 40);
    let advice = match Operation::nearest(word) {
        Some(near) => format!(". Did you mean /{}? Type: {}", near.short(), near.typed()),
        None => String::new(),
    };
    error_message(limit, to, &format!("/{quoted} is not known{advice}. /help shows all operations"))
}

/// Reply to a short form that lacks a part after its word.
#[must_use]
pub fn short_form_incomplete(limit: usize, to: &Name, operation: Operation, missing: &str) -> Line {
    let why = format!("After /{} {missing} is missing. Type: {}", operation.short(), operation.typed());
    error_message(limit, to, &why)
}

/// Reply to a short form that ends something and has words behind it.
#[must_use]
pub fn short_form_not_alone(limit: usize, to: &Name, operation: Operation) -> Line {
    let why = format!("Nothing may follow after /{0}. To do it, type /{0} alone", operation.short());
    error_message(limit, to, &why)
}

/// Reply if SENDER is not the client's name.
#[must_use]
pub fn not_your_name(limit: usize, to: &Name, typed: &str) -> Line {
    let typed = presentable(typed, 32);
    let why = format!("SENDER is \"{typed}\", but you are {to}. Write {to} or leave SENDER empty");
    error_message(limit, to, &why)
}

/// Reply to a line that exceeded the limit and was dropped.
#[must_use]
pub fn line_too_long(limit: usize, to: &Name) -> Line {
    error_message(
        limit,
        to,
        &format!("Your line was dropped: a message has at most {limit} bytes. Send it in parts"),
    )
}

/// Reply to a message that exceeds the limit when written in full.
#[must_use]
pub fn message_too_long(limit: usize, to: &Name, bytes: usize) -> Line {
    let over = bytes.saturating_sub(limit);
    let why = format!(
        "Your message was not sent: written in full it has {bytes} bytes, and {limit} is the most. Shorten it by {over}"
    );
    error_message(limit, to, &why)
}

/// Reply if the end of a line did not arrive within `limits.line_timeout`.
#[must_use]
pub fn line_overdue(limit: usize, to: &Name, waited: Duration) -> Line {
    let waited = humantime::format_duration(waited);
    let why = format!(
        "Your line was dropped: its end did not come within {waited}. What follows up to its end is ignored; end it with \
         Enter and type the line again"
    );
    error_message(limit, to, &why)
}

/// Reply to `close_server` from another machine if `close_server.allow` is `loopback`.
#[must_use]
pub fn only_locals_may_close(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "Only someone connected from the server's own machine may close it")
}

/// Reply to `close_server` if `close_server.allow` is `nobody`.
#[must_use]
pub fn nobody_may_close(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "Nobody may close this server by a message")
}

/// Reply if the client's sending side ended in the middle of a line.
#[must_use]
pub fn line_unfinished(limit: usize, to: &Name) -> Line {
    error_message(limit, to, "Your last line was not sent: it does not end with a newline")
}

/// The help: one operation per message, each with an example; operators' operations only for operators.
#[must_use]
pub fn help(limit: usize, to: &Name, is_operator: bool) -> Vec<Line> {
    Operation::for_people()
        .filter(|operation| is_operator || !operation.is_for_operators())
        .map(|operation| {
            let data = format!("{}: {} ({operation})", operation.typed(), operation.does());
            server_says_within(limit, to.as_str(), Operation::Help.wire(), &data)
        })
        .collect()
}

/// The limits of messages and names as `key=value` words.
#[must_use]
pub fn limits(limit: usize, to: &Name) -> Line {
    let name_bytes = name::max_bytes(limit);
    let data = format!("message_bytes={limit} name_bytes={name_bytes} name_chars={}", name::MAX_NAME_CHARS);
    server_says_within(limit, to.as_str(), Operation::Limits.wire(), &data)
}

/// Log text for a broken connection: the message that the report's server prints.
#[must_use]
pub fn broken_connection(error: &str, name: &str) -> String {
    format!("{SERVER} | {SERVER} | error_message | {error} | client ({name}) disconnected")
}

/// The operation that a line without any `|` is probably about.
fn meant_in(line: &str) -> Option<Operation> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    Operation::nearest(first)
        .or_else(|| Operation::nearest(line))
        .or_else(|| words.take(3).find_map(Operation::from_wire))
}

/// A client's text as it may be quoted in a field: control characters, hidden characters and `|` are replaced, and at
/// most `chars` characters are kept.
fn presentable(text: &str, chars: usize) -> String {
    let kept = text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end]);
    let mut quoted = without_hidden(kept).replace(|c: char| c.is_control() || c == '|', "\u{fffd}");
    if kept.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameError;

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    #[test]
    fn a_long_list_takes_several_messages_and_loses_nobody() {
        let names: Vec<Name> = (0..200).map(|i| name(&format!("user number {i}"))).collect();
        for limit in [64, 100, 1024] {
            let lines = list_clients(limit, &names[0], names.iter());
            let mut seen = Vec::new();
            for line in &lines {
                assert!(line.text().len() <= limit.max(64 + 20), "{}", line.text());
                let data =
                    Message::parse(line.text()).unwrap().data.strip_prefix("clients connected: ").unwrap();
                seen.extend(data.split(" , ").map(str::to_owned));
            }
            assert_eq!(seen, names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_quotes_a_stranger_stays_within_the_limit() {
        let alan = name("alan");
        let long = "é".repeat(600);
        for limit in [200, 1024] {
            for line in [
                unknown_operation(limit, &alan, &long, true),
                not_found(limit, &alan, Operation::ListFiles, &long),
                name_invalid(limit, &long, &NameError::TooLong(600)),
                name_looks_taken(limit, &name(&"а".repeat(32)), &name(&"a".repeat(32))),
                no_message(limit, &alan, &long, Malformed::MissingFields { found: 1 }),
                no_short_form(limit, &alan, &long),
                not_your_name(limit, &alan, &long),
            ] {
                assert!(line.text().len() <= limit, "{}", line.text());
            }
        }
    }

    #[test]
    fn quotes_carry_no_escape_sequences() {
        let line = name_invalid(1024, "\u{1b}[2J|x", &NameError::Separator('|'));
        assert_eq!(
            line.text(),
            "server | new_client: \u{fffd}[2J\u{fffd}x | connection_error | A name must not hold the character | because it \
             separates fields or names. You need to connect again and use another one"
        );
    }
}
