//! [`SessionId`]: the number of a session; [`SessionRef`]: the address of its output.

/// Number of a connection. Numbers start at 1 and are never reused while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// The number that stands for the couriers of other nodes of the cluster. Output for it is dropped: each node has the same
/// output for its own sessions.
const ELSEWHERE: u16 = u16::MAX;

/// Address of a session's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRef {
    /// The session. Its slot may have passed to another session since.
    pub id: SessionId,
    /// Number of the courier that writes to the session.
    pub courier: u16,
    /// Slot of the session at that courier.
    pub slot: u32,
}

impl SessionRef {
    /// The reference to a session at another node of the cluster.
    #[must_use]
    pub fn elsewhere(id: SessionId) -> Self {
        Self { id, courier: ELSEWHERE, slot: 0 }
    }

    /// Whether the session is at this server.
    #[must_use]
    pub fn is_here(self) -> bool {
        self.courier != ELSEWHERE
    }
}
