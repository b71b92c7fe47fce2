//! Writes the nodes of a cluster as JSON, for `arauto nodes` and scripts.

use serde_json::{Value as Json, json};

use crate::server::metrics::cluster::{ClusterView, NodeView};

/// Writes what this node knows of its cluster as one object.
pub fn write(view: &ClusterView) -> String {
    let ClusterView { cluster, node, position, newest, is_held, void_frames: _, nodes } = view;
    let rows: Vec<Json> = nodes.iter().map(row).collect();
    let all = json!({
        "cluster": cluster,
        "node": node,
        "position": position,
        "lag": newest.saturating_sub(*position),
        "held": is_held,
        "nodes": rows,
    });
    format!("{all:#}\n")
}

fn row(NodeView { name, instance, is_ready, clients, lag, since }: &NodeView) -> Json {
    let since = is_ready.then(|| humantime::format_rfc3339_seconds(*since).to_string());
    json!({
        "node": name,
        "instance": instance,
        "ready": is_ready,
        "clients": clients,
        "lag": lag,
        "since": since,
    })
}
