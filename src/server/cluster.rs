//! Makes a server a node of a cluster: its settings, and the thread of the cluster's log.

use std::path::Path;

use actix::Addr;
use arauto_cluster::{
    Agreed, Instance, NodeName,
    encoding::encoded,
    node::{Config as NodeConfig, Timing},
};
use arauto_nats_log::Options;
use slog::{Logger, info};

use crate::{
    config::Config,
    server::{
        registry::actor::{Registry, cluster::FromLog},
        serve_error::ServeError,
    },
};

/// Makes the registry a node of the cluster, if the settings name one. Its log begins to connect at once, and for ever.
///
/// # Errors
/// If a setting or a file of the settings cannot be used, or the thread of the log cannot be started.
pub fn join(
    actor: Registry,
    registry: Addr<Registry>,
    config: &Config,
    log: &Logger,
) -> Result<Registry, ServeError> {
    if config.cluster.servers.is_empty() {
        return Ok(actor);
    }
    let refused = |why: &dyn std::fmt::Display| ServeError::Cluster(why.to_string());
    let name = |text: &str| text.parse::<NodeName>().map_err(|error| refused(&error));
    let settings = &config.cluster;
    let (cluster, node) = (name(&settings.name)?, name(&settings.node)?);
    let file = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
    let options = Options {
        credentials: file(&settings.credentials),
        tls_ca: file(&settings.tls_ca),
        replicas: settings.replicas,
        log_bytes: settings.log_bytes as u64,
        log_age: settings.log_age,
        trust_nats: settings.trust_nats,
        ..Options::new(settings.servers.clone(), cluster, node.clone())
    };
    info!(log, "joining the cluster"; "cluster" => &settings.name, "node" => &settings.node);
    let nats = arauto_nats_log::start(options, move |report| registry.do_send(FromLog(report)));
    let nats = nats.map_err(|error| refused(&error))?;
    let timing = Timing { patience: settings.patience, ..Timing::default() };
    let config = NodeConfig { name: node, agreed: agreed(config), timing };
    Ok(actor.in_cluster(config, random_instance()?, nats))
}

/// The settings on which the nodes have to agree, because they decide what becomes of an entry.
fn agreed(config: &Config) -> Agreed {
    let agreed = (config.limits.message_bytes as u64, config.accounts.required);
    Agreed(encoded(&agreed))
}

/// A number for this run of the node.
fn random_instance() -> Result<Instance, ServeError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::Start(error.into()))?;
    Ok(Instance(u64::from_le_bytes(bytes)))
}
