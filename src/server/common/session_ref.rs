//! [`SessionId`]: the number of a session; [`SessionRef`]: the address of its output.

/// Number of a connection. Numbers start at 1 and are never reused while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

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
