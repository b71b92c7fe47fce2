//! [`answers`]: whether an answer of the server is about a message that this client sent, by the texts of
//! docs/protocol.md. No IO.

use arauto_client::display_name::is_same;
use arauto_protocol::{Message, Operation};

/// Operation of the server's answer to a request that it refuses for a reason of its own.
const ERROR: &str = "error_message";

/// Beginning of the server's answer to a message that it did not accept, whatever the operation.
const NOT_SENT: &str = "Your message was not sent: ";

/// Beginning of the last message to a user whom an operator disconnects.
const DISCONNECTED: &str = "You were disconnected by ";

/// Beginning of the refusal of an operation for operators; the operation follows.
const ONLY_OPERATORS: &str = "Only operators of this server may use ";

/// Whether the server's answer with this operation and text is about `sent`. `false` if the text does not show it.
pub fn answers(sent: &Message<'_>, operation: &str, text: &str) -> bool {
    let Some(asked) = Operation::from_wire(sent.operation) else { return false };
    if operation == ERROR {
        // A user who kicks themselves gets no other answer.
        let is_own_kick = asked == Operation::Kick && is_same(sent.destination, sent.sender);
        let kicked_by = text.strip_prefix(DISCONNECTED).filter(|_| is_own_kick);
        return kicked_by.is_some_and(|by| by.starts_with(sent.sender))
            || text.strip_prefix(ONLY_OPERATORS) == Some(sent.operation);
    }
    if operation != sent.operation {
        return false;
    }
    match asked {
        // Only refusals have an answer, and that of `play` may come much later than the request.
        Operation::PrivateMessage | Operation::ListFiles | Operation::Play => {
            not_found(text).is_some_and(|name| is_same(name, sent.destination))
        }
        // The server also tells of streams that others ended.
        Operation::Stop => text.contains(&format!(": {} ended", sent.data)),
        Operation::Kick
        | Operation::Ban
        | Operation::Unban
        | Operation::ListBans
        | Operation::ListStreams => true,
        _ => false,
    }
}

/// Whether this answer refuses the message that was sent last, which it does not name.
pub fn refuses_the_last(operation: &str, text: &str) -> bool {
    operation == ERROR && text.starts_with(NOT_SENT)
}

/// The name in the server's answer that no client has it.
pub fn not_found(text: &str) -> Option<&str> {
    text.strip_prefix("Destination client (")?.strip_suffix(") not found!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_answer_is_about_which_message() {
        for (sent, operation, text, is_about) in [
            (
                "ana | bob | private_message | hi",
                "private_message",
                "Destination client (bob) not found!",
                true,
            ),
            (
                "ana | BOB | private_message | hi",
                "private_message",
                "Destination client (bob) not found!",
                true,
            ),
            (
                "ana | rui | private_message | hi",
                "private_message",
                "Destination client (bob) not found!",
                false,
            ),
            (
                "ana | bob | list_files | no data",
                "private_message",
                "Destination client (bob) not found!",
                false,
            ),
            ("ana | bob | list_files | no data", "list_files", "Destination client (bob) not found!", true),
            ("ana | bob | play | a.mp3", "play", "Destination client (bob) not found!", true),
            ("ana | bob | play | a.mp3", "play", "bob: a.mp3 does not play: bob has left", false),
            ("ana | bob | kick | no data", "kick", "bob was disconnected", true),
            ("ana | bob | kick | no data", "error_message", "You were disconnected by ana", false),
            ("ana | Ana | kick | no data", "error_message", "You were disconnected by ana: oops", true),
            (
                "ana | bob | kick | no data",
                "error_message",
                "Only operators of this server may use kick",
                true,
            ),
            ("ana | bob | ban | 1h", "error_message", "Only operators of this server may use kick", false),
            ("ana | server | stop | a.mp3", "stop", "rui: a.mp3 ended: ana ended it", true),
            ("ana | server | stop | a.mp3", "stop", "rui: b.mp3 ended: rui has left", false),
            ("ana | server | list_streams | no data", "list_streams", "no streams", true),
            ("ana | all clients | broadcast | hi", "broadcast", "hi", false),
        ] {
            let sent = Message::parse(sent).unwrap();
            assert_eq!(answers(&sent, operation, text), is_about, "{sent:?} {text}");
        }
    }
}
