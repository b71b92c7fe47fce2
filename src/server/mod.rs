//! The server: actors around the protocol.
//!
//! The way of a message through this module:
//!
//! ```text
//! listener -> courier (starts the session) -> frame_reader -> session -> registry (roster, batch) -> courier -> outbox
//! ```
//!
//! Each folder begins with what it is responsible for, and imports between folders run one way: ARCHITECTURE.md has the
//! order.
//!
//! A folder's `messages.rs` defines the messages that its actor receives, and `server/messages.rs` those that are sent
//! against the order of the folders. The tables and queues (`roster`, `batch`, `outbox`, `frame_reader` and others) are
//! plain Rust that imports no actor library, so tests call them directly.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
    thread::JoinHandle,
    time::SystemTime,
};

use actix_rt::Arbiter;
use slog::{Logger, info, warn};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    accounts::Directory,
    config::{Config, InForce, LocalConnections},
};

mod accept;
pub(crate) mod admission;
mod audio;
mod cluster;
pub(crate) mod common;
mod courier;
mod delivery;
mod files;
mod http;
mod messages;
mod metrics;
mod monitoring;
mod net;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod pair;
mod registry;
mod reload;
mod serve_error;
mod session;
mod signals;
mod supervisor;

use accept::{
    acceptor::Listener,
    addresses::{BoundAddresses, BoundSockets},
};
use admission::bans::Ledger;
use audio::{RelayParams, RtspListener};
use common::health::Health;
pub use files::unusable_files;
use metrics::Metrics;
use monitoring::Watched;
pub use net::systemd;
pub use net::tls::credentials::CredentialsError;
use net::tls::credentials::{self, Credentials};
use reload::Reloader;
pub use reload::Reloading;
pub use serve_error::ServeError;
pub use supervisor::Ended;
use supervisor::{Sockets, Supervisor};

/// RTSP parsing and session logic without a connection, for the fuzz target.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod rtsp {
    pub use crate::server::audio::rtsp::{
        fake::FakeBackend,
        response::not_understood,
        session::{Progress, RtspSession},
    };
}

/// The steps of a broadcast, for benches that measure each step separately. Not a stable interface.
#[doc(hidden)]
pub mod steps {
    pub use crate::server::{
        admission::address_limiter::SessionPermit,
        common::session_ref::{SessionId, SessionRef},
        delivery::{
            batch::{Batch, SharedBatch},
            outbox::{Bounds, Outbox, at_once},
            subscriber::Subscriber,
            subscriber_table::SubscriberTable,
        },
        net::connection::{SendHalf, Unanswered, split},
        session::actor::Session,
    };
}

/// A server that has bound its addresses and accepts no connections yet.
pub struct Server {
    config: InForce,
    credentials: Option<Credentials>,
    accounts: Directory,
    ledger: Ledger,
    /// The thread that writes the bans file; `None` where bans are kept in memory only.
    keeper: Option<JoinHandle<()>>,
    listeners: Vec<Listener>,
    rtsp_listeners: Vec<RtspListener>,
    monitoring: Vec<TcpListener>,
    /// The addresses of all sockets above.
    at: BoundAddresses,
    metrics: Arc<Metrics>,
    log: Logger,
}

/// Binds, serves until a message or a signal closes the server, and returns the exit status: 0, or 130 if a second
/// signal forced the end.
///
/// If the service manager `passed` listening sockets, they replace `server.listen`. SIGHUP reloads the configuration
/// and the files that it names; SIGUSR1 logs all counters.
///
/// # Errors
/// If the server cannot start, or if a part of it died.
pub fn serve(
    config: &Config,
    passed: Vec<TcpListener>,
    reloading: Reloading,
    log: &Logger,
) -> Result<ExitCode, ServeError> {
    let server =
        if passed.is_empty() { Server::bind(config, log) } else { Server::adopt(config, passed, log) }?;
    let reloader =
        Reloader::new(&server.config, server.credentials.as_ref(), &server.accounts, reloading, log);
    let ended = actix_rt::System::new().block_on(async move {
        let stops = signals::catch(reloader, Arc::clone(&server.metrics), &server.log)?;
        server.run(stops).await
    })?;
    Ok(match ended {
        Ended::Closed => ExitCode::SUCCESS,
        // The status that a shell reports for a program that SIGINT ended.
        Ended::Forced => ExitCode::from(130),
    })
}

