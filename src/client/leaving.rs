//! Leaving: what is said, and for how long an answer to it is waited for. No IO.

use std::time::Duration;

use super::{
    Received,
    joining::{Joining, SERVER},
};
use crate::protocol::{Message, Operation};

/// How long a server may take to confirm that someone leaves who waits for nothing else. Then one leaves without.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// `exit`, from `own`.
#[must_use]
pub fn exit(own: &str) -> Received {
    Joining::command(own, Operation::Exit.wire()).into()
}

/// The same in the words of the report's client: for all that may speak to a server that knows no others.
#[must_use]
pub fn exit_in_words(own: &str) -> Received {
    let data = format!("client {own} closed");
    Message { sender: own, destination: SERVER, operation: Operation::Exit.wire(), data: &data }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Line;

    #[test]
    fn both_forms() {
        for (exit, line) in [
            (exit("ana"), "ana | server | exit | no data\n"),
            (exit_in_words("ana"), "ana | server | exit | client ana closed\n"),
        ] {
            assert_eq!(Line::from(&exit.as_message()).as_bytes(), line.as_bytes());
        }
    }
}
