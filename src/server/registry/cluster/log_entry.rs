//! [`LogEntry`]: an entry of the order as the nodes of a cluster write it into their log, and [`Snapshot`]: the tables, for
//! a node that joins.

use std::{net::IpAddr, sync::Arc, time::Duration};

use arauto_cluster::Instance;
use arauto_protocol::{Line, Looks, Moderation, Name, Request, Target, request::Direct};
use serde::{Deserialize, Serialize};

use super::super::message_ids::MessageIds;
use crate::server::{
    common::{
        peer::Peer,
        session_ref::{SessionId, SessionRef},
    },
    messages::Enter,
};

/// An entry about a session of the node that writes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct LogEntry {
    /// The number of the session at its node.
    pub session: u64,
    /// Its act.
    pub act: Act,
}

/// The kinds of entries. What concerns one session alone is not among them: its node answers it at its place.
#[derive(Debug, Serialize, Deserialize)]
pub enum Act {
    /// The session wants a name.
    Enter(Claimant),
    /// The time is over for which the session may wait for its name.
    ClaimOver,
    /// The session ends, for a reason that its node knows.
    Leave,
    /// A line for all.
    Say(Line),
    /// A line for all but the session.
    SayOthers(Line),
    /// A message to one user.
    Tell(Direct),
    /// The session wants the names at this place.
    ListClients,
    /// An operator's request.
    Moderate(Moderation),
    /// The session wants to leave.
    Exit,
}

/// A request for a name. The key and the looks of the name are those of the node that writes the entry, so nodes whose
/// tables of Unicode differ do not differ in whom they let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claimant {
    /// The name.
    name: Name,
    /// The looks of the name.
    looks: Looks,
    /// The client has proved that it owns the account of the name.
    proven: bool,
    /// The client's address, for bans.
    ip: IpAddr,
    /// The client is on the machine of its node.
    is_on_its_machine: bool,
}

impl Claimant {
    /// The part of a request that all nodes know.
    pub fn of(name: &Name, looks: &Looks, proven: bool, peer: &Peer) -> Self {
        let is_on_its_machine = peer.is_on_this_machine();
        Self { name: name.clone(), looks: looks.clone(), proven, ip: peer.ip(), is_on_its_machine }
    }

    /// The request of a session at another node, under a number of this one.
    pub fn elsewhere(self, id: SessionId) -> Enter {
        let Self { name, looks, proven, ip, is_on_its_machine } = self;
        let peer = Arc::new(Peer::at_another_node(ip, is_on_its_machine));
        Enter { session_ref: SessionRef::elsewhere(id), peer, name, proven, looks }
    }
}

impl Act {
    /// The act of a request that changes what others see or depends on it.
    ///
    /// # Errors
    /// Returns a request that its node answers alone.
    pub fn of(request: Request) -> Result<Self, Request> {
        Ok(match request {
            Request::Broadcast(line) => Self::Say(line),
            Request::BroadcastNotMe(line) => Self::SayOthers(line),
            Request::Direct(direct) => Self::Tell(direct),
            Request::ListClients => Self::ListClients,
            Request::Moderate(moderation) if *moderation != Moderation::ListBans => {
                Self::Moderate(*moderation)
            }
            Request::Exit => Self::Exit,
            alone => return Err(alone),
        })
    }
}

/// All that the nodes know alike, beside what [`arauto_cluster::State`] holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The members in joining order.
    pub members: Vec<(Instance, u64, Claimant)>,
    /// The sessions that wait for a name: whose request it is, the bearer, and whether the bearer's node was heard since.
    pub claims: Vec<PendingSnapshot>,
    /// The bans, the oldest first.
    pub bans: Vec<BanSnapshot>,
    /// The number of the last message, with its log.
    pub message_ids: MessageIds,
}

/// A session that waits for a name.
#[derive(Debug, Serialize, Deserialize)]
pub struct PendingSnapshot {
    /// The session.
    pub session: (Instance, u64),
    /// Its request.
    pub claimant: Claimant,
    /// The bearer.
    pub bearer: (Instance, u64),
    /// The bearer's node is known to have lived since the request.
    pub is_heard: bool,
}

/// A ban.
#[derive(Debug, Serialize, Deserialize)]
pub struct BanSnapshot {
    /// The banned name or network.
    pub target: Target,
    /// Its end, since 1970; `None` is permanent.
    pub until: Option<Duration>,
    /// Name of the operator.
    pub by: Box<str>,
    /// The operator's reason.
    pub reason: Box<str>,
}
