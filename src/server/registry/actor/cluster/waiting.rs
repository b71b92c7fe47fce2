//! Decides when requests of clients wait for the cluster: for a node that is behind, or for long answers on their way.

use arauto_protocol::Request;

use super::{
    super::{super::cluster::replica::Replica, Registry, requests::batch_bytes},
    now,
};

/// Bytes that a name takes in a list of clients, with what stands between two.
const TYPICAL_NAME_BYTES: usize = 16;

impl Registry {
    /// Whether this request has to wait: for another node, which has carried out too little of the log, or for the answers
    /// to lists of clients that are on their way through it. These are short in the log and long in the batch.
    pub(in super::super) fn waits_for_nodes(&self, request: &Request) -> bool {
        let (Some(seat), Some(replica)) = (&self.seat, &self.replica) else { return false };
        match request {
            Request::Broadcast(_) | Request::BroadcastNotMe(_) | Request::Direct(_) => {
                seat.node.waits_for_others(now())
            }
            Request::ListClients | Request::Watch => self.lists_are_enough(replica),
            _ => false,
        }
    }

    /// Whether one more list of clients, beside those on their way, could be more than a batch.
    fn lists_are_enough(&self, replica: &Replica) -> bool {
        let lists = replica.lists();
        lists > 0 && (lists + 1) * self.roster.len() * TYPICAL_NAME_BYTES > batch_bytes(&self.config.limits)
    }

    /// Notes that work waits for another node.
    pub(in super::super) fn await_nodes(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.has_waiting = true;
        }
    }

    /// Lets the work that waits for another node be tried again, if none is behind any more.
    pub(super) fn release_for_nodes(&mut self) {
        if let Some(seat) = &mut self.seat
            && seat.has_waiting
            && !seat.node.waits_for_others(now())
            && self.replica.as_ref().is_none_or(|replica| replica.lists() == 0)
        {
            seat.has_waiting = false;
            self.blocked.release();
        }
    }
}
