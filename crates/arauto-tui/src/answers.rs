//! [`answers`]: whether an answer of the server is about a message that this client sent, by the texts of
//! docs/protocol.md. No IO.

use arauto_client::display_name::is_same;
use arauto_protocol::{Message, Operation};

/// Operation of the server's answer to a request that it refuses for a reason of its own.
const ERROR: &str = "error_message";

/// Beginning of the server's answer to a message that it did not accept, whatever the operation.
const NOT_SENT: &str = "Your message was not sent: ";

/// Whether the server's answer with this operation and text is about `sent`. `false` if the text does not show it.
pub fn answers(sent: &Message<'_>, operation: &str, text: &str) -> bool {
    let Some(asked) = Operation::from_wire(sent.operation) else { return false };
    if operation != sent.operation {
        return false;
    }
    match asked {
        // Only refusals have an answer, and that of `play` may come much later than the request.
        Operation::PrivateMessage | Operation::ListFiles | Operation::Play => {
            not_found(text).is_some_and(|name| is_same(name, sent.destination))
        }
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
            ("ana | all clients | broadcast | hi", "broadcast", "hi", false),
        ] {
            let sent = Message::parse(sent).unwrap();
            assert_eq!(answers(&sent, operation, text), is_about, "{sent:?} {text}");
        }
    }
}
