//! Texts for clients that send or connect too much.

use std::time::Duration;

use super::{Line, Name, connection_error, endings::disconnected, error_message};

/// A waiting time in whole seconds, rounded up and at least 1: a client that tries again after it is never too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Reply to messages above `flood.message_rate` and `flood.message_burst`.
#[must_use]
pub fn too_many_messages(limit: usize, to: &Name, rate: usize, burst: usize, wait: Duration) -> Line {
    too_much(limit, to, &format!("{rate} messages a second, {burst} at once"), wait)
}

/// Reply to bytes above `flood.byte_rate` and `flood.byte_burst`.
#[must_use]
pub fn too_many_bytes(limit: usize, to: &Name, rate: usize, burst: usize, wait: Duration) -> Line {
    too_much(limit, to, &format!("{rate} bytes a second, {burst} at once"), wait)
}

fn too_much(limit: usize, to: &Name, allowed: &str, wait: Duration) -> Line {
    let seconds = seconds(wait);
    error_message(
        limit,
        to,
        &format!("Your message was not sent: you may send {allowed}. Try again in {seconds} s"),
    )
}

/// Last message to a client that had `flood.refusals` messages refused within `flood.refusal_window`.
#[must_use]
pub fn flooded(limit: usize, to: Option<&Name>, refused: usize, window: Duration) -> Line {
    let window = humantime::format_duration(window);
    let why =
        format!("you sent too fast {refused} times within {window}. What you sent after that was not read");
    disconnected(limit, to, &why)
}

/// Refusal of a connection from an address that already has `flood.sessions_per_address` sessions.
#[must_use]
pub fn too_many_sessions(limit: usize, most: usize) -> Line {
    let why = format!("Your address has {most} connections, which is the most. Close one and connect again");
    connection_error(limit, &why)
}

/// Refusal of a connection from an address that exceeds `flood.joins_per_minute`.
#[must_use]
pub fn too_many_joins(limit: usize, most: usize, wait: Duration) -> Line {
    let seconds = seconds(wait);
    let why = format!(
        "Your address may connect {most} times a minute, and did so more often. Try again in {seconds} s"
    );
    connection_error(limit, &why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stated_wait_is_never_too_short() {
        for (wait, stated) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_nanos(1_000_000_001), 2),
            (Duration::from_micros(2_000_999), 3),
            (Duration::from_millis(2_001), 3),
            (Duration::from_mins(1), 60),
        ] {
            assert_eq!(seconds(wait), stated, "{wait:?}");
        }
    }
}