impl Server {
    /// Binds all addresses of the configuration, and loads the certificates, the accounts and the bans.
    ///
    /// # Errors
    /// If an address cannot be bound or a file cannot be used. A default address that is in use is an error only for
    /// `server.listen`; otherwise that service is left out with a warning.
    pub fn bind(config: &Config, log: &Logger) -> Result<Self, ServeError> {
        Self::new(config, BoundSockets::for_messages(&config.server.listen)?, log)
    }

    /// Serves on the `passed` sockets in place of `server.listen`. Other processes may listen on these sockets too.
    ///
    /// # Errors
    /// If the system refuses an option that a socket needs, or as [`Self::bind`] for everything else.
    pub fn adopt(config: &Config, passed: Vec<TcpListener>, log: &Logger) -> Result<Self, ServeError> {
        Self::new(config, BoundSockets::over(passed)?, log)
    }

    /// Takes the sockets for plain text from `taken` and binds all other addresses.
    fn new(config: &Config, mut taken: BoundSockets, log: &Logger) -> Result<Self, ServeError> {
        let is_encrypted = [&config.tls.listen, &config.web.tls_listen, &config.media.tls_listen]
            .iter()
            .any(|at| !at.is_empty());
        let credentials =
            if is_encrypted { Some(Credentials::new(credentials::load(&config.tls, log)?)) } else { None };
        let accounts = Directory::new(files::read_accounts(config, log)?);
        let bans_file = config.accounts.bans_file.as_path();
        let (ledger, keeper) = if bans_file.as_os_str().is_empty() {
            (Ledger::in_memory(), None)
        } else {
            let (ledger, keeper) = Ledger::in_file(bans_file, log)?;
            (ledger, Some(keeper))
        };
        taken.take_others(config, credentials.as_ref(), log)?;
        let BoundSockets { listeners, rtsp_listeners, monitoring, at } = taken;
        Ok(Self {
            config: InForce::new(config.clone()),
            credentials,
            accounts,
            ledger,
            keeper,
            listeners,
            rtsp_listeners,
            monitoring,
            at,
            metrics: Arc::default(),
            log: log.clone(),
        })
    }

