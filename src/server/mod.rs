//! The server: actors around the protocol.
//!
//! A message's way through this module:
//!
//! ```text
//! listener -> courier (takes a connection in) -> inbox -> session -> registry (roster, batch) -> courier -> outbox
//! ```
//!
//! `messages.rs` lists everything actors say to each other. Only it, the three actors, `place`, `house`, `listener` and
//! this file know actix; the rest is plain Rust.

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
    accounts::{self, Accounts, Directory},
    config::{Config, InForce, LocalConnections},
    escape::Escaped,
    protocol::name,
    source::SourceError,
};

mod addresses;
pub(crate) mod bans;
mod batch;
mod block;
mod challenge;
pub mod close;
mod connection;
mod courier;
mod doorkeeper;
mod entrance;
mod eviction;
mod flood;
mod health;
mod house;
mod http;
mod inbox;
mod listener;
mod media;
mod messages;
mod monitoring;
mod outbox;
mod pace;
mod page_places;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod pair;
mod patience;
mod place;
mod places;
mod reach;
mod registry;
mod reload;
mod retransmission;
mod roster;
mod seat;
mod session;
mod settling;
mod signals;
mod sock_diag;
mod speaks;
mod streams;
pub mod systemd;
mod tally;
mod tls;
mod trial;
mod tune;
mod vigil;
mod wait_budget;
mod waiting;
mod who;

use addresses::{Addresses, Taken};
use bans::{Ledger, LedgerError};
use health::{Health, Phase};
pub use house::{Ended, ServeError};
use house::{Entrances, House};
use listener::Listener;
use media::{Door, Opening};
use monitoring::Watched;
use reload::Reloader;
pub use reload::Reloading;
use tally::Tally;
pub use tls::credentials::CredentialsError;
use tls::credentials::{self, Credentials};

/// A connection's RTSP without its connection, for the fuzz target.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod rtsp {
    pub use super::media::rtsp::{
        fake::FakeStage,
        input::{Incoming, Input, MOST_HEAD},
        session::{Progress, Session, not_understood},
    };
}

/// The steps of a broadcast, for the benches that measure each by itself. No interface to build on.
#[doc(hidden)]
pub mod steps {
    pub use super::{
        batch::{Batch, Shared},
        connection::{SendHalf, Unanswered, split},
        doorkeeper::Stay,
        outbox::{Bounds, Outbox, at_once},
        place::Place,
        places::Places,
        seat::{Seat, SessionId},
        session::Session,
    };
}

/// A server that has its addresses and serves nobody yet.
pub struct Server {
    config: InForce,
    credentials: Option<Credentials>,
    accounts: Directory,
    ledger: Ledger,
    /// Writes the bans file.
    keeper: Option<JoinHandle<()>>,
    listeners: Vec<Listener>,
    doors: Vec<Door>,
    monitoring: Vec<TcpListener>,
    /// Where all of these are.
    at: Addresses,
    tally: Arc<Tally>,
    log: Logger,
}

/// Binds, serves until closed by a message or a signal, and tells the exit status. Where the service manager `passed`
/// listening sockets, they take the place of `server.listen`. SIGHUP has the configuration and the files that it names
/// read again; SIGUSR1 has all that is counted logged.
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
        let stops = signals::catch(reloader, Arc::clone(&server.tally), &server.log)?;
        server.run(stops).await
    })?;
    Ok(match ended {
        Ended::Closed => ExitCode::SUCCESS,
        // What a shell reports for a program that SIGINT ended.
        Ended::Forced => ExitCode::from(130),
    })
}

impl Server {
    /// Takes all addresses of `server.listen` and `tls.listen`, and reads what TLS needs.
    ///
    /// # Errors
    /// If an address cannot be had, or a file cannot be used.
    pub fn bind(config: &Config, log: &Logger) -> Result<Self, ServeError> {
        Self::new(config, Taken::for_messages(&config.server.listen)?, log)
    }

    /// Takes over sockets that someone else listens on, too, in place of `server.listen`.
    ///
    /// # Errors
    /// If the system refuses what they need, or as [`Self::bind`] for TLS.
    pub fn adopt(config: &Config, passed: Vec<TcpListener>, log: &Logger) -> Result<Self, ServeError> {
        Self::new(config, Taken::over(passed)?, log)
    }

    /// With these for plain text, takes all others.
    fn new(config: &Config, mut taken: Taken, log: &Logger) -> Result<Self, ServeError> {
        let is_encrypted = [&config.tls.listen, &config.web.tls_listen, &config.media.tls_listen]
            .iter()
            .any(|at| !at.is_empty());
        let credentials =
            if is_encrypted { Some(Credentials::new(credentials::load(&config.tls, log)?)) } else { None };
        let accounts = Directory::new(read_accounts(config, log)?);
        let bans_file = config.accounts.bans_file.as_path();
        let (ledger, keeper) = if bans_file.as_os_str().is_empty() {
            (Ledger::in_memory(), None)
        } else {
            let (ledger, keeper) = Ledger::in_file(bans_file, log)?;
            (ledger, Some(keeper))
        };
        taken.take_others(config, credentials.as_ref(), log)?;
        let Taken { listeners, doors, monitoring, at } = taken;
        Ok(Self {
            config: InForce::new(config.clone()),
            credentials,
            accounts,
            ledger,
            keeper,
            listeners,
            doors,
            monitoring,
            at,
            tally: Arc::default(),
            log: log.clone(),
        })
    }

