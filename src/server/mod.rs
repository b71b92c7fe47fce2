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
use socket2::SockRef;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    accounts::{self, Accounts, Directory},
    config::{Config, InForce, Media, Monitoring, Web},
    escape::Escaped,
    protocol::name,
    source::SourceError,
};

pub(crate) mod bans;
mod batch;
mod challenge;
pub mod close;
mod connection;
mod courier;
mod doorkeeper;
mod entrance;
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
mod signals;
mod sock_diag;
mod speaks;
mod streams;
pub mod systemd;
mod tally;
mod tls;
mod tune;
mod vigil;
mod waiting;
mod who;

use bans::Ledger;
use health::{Health, Phase};
pub use house::{Ended, ServeError};
use house::{Entrances, House};
use listener::Listener;
use media::{Door, Opening};
use monitoring::Watched;
use reload::Reloader;
pub use reload::Reloading;
use speaks::Speaks;
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
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    web_addresses: Vec<SocketAddr>,
    secure_web_addresses: Vec<SocketAddr>,
    media: Vec<Door>,
    media_addresses: Vec<SocketAddr>,
    secure_media_addresses: Vec<SocketAddr>,
    monitoring: Vec<TcpListener>,
    monitoring_addresses: Vec<SocketAddr>,
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
        let mut listeners = Vec::new();
        let addresses = take_all(&config.server.listen, Speaks::Messages, None, &mut listeners)?;
        Self::new(config, listeners, addresses, log)
    }

    /// Takes over sockets that someone else listens on, too, in place of `server.listen`.
    ///
    /// # Errors
    /// If the system refuses what they need, or as [`Self::bind`] for TLS.
    pub fn adopt(config: &Config, passed: Vec<TcpListener>, log: &Logger) -> Result<Self, ServeError> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for socket in passed {
            listener::prepare(&SockRef::from(&socket))?;
            addresses.push(socket.local_addr()?);
            listeners.push(Listener { socket, is_passed: true, speaks: Speaks::Messages, credentials: None });
        }
        Self::new(config, listeners, addresses, log)
    }

    /// With these for plain text, takes the addresses of `tls.listen`.
    fn new(
        config: &Config,
        mut listeners: Vec<Listener>,
        addresses: Vec<SocketAddr>,
        log: &Logger,
    ) -> Result<Self, ServeError> {
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
        let secure = credentials.as_ref();
        let tls_addresses = take_all(&config.tls.listen, Speaks::Messages, secure, &mut listeners)?;
        let web_addresses = match take_all(&config.web.listen, Speaks::Http, None, &mut listeners) {
            Err(error) if is_by_default(&error, &config.web, &Web::default()) => {
                warn!(log, "no page: its default address is taken; set web.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        let mut media = Vec::new();
        let media_addresses = match take_doors(&config.media.listen, None, &mut media) {
            Err(error) if is_by_default(&error, &config.media, &Media::default()) => {
                warn!(log, "no audio: its default address is taken; set media.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        let secure_media_addresses = take_doors(&config.media.tls_listen, secure, &mut media)?;
        let monitoring = config.monitoring.listen.iter().map(|address| bind(*address)).collect();
        let monitoring: Vec<TcpListener> = match monitoring {
            Err(error) if is_by_default(&error, &config.monitoring, &Monitoring::default()) => {
                warn!(log, "no monitoring: its default address is taken; set monitoring.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        let monitoring_addresses =
            monitoring.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let secure_web_addresses = take_all(&config.web.tls_listen, Speaks::Http, secure, &mut listeners)?;
        Ok(Self {
            config: InForce::new(config.clone()),
            credentials,
            accounts,
            ledger,
            keeper,
            listeners,
            addresses,
            tls_addresses,
            web_addresses,
            secure_web_addresses,
            media,
            media_addresses,
            secure_media_addresses,
            monitoring,
            monitoring_addresses,
            tally: Arc::default(),
            log: log.clone(),
        })
    }

    /// The addresses listened on for plain text; where port 0 was asked for, the one the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The same for TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// The same for the page.
    #[must_use]
    pub fn web_addresses(&self) -> &[SocketAddr] {
        &self.web_addresses
    }

    /// The same for the page by https.
    #[must_use]
    pub fn secure_web_addresses(&self) -> &[SocketAddr] {
        &self.secure_web_addresses
    }

    /// The same for audio by RTSP.
    #[must_use]
    pub fn media_addresses(&self) -> &[SocketAddr] {
        &self.media_addresses
    }

    /// The same for audio by RTSP over TLS.
    #[must_use]
    pub fn secure_media_addresses(&self) -> &[SocketAddr] {
        &self.secure_media_addresses
    }

    /// The same for monitoring.
    #[must_use]
    pub fn monitoring_addresses(&self) -> &[SocketAddr] {
        &self.monitoring_addresses
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
        self.log_addresses();
        info!(self.log, "started"; "version" => env!("CARGO_PKG_VERSION"), "workers" => workers.len());
        // Sound has a thread of its own: a datagram waits for no message, and no message for a datagram.
        let media_thread = if self.media.is_empty() { None } else { Some(Arbiter::try_new()?) };
        let opening = media_thread.as_ref().map(|thread| Opening {
            thread: thread.handle(),
            doors: self.media,
            addresses: self.media_addresses,
            secure_addresses: self.secure_media_addresses,
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

    fn log_addresses(&self) {
        for address in &self.addresses {
            info!(self.log, "listening"; "address" => %address);
        }
        for address in &self.tls_addresses {
            info!(self.log, "listening for tls"; "address" => %address);
        }
        for (scheme, addresses) in [("http", &self.web_addresses), ("https", &self.secure_web_addresses)] {
            for address in addresses {
                info!(self.log, "the page is at"; "url" => format_args!("{scheme}://{address}/"));
            }
        }
        for (scheme, addresses) in [("rtsp", &self.media_addresses), ("rtsps", &self.secure_media_addresses)]
        {
            for address in addresses {
                info!(self.log, "audio is at"; "url" => format_args!("{scheme}://{address}/"));
            }
        }
        for address in &self.monitoring_addresses {
            info!(self.log, "monitoring is at"; "url" => format_args!("http://{address}/metrics"));
        }
    }

    /// Each session is an open file, and the usual limit is 1,024.
    fn raise_file_limit(&self) {
        let audio = if self.media.is_empty() { 0 } else { media::OPEN_FILES };
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

/// Takes an address.
fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    listener::bind(address).map_err(|error| ServeError::Bind { address, error })
}

/// Whether all that went wrong is that an address is taken which nobody asked for: it is the default, and a second server
/// on a machine is no mistake.
fn is_by_default<T: PartialEq>(error: &ServeError, settings: &T, defaults: &T) -> bool {
    settings == defaults
        && matches!(error, ServeError::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
}

/// Takes addresses. Returns them as the system has them.
fn take_all(
    addresses: &[SocketAddr],
    speaks: Speaks,
    credentials: Option<&Credentials>,
    listeners: &mut Vec<Listener>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        listeners.push(Listener { socket, is_passed: false, speaks, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
}

/// Takes addresses for audio. Returns them as the system has them.
fn take_doors(
    addresses: &[SocketAddr],
    credentials: Option<&Credentials>,
    doors: &mut Vec<Door>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        doors.push(Door { socket, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
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
const RESERVED_FILES: u64 =
    64 + (listener::REFUSALS + listener::PAGES + http::stream::LISTENERS + monitoring::MOST) as u64;

#[cfg(test)]
mod tests;
