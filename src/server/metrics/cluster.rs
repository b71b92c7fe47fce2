//! [`ClusterMetrics`]: what a node knows of its cluster, for monitoring. No decision depends on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use arc_swap::ArcSwapOption;

/// The counters of a node, and its newest view of the cluster. Only the registry writes them.
#[derive(Debug, Default)]
pub struct ClusterMetrics {
    view: ArcSwapOption<ClusterView>,
    differences: AtomicU64,
    given_up: AtomicU64,
    cuts: AtomicU64,
}

/// A node's view of its cluster, at most a second old while the node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// The cluster's name (`cluster.name`).
    pub cluster: String,
    /// This node's name (`cluster.node`).
    pub node: String,
    /// Position of the last message of the log that was carried out.
    pub position: u64,
    /// The newest position of the log that this node has heard of.
    pub newest: u64,
    /// Whether this node reads nothing from its clients, because the log does not answer.
    pub is_held: bool,
    /// Messages of the log that changed nothing.
    pub void_frames: u64,
    /// All nodes that take part, by name. Empty until this node has the state.
    pub nodes: Vec<NodeView>,
}

/// One node of a cluster, as another sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The node's name.
    pub name: String,
    /// The number of its run, 16 hexadecimal digits.
    pub instance: String,
    /// Whether it may have clients: it has the state.
    pub is_ready: bool,
    /// Clients that have a name.
    pub clients: u64,
    /// Messages of the log that it had not carried out by its newest frame.
    pub lag: u64,
    /// The time of the log at which it became ready.
    pub since: SystemTime,
}

impl ClusterMetrics {
    /// Sets the view.
    pub fn set_view(&self, view: ClusterView) {
        self.view.store(Some(Arc::new(view)));
    }

    /// Counts a node that had read another log than this one.
    pub fn count_difference(&self) {
        self.differences.fetch_add(1, Relaxed);
    }

    /// Counts a node that the others gave up.
    pub fn count_given_up(&self) {
        self.given_up.fetch_add(1, Relaxed);
    }

    /// Counts that this node disconnected all its clients.
    pub fn count_cut(&self) {
        self.cuts.fetch_add(1, Relaxed);
    }

    /// The newest view. `None`: this server is not a node of a cluster.
    #[must_use]
    pub fn view(&self) -> Option<Arc<ClusterView>> {
        self.view.load_full()
    }

    /// Nodes that had read another log than this one.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.differences.load(Relaxed)
    }

    /// Nodes that the others gave up.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed)
    }

    /// How often this node disconnected all its clients.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }
}