    /// The addresses listened on for plain text; where port 0 was asked for, the one the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.at.plain
    }

    /// The same for TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.at.tls
    }

    /// The same for the page.
    #[must_use]
    pub fn web_addresses(&self) -> &[SocketAddr] {
        &self.at.web
    }

    /// The same for the page by https.
    #[must_use]
    pub fn secure_web_addresses(&self) -> &[SocketAddr] {
        &self.at.secure_web
    }

    /// The same for audio by RTSP.
    #[must_use]
    pub fn media_addresses(&self) -> &[SocketAddr] {
        &self.at.media
    }

    /// The same for audio by RTSP over TLS.
    #[must_use]
    pub fn secure_media_addresses(&self) -> &[SocketAddr] {
        &self.at.secure_media
    }

    /// The same for monitoring.
    #[must_use]
    pub fn monitoring_addresses(&self) -> &[SocketAddr] {
        &self.at.monitoring
    }

    /// Serves until closed. Has to run in an [`actix_rt::System`].
    ///
    /// Each item of `stops` asks for the end and says who wants it: the first does what `close_server` does, the
    /// second ends at once.
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
            tally: Arc::clone(&self.tally),
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
        // Sound has a thread of its own: a datagram waits for no message, and no message for a datagram.
        let media_thread = if self.doors.is_empty() { None } else { Some(Arbiter::try_new()?) };
        let opening = media_thread.as_ref().map(|thread| Opening {
            thread: thread.handle(),
            doors: self.doors,
            addresses: self.at.media,
            secure_addresses: self.at.secure_media,
        });
        let mut house = House::build(
            &self.config,
            &self.accounts,
            self.ledger,
            Entrances { listeners: self.listeners, media: opening },
            &workers,
            Arc::clone(&self.tally),
            &self.log,
        );
        health.reach(Phase::Serving);
        systemd::ready(&self.log);
        let ended = house.until_closed(stops, &health).await;
        for thread in workers.iter().chain(&media_thread) {
            thread.stop();
        }
        if !matches!(ended, Ok(Ended::Forced)) {
            for worker in workers.into_iter().chain(media_thread) {
                // A worker that panicked was noticed by its courier's vigil.
                let _ = worker.join();
            }
            // The registry is gone with its worker, and what it changed last is on its way to the disk.
            if let Some(keeper) = self.keeper {
                let _ = keeper.join();
            }
        }
        // It answered all the while. What it may be saying still is not waited for.
        if let Some(monitoring) = monitoring {
            monitoring.stop();
        }
        info!(self.log, "ended"; &*self.tally);
        ended
    }

    /// Each session is an open file, and the usual limit is 1,024.
    fn raise_file_limit(&self) {
        let audio = if self.doors.is_empty() { 0 } else { media::OPEN_FILES };
        let wanted = self.config.get().limits.max_sessions as u64 + RESERVED_FILES + audio;
        match rlimit::increase_nofile_limit(wanted) {
            Ok(most) if most < wanted => {
                warn!(self.log, "fewer open files are allowed than limits.max_sessions needs"; "allowed" => most, "needed" => wanted);
            }
            Ok(_) => {}
            Err(error) => warn!(self.log, "cannot raise the limit of open files"; "error" => %error),
        }
    }
}

/// Says whose connections from this machine are taken to be. The server cannot find out by itself that a proxy passes on
/// those of strangers, who would have the rights of the machine's own users.
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
            "connections from this machine are a proxy's; limits for each address do not hold for them"
        ),
    }
}

/// Opens all files that a configuration names, and gives all that is wrong with them.
#[must_use]
pub fn unusable_files(config: &Config) -> Vec<ServeError> {
    let accounts = match config.accounts.file.as_path() {
        file if file.as_os_str().is_empty() => Vec::new(),
        file => Accounts::faults(file, name::max_bytes(config.limits.message_bytes)),
    };
    let bans = match config.accounts.bans_file.as_path() {
        file if file.as_os_str().is_empty() => Vec::new(),
        file => bans::file::faults(file),
    };
    let credentials = credentials::faults(&config.tls).into_iter().map(ServeError::from);
    let bans = bans.into_iter().map(|fault| ServeError::from(LedgerError::from(fault)));
    credentials.chain(accounts.into_iter().map(ServeError::from)).chain(bans).collect()
}

/// Reads the accounts file that a configuration names, if it names one, and warns if others can read it too. To put them
/// in force: [`Directory::replace`].
///
/// # Errors
/// If the file cannot be read, or points at the first thing wrong in it.
fn read_accounts(config: &Config, log: &Logger) -> Result<Accounts, SourceError> {
    let path = config.accounts.file.as_path();
    if path.as_os_str().is_empty() {
        return Ok(Accounts::default());
    }
    let accounts = Accounts::load(path, name::max_bytes(config.limits.message_bytes))?;
    let shown = Escaped(path.display());
    if accounts::is_readable_by_others(path).unwrap_or_default() {
        warn!(log, "everyone on this machine can read the accounts file; take that away with chmod o-r"; "file" => %shown);
    }
    info!(log, "accounts"; "file" => %shown, "count" => accounts.len());
    Ok(accounts)
}

/// Open files beside the sessions: listeners, reactors and log, connections that are being refused, ask for the page or listen, and
/// monitoring.
const RESERVED_FILES: u64 = 64
    + (listener::REFUSALS
        + listener::PAGE_FILES
        + trial::MAX_TRIALS
        + http::stream::LISTENERS
        + monitoring::MOST) as u64;

#[cfg(test)]
mod tests;