    /// The addresses that serve plain text. Where port 0 was configured, the port that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.at.plain
    }

    /// As [`Self::addresses`], for TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.at.tls
    }

    /// As [`Self::addresses`], for the page by HTTP.
    #[must_use]
    pub fn web_addresses(&self) -> &[SocketAddr] {
        &self.at.web
    }

    /// As [`Self::addresses`], for the page by HTTPS.
    #[must_use]
    pub fn secure_web_addresses(&self) -> &[SocketAddr] {
        &self.at.secure_web
    }

    /// As [`Self::addresses`], for audio by RTSP.
    #[must_use]
    pub fn media_addresses(&self) -> &[SocketAddr] {
        &self.at.media
    }

    /// As [`Self::addresses`], for audio by RTSP over TLS.
    #[must_use]
    pub fn secure_media_addresses(&self) -> &[SocketAddr] {
        &self.at.secure_media
    }

    /// As [`Self::addresses`], for monitoring.
    #[must_use]
    pub fn monitoring_addresses(&self) -> &[SocketAddr] {
        &self.at.monitoring
    }

    /// Serves until closed. Must run in an [`actix_rt::System`].
    ///
    /// Each item of `stops` asks for the end and names its origin: the first does what `close_server` does, the
    /// second ends the server at once.
    ///
    /// # Errors
    /// If the server cannot start, or if a part of it died.
    pub async fn run(mut self, stops: UnboundedReceiver<String>) -> Result<Ended, ServeError> {
        self.raise_file_limit();
        let workers = (0..self.config.get().server.worker_count())
            .map(|_| Arbiter::try_new())
            .collect::<io::Result<Vec<_>>>()?;
        let health = Health::default();
        let watched = Watched {
            metrics: Arc::clone(&self.metrics),
            health: health.clone(),
            workers: workers.iter().map(Arbiter::handle).collect(),
            config: self.config.clone(),
            since: SystemTime::now(),
            log: self.log.clone(),
        };
        let monitoring = monitoring::start(std::mem::take(&mut self.monitoring), watched)?;
        self.at.log(&self.log);
        info!(self.log, "started"; "version" => env!("CARGO_PKG_VERSION"), "workers" => workers.len());
        log_local_connections(&self.config.get(), &self.log);
        self.at.log_missing_ipv4(&self.log);
        // Audio has a thread of its own, so that datagrams do not wait for messages, nor messages for datagrams.
        let media_thread = if self.rtsp_listeners.is_empty() { None } else { Some(Arbiter::try_new()?) };
        let relay_params = media_thread.as_ref().map(|thread| RelayParams {
            thread: thread.handle(),
            listeners: self.rtsp_listeners,
            addresses: self.at.media,
            secure_addresses: self.at.secure_media,
        });
        let mut supervisor = Supervisor::build(
            &self.config,
            &self.accounts,
            self.ledger,
            Sockets { listeners: self.listeners, media: relay_params },
            &workers,
            Arc::clone(&self.metrics),
            &self.log,
        )?;
        let ended = supervisor.until_closed(stops, &health).await;
        for thread in workers.iter().chain(&media_thread) {
            thread.stop();
        }
        if !matches!(ended, Ok(Ended::Forced)) {
            for worker in workers.into_iter().chain(media_thread) {
                // The exit guard of the worker's courier has reported a panic already.
                let _ = worker.join();
            }
            // The registry ended with its worker. Wait until the last change of the bans is on disk.
            if let Some(keeper) = self.keeper {
                let _ = keeper.join();
            }
        }
        // Monitoring stops last, so that it answers during shutdown. A response in progress is not awaited.
        if let Some(monitoring) = monitoring {
            monitoring.stop();
        }
        info!(self.log, "ended"; &*self.metrics);
        ended
    }

    /// Raises the limit of open files: each session is an open file, and the usual limit is 1,024.
    fn raise_file_limit(&self) {
        let config = self.config.get();
        let audio = if self.rtsp_listeners.is_empty() { 0 } else { audio::open_files(&config.media) };
        let wanted = config.limits.max_sessions as u64 + RESERVED_FILES + audio;
        match rlimit::increase_nofile_limit(wanted) {
            Ok(most) if most < wanted => {
                warn!(self.log, "fewer open files are allowed than limits.max_sessions needs"; "allowed" => most, "needed" => wanted);
            }
            Ok(_) => {}
            Err(error) => warn!(self.log, "cannot raise the limit of open files"; "error" => %error),
        }
    }
}

/// Logs whose connections the local ones are taken for. The server cannot detect that a local proxy forwards remote
/// clients, which would then have the rights of local users.
fn log_local_connections(config: &Config, log: &Logger) {
    let is_for_others = !config.web.hosts.is_empty()
        && config.web.tls_listen.is_empty()
        && config.web.listen.iter().all(|at| at.ip().is_loopback());
    match config.server.local_connections {
        LocalConnections::Direct if is_for_others => warn!(
            log,
            "web.hosts is set but web.listen is loopback only; if a proxy forwards requests here, set \
             server.local_connections"
        ),
        LocalConnections::Direct => info!(
            log,
            "connections from this machine are trusted as local users; if a proxy here forwards remote clients, set \
             server.local_connections"
        ),
        LocalConnections::Proxied | LocalConnections::TlsProxied => info!(
            log,
            "connections from this machine come from a proxy; limits per address do not apply to them"
        ),
    }
}

/// Open files beside the sessions: 64 for listeners, reactors and the log, then refused connections, connections to
/// the page, connections on trial, stream listeners over HTTP, and monitoring.
const RESERVED_FILES: u64 = 64
    + (accept::acceptor::MAX_REFUSALS
        + accept::acceptor::MAX_HTTP_FILES
        + admission::trial::MAX_TRIALS
        + http::stream::MAX_LISTENERS
        + monitoring::MAX_CONNECTIONS) as u64;

#[cfg(test)]
mod tests;
