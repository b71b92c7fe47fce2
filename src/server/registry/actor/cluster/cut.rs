//! Disconnects the clients of a node that is no longer sure of its place in the cluster.

use arauto_cluster::node::Reason;
use arauto_protocol::reply;
use slog::warn;

use super::super::{
    super::cluster::{log_entry::Act, replica::Entering},
    Registry,
};
use crate::server::common::{
    close::CloseReason,
    exit_guard::SupervisorEvent,
    fill_level::FillLevel,
    session_ref::{SessionId, SessionRef},
};
use crate::server::messages::Leave;

impl Registry {
    /// Lets no client in until the node serves again, and disconnects those that are here.
    pub(super) fn cut(&mut self, why: Reason) {
        if let Some(seat) = &mut self.seat {
            seat.serves = false;
        }
        warn!(self.log, "no clients are served: this node lost touch with the cluster"; "why" => ?why);
        self.metrics.cluster().count_cut();
        self.exit_guard.report(SupervisorEvent::CutOff);
        // If the others have not given this node up, they learn of each end by the log.
        self.disconnect_all(why == Reason::LostTouch);
    }

    /// Disconnects all clients here, with the time since which their lines may be lost. `are_known` if the other nodes know
    /// them, and have to learn that they left.
    pub(super) fn disconnect_all(&mut self, are_known: bool) {
        let Some(replica) = &mut self.replica else { return };
        let (since, entering) = (replica.ok(), replica.take_entering());
        let limit = self.config.limits.message_bytes;
        let waiting: Vec<SessionRef> =
            self.claims.in_order().map(|(_, claim)| claim.enter.session_ref).collect();
        let named = self.roster.in_joining_order().map(|member| member.session_ref);
        let here: Vec<SessionRef> =
            named.chain(waiting).filter(|session_ref| session_ref.is_here()).collect();
        for session_ref in here {
            let name = self.roster.get(session_ref.id).map(|member| member.name.clone());
            let farewell = reply::lost_touch(limit, name.as_ref(), since);
            self.output().log_sent_to(session_ref, &farewell);
            let (reason, farewell) = (CloseReason::LostTouch, Some(farewell));
            self.disconnect(Leave { session_ref, reason, farewell }, are_known);
        }
        for Entering { enter, .. } in entering {
            let farewell = reply::lost_touch(limit, None, since);
            self.output().turn_away(&enter, (farewell, CloseReason::LostTouch));
            self.detach(enter.session_ref.id, are_known);
        }
    }

    /// Sends a session here its last line, and nothing more. Its end takes its place in the log, if the others know it.
    pub(super) fn disconnect(&mut self, Leave { session_ref, reason, farewell }: Leave, is_known: bool) {
        if let Some(line) = farewell {
            self.batch.tell(session_ref, line);
        }
        self.batch.close(session_ref, reason);
        self.detach(session_ref.id, is_known);
    }

    /// Sends nothing more to a session here. It keeps its name until all nodes read that it has left.
    fn detach(&mut self, id: SessionId, is_known: bool) {
        self.blocked.drop_all_of(id);
        self.set_level(id, FillLevel::Low);
        self.streams().leave(id);
        self.roster.detach(id);
        self.claims.detach(id);
        if is_known && let Some(replica) = &mut self.replica {
            replica.append(id, Act::Leave);
        }
    }
}
