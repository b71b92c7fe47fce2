//! [`Timing`]: after what times a node acts, and [`Now`].

use std::time::Duration;

/// Most that a node's clock may be off from the cluster's when it joins.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// The moment at which something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time since the machine started, with the time for which it was suspended (`CLOCK_BOOTTIME`).
    pub boot: Duration,
    /// The time of day: milliseconds since 1970.
    pub wall: u64,
}

/// After what times a node acts. *Ok* is the time at which the newest of its frames that came back was first appended.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A node that appended nothing else appends an empty frame.
    pub beat: Duration,
    /// From ok: the node reads nothing from its clients.
    pub hold: Duration,
    /// From ok, while the log's server is out of reach: the node disconnects its clients.
    pub cut: Duration,
    /// From ok, while the log's server is connected and the log stands still: the node disconnects its clients.
    pub patience: Duration,
    /// From the last frame of another node that counted: it is given up.
    pub reap: Duration,
    /// From the last sign of life of a ready node: a joining node founds the cluster anew.
    pub found: Duration,
    /// From a Hello without an answer to the next.
    pub hello: Duration,
    /// From an append without an acknowledgement to the next, at first. Doubles up to four times as much.
    pub resend: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(1),
            hold: Duration::from_secs(3),
            cut: Duration::from_secs(6),
            patience: Duration::from_secs(30),
            reap: Duration::from_secs(7),
            found: Duration::from_secs(7),
            hello: Duration::from_secs(3),
            resend: Duration::from_millis(500),
        }
    }
}
