//! Asks for the server's message limit, once the client has joined, and reads the answer. No IO.

use std::{ops::RangeInclusive, time::Duration};

use arauto_protocol::{Line, Operation};

use super::{
    OwnedMessage,
    joining::{Joining, SERVER},
};

/// Time that a client waits for the answer if it cannot go on without it. Servers answer at once.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Message limits that are plausible, in bytes. Any other number is ignored.
const PLAUSIBLE_LIMITS: RangeInclusive<usize> = 64..=65_536;

/// Text before the number in the answer.
const KEY: &str = "message_bytes=";

/// Returns the message from `own` that asks for the limits.
#[must_use]
pub fn request(own: &str) -> Line {
    Line::lossy(&Joining::command(own, Operation::Limits.wire()))
}

/// A server's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of a message, in bytes. `None` if the server does not know the operation or states no plausible
    /// number.
    pub message_bytes: Option<usize>,
}

/// Reads the server's answer. `None`: the message is not the answer to the request.
///
/// A server that does not know the operation answers that it is not supported, or that no client is called `server`.
#[must_use]
pub fn answer(received: &OwnedMessage) -> Option<Limits> {
    if received.sender != SERVER {
        return None;
    }
    let limits = Operation::Limits.wire();
    match received.operation.as_str() {
        operation if operation == limits => {
            let number = received.data.split(' ').find_map(|word| word.strip_prefix(KEY)?.parse().ok());
            Some(Limits { message_bytes: number.filter(|number| PLAUSIBLE_LIMITS.contains(number)) })
        }
        "Unknown_operation" => {
            let is_of_it = received.data.starts_with(&format!("Operation ({limits})"));
            is_of_it.then(Limits::default)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arauto_protocol::{Message, Name, reply};

    use super::*;

    fn answered(line: &str) -> Option<Limits> {
        answer(&Message::parse(line).unwrap().into())
    }

    fn limits(message_bytes: Option<usize>) -> Limits {
        Limits { message_bytes }
    }

    #[test]
    fn what_the_server_says_is_understood() {
        let alan = Name::parse("alan", 99).unwrap();
        for limit in [256, 1024, 8192] {
            assert_eq!(answered(reply::limits(limit, &alan).text()), Some(limits(Some(limit))));
        }
        let unknown = reply::unknown_operation(1024, &alan, "limits", true);
        assert_eq!(answered(unknown.text()), Some(limits(None)));
    }

    #[test]
    fn what_is_no_limit_is_not_believed() {
        for (line, answer) in [
            ("server | alan | limits | message_bytes=9999999999999999999999", Some(limits(None))),
            ("server | alan | limits | message_bytes=1", Some(limits(None))),
            ("server | alan | limits | message_bytes=-5", Some(limits(None))),
            ("server | alan | limits | Destination client (server) not found!", Some(limits(None))),
            ("server | alan | limits | x=1 message_bytes=300", Some(limits(Some(300)))),
            ("bob | alan | limits | message_bytes=300", None),
            ("server | alan | Unknown_operation | Operation (dance) is not supported", None),
        ] {
            assert_eq!(answered(line), answer, "{line}");
        }
    }
}
