//! [`Options`]: what the log has to know.

use std::{path::PathBuf, time::Duration};

use arauto_cluster::NodeName;

/// The settings of the log. They contain nothing secret.
#[derive(Clone, Debug)]
pub struct Options {
    /// All servers, such as `nats://10.0.0.5:4222`, or `tls://nats.example.org` for TLS.
    pub servers: Vec<String>,
    /// A file with this node's credentials: what `nsc` writes (`.creds`), the seed of an nkey, or a line `user:password`.
    pub credentials: Option<PathBuf>,
    /// A file with the certificates, as PEM, that may sign the servers' certificates. With it, TLS is required.
    pub tls_ca: Option<PathBuf>,
    /// The cluster, a part of the stream's name.
    pub cluster: NodeName,
    /// This node, a part of the subject to which it appends.
    pub node: NodeName,
    /// The replicas of a stream that is created: 1, or 3 if NATS is a cluster of three servers.
    pub replicas: usize,
    /// The bytes that a stream that is created holds at most. It drops the oldest messages.
    pub log_bytes: u64,
    /// The age at which a stream that is created drops messages.
    pub log_age: Duration,
    /// Whether NATS may be open: whether this node may have permissions with which it could write what only the server
    /// may write.
    pub trust_nats: bool,
}

impl Options {
    /// These servers without credentials, 1 replica, 1 GiB and 10 min.
    #[must_use]
    pub fn new(servers: Vec<String>, cluster: NodeName, node: NodeName) -> Self {
        Self {
            servers,
            credentials: None,
            tls_ca: None,
            cluster,
            node,
            replicas: 1,
            log_bytes: 1 << 30,
            log_age: Duration::from_mins(10),
            trust_nats: false,
        }
    }
}
