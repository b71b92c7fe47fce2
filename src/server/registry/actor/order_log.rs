//! The order log: the seam between what is requested and what is carried out.
//!
//! Flow control comes before the log: an entry is appended once its session has its name, no earlier request of the
//! session waits, and the outboxes have room (`requests.rs`). So do rights that depend on the session alone
//! (`session/actor/requests.rs`). What depends on the entries before is judged behind the log, by the tables (`judge.rs`).

use arauto_protocol::Request;

use super::Registry;
use crate::server::{
    common::session_ref::{SessionId, SessionRef},
    messages::{Enter, Leave},
};

/// One entry of the order. What a member asks for stays a [`Request`], which has a variant for each kind.
pub(super) enum Entry {
    /// A session requests its name.
    Enter(Enter),
    /// The time for which this session may wait for its name is over.
    ClaimOver(SessionId),
    /// A member's request. Void if the session is no member.
    Request(SessionRef, Request),
    /// A session ends for a reason of its own, or is disconnected because it does not read.
    Leave(Leave),
    /// The server closes.
    Close {
        /// The client or signal that asked for it.
        by: String,
    },
}

impl Registry {
    /// Appends an entry to the order, in which it is carried out. No other call leads to [`Self::carry_out`].
    ///
    /// The log of a single server answers at once: an entry takes its place when it is appended, so this is a plain call.
    /// A node of a cluster sends the entry and returns; later it carries out what it reads back, entries of other servers
    /// included (`cluster.rs`).
    #[inline]
    pub(super) fn append(&mut self, entry: Entry) {
        if self.replica.is_some() {
            self.replicate(entry);
        } else {
            self.carry_out(entry);
        }
    }
}
