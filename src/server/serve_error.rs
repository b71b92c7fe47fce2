//! [`ServeError`]: why the server could not start or had to end.

use std::{io, net::SocketAddr};

use arauto_settings::source::SourceError;

use crate::server::{admission::bans::LedgerError, net::tls::credentials::CredentialsError};

/// Why a server ends that is not to wait for NATS, see [`ServeError::Cluster`].
pub const NO_NATS: &str = "none of cluster.servers answers, and cluster.once is true";

/// Why the server could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server cannot listen on an address.
    #[error("cannot listen on {address}: {error}{}", way_out(error))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
    /// The certificate or key for TLS cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The accounts file is invalid or unreadable.
    #[error(transparent)]
    Accounts(#[from] SourceError),
    /// The bans file is invalid, unreadable or not writable.
    #[error(transparent)]
    Bans(#[from] LedgerError),
    /// The system refused something else that is needed to start.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
    /// The server cannot be a node of its cluster.
    #[error("cannot take part in the cluster: {0}")]
    Cluster(String),
    /// A part died that the others need.
    #[error("the {0} died; the server cannot go on")]
    Died(&'static str),
}

/// The next step for an operator whose address cannot be listened on; appended to the error.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program listens there: end it, or choose another address (--listen, or the configuration)"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; this machine has no such address: 0.0.0.0 and [::] stand for all of its addresses"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE: choose a higher one"
        }
        _ => "",
    }
}

impl ServeError {
    /// Whether the server did not start because of the content of one of its files.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Accounts(_) | Self::Bans(LedgerError::Source(_)))
    }
}
