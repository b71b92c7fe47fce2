//! Tells operators what happens in the cluster: log lines, counters, and the view for monitoring.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use arauto_cluster::{Event, Instance, State, instances::Participant};
use slog::{debug, info, warn};
use tokio::time::Instant;

use super::super::Registry;
use crate::server::metrics::cluster::{ClusterView, NodeView};

/// Minimum time between two views, so that a busy log does not make a view for each message.
const VIEW_INTERVAL: Duration = Duration::from_millis(500);

/// Names of runs that are kept. Beyond it, those of runs that have ended are forgotten.
const MAX_NAMES: usize = 1_024;

/// The names of nodes by the numbers of their runs, also of runs that have ended.
#[derive(Debug, Default)]
pub(super) struct NodeNames(HashMap<Instance, String>);

impl NodeNames {
    /// Takes over the names of all runs that take part.
    fn follow(&mut self, state: &State) {
        if self.0.len() > MAX_NAMES {
            self.0.retain(|instance, _| state.instances().get(*instance).is_some());
        }
        for (instance, participant) in state.instances().iter() {
            self.0.entry(instance).or_insert_with(|| participant.node.to_string());
        }
    }

    fn of(&self, instance: Instance) -> &str {
        self.0.get(&instance).map_or("unknown", String::as_str)
    }
}

impl Registry {
    /// Writes to the log that nothing is read from clients, and why.
    pub(super) fn report_hold(&self) {
        let Some(seat) = &self.seat else { return };
        let position = seat.node.state().position();
        if seat.node.is_in_doubt() {
            warn!(self.log, "holding: another node has read another log"; "position" => position);
        } else {
            let (newest, waits_for_room) = (seat.node.newest(), seat.node.has_next());
            warn!(
                self.log, "holding: the cluster's log does not answer";
                "position" => position, "newest" => newest, "waits_for_room" => waits_for_room
            );
        }
    }

    /// Writes a change of the cluster to the log, and counts it.
    pub(super) fn report_event(&mut self, event: &Event) {
        let Some(seat) = &mut self.seat else { return };
        seat.names.follow(seat.node.state());
        // The view tells who takes part, so it follows at once.
        seat.viewed_at = None;
        let name = |instance: &Instance| seat.names.of(*instance);
        match event {
            Event::Ready(instance) => {
                info!(self.log, "a node joined the cluster"; "node" => name(instance), "instance" => %instance);
            }
            Event::Bye(instance) => {
                info!(self.log, "a node left the cluster"; "node" => name(instance), "instance" => %instance);
            }
            Event::Reaped { instance, by } => {
                self.metrics.cluster().count_given_up();
                warn!(self.log, "a node was given up"; "node" => name(instance), "instance" => %instance, "by" => name(by));
            }
            Event::Malformed(instance) => {
                self.metrics.cluster().count_given_up();
                warn!(self.log, "a node wrote what cannot be read, and was given up"; "node" => name(instance), "instance" => %instance);
            }
            Event::Replaced { instance, by } => {
                info!(self.log, "a node was started again"; "node" => name(by), "instance" => %by, "before" => %instance);
            }
            Event::NameTaken(instance) => {
                warn!(self.log, "the name of a node is taken"; "node" => name(instance), "instance" => %instance);
            }
            Event::Disagrees(instance) => {
                warn!(self.log, "a node has other settings"; "node" => name(instance), "instance" => %instance);
            }
            Event::Founded(instance) => {
                info!(self.log, "the cluster began"; "node" => name(instance), "instance" => %instance);
            }
            Event::Closed(instance) => {
                info!(self.log, "the cluster was closed"; "node" => name(instance), "instance" => %instance);
            }
            Event::Differs { instance, position } => {
                self.metrics.cluster().count_difference();
                warn!(self.log, "a node has read another log"; "node" => name(instance), "instance" => %instance, "position" => position);
            }
            Event::Hello(instance) => {
                debug!(self.log, "a node asks for the state"; "node" => name(instance), "instance" => %instance);
            }
        }
    }

    /// Refreshes the view of the cluster for monitoring, at most once in [`VIEW_INTERVAL`].
    pub(super) fn show_cluster(&mut self) {
        let (Some(seat), Some(replica)) = (&mut self.seat, &self.replica) else { return };
        let now = Instant::now();
        if seat.viewed_at.is_some_and(|at| now < at + VIEW_INTERVAL) {
            return;
        }
        seat.viewed_at = Some(now);
        let (node, state) = (&seat.node, seat.node.state());
        let view_of = |(instance, participant): (Instance, &Participant)| NodeView {
            name: participant.node.to_string(),
            instance: instance.to_string(),
            is_ready: participant.is_ready,
            clients: replica.members_of(instance),
            // It could not have carried out its own newest frame when it wrote it.
            lag: participant.newest.saturating_sub(1).saturating_sub(participant.position),
            since: UNIX_EPOCH + Duration::from_millis(participant.ready_at),
        };
        let mut nodes: Vec<NodeView> = state.instances().iter().map(view_of).collect();
        nodes.sort_by(|one, other| (&one.name, &one.instance).cmp(&(&other.name, &other.instance)));
        let settings = &self.config.cluster;
        self.metrics.cluster().set_view(ClusterView {
            cluster: settings.name.clone(),
            node: settings.node.clone(),
            position: state.position(),
            newest: node.newest(),
            is_held: node.holds(),
            void_frames: node.void_frames(),
            nodes,
        });
    }
}
