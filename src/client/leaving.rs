//! Leaving: what is said, and for how long an answer to it is waited for. No IO.

use std::time::Duration;

use super::joining::{Joining, SERVER};
use crate::protocol::{Line, Message, Operation};

/// How long a server may take to confirm that someone leaves who waits for nothing else. Then one leaves without.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// `exit`, from `own`.
#[must_use]
pub fn exit(own: &str) -> Line {
    Line::lossy(&Joining::command(own, Operation::Exit.wire()))
}

/// The same in the words of the report's client: for all that may speak to a server that knows no others.
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
