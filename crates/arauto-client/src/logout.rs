//! The messages with which a client leaves, and how long it waits for the answer. No IO.

use std::time::Duration;

use arauto_protocol::{Line, Message, Operation};

use super::joining::{Joining, SERVER};

/// Time that the server has to confirm an `exit`, for a client that waits for nothing else. After it, the client
/// closes the connection unconfirmed.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns `exit` from the client `own`.
#[must_use]
pub fn exit(own: &str) -> Line {
    Line::lossy(&Joining::command(own, Operation::Exit.wire()))
}

/// Returns `exit` in the words of the report's client, for code that may talk to a server that understands no others.
#[must_use]
pub fn exit_in_words(own: &str) -> Line {
    let data = format!("client {own} closed");
    let operation = Operation::Exit.wire();
    Line::lossy(&Message { sender: own, destination: SERVER, operation, data: &data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        for (exit, line) in [
            (exit("ana"), "ana | server | exit | no data\n"),
            (exit_in_words("ana"), "ana | server | exit | client ana closed\n"),
        ] {
            assert_eq!(exit.as_bytes(), line.as_bytes());
        }
    }
}
