//! The figures of a node of a cluster.

use super::FigureFamily;
use crate::server::metrics::{Metrics, cluster::ClusterView};

/// Figures of a node of a cluster. They are 0 for a server that is none.
pub(super) fn figures(metrics: &Metrics) -> Vec<FigureFamily> {
    let cluster = metrics.cluster();
    let view = cluster.view();
    let view = view.as_deref();
    let gauge = |stem, help, read: fn(&ClusterView) -> u64| {
        FigureFamily::gauge(stem, None, help).is(view.map_or(0, read))
    };
    vec![
        gauge("arauto_cluster_nodes", "Nodes that may have clients, this one included.", |view| {
            view.nodes.iter().filter(|node| node.is_ready).count() as u64
        }),
        gauge(
            "arauto_cluster_position",
            "Position in the cluster's log of the last message that this node carried out.",
            |view| view.position,
        ),
        gauge(
            "arauto_cluster_lag",
            "Messages of the cluster's log that this node has heard of and not carried out.",
            |view| view.newest.saturating_sub(view.position),
        ),
        gauge(
            "arauto_cluster_held",
            "1 while the node reads nothing from its clients because the log does not answer, else 0.",
            |view| u64::from(view.is_held),
        ),
        FigureFamily::counter(
            "arauto_cluster_void_frames",
            None,
            "Messages of the cluster's log that changed nothing, such as those that were written twice.",
        )
        .is(view.map_or(0, |view| view.void_frames)),
        FigureFamily::counter(
            "arauto_cluster_differences",
            None,
            "Frames of nodes that had read another log than this one.",
        )
        .is(cluster.differences()),
        FigureFamily::counter(
            "arauto_cluster_given_up",
            None,
            "Nodes that the others gave up, because nothing was heard of them.",
        )
        .is(cluster.given_up()),
        FigureFamily::counter(
            "arauto_cluster_cuts",
            None,
            "Times that this node disconnected all its clients because it lost touch with the cluster.",
        )
        .is(cluster.cuts()),
    ]
}
