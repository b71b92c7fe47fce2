//! [`SessionId`] and [`Seat`]: which session, and where its output goes.

/// Names one connection for as long as the server runs; counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Where a session's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whose it is: a slot may since have gone to another session.
    pub id: SessionId,
    /// Which courier carries to it.
    pub courier: u16,
    /// Its place there.
    pub slot: u32,
}
