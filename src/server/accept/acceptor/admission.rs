//! Admission of connections: bans, limits by address, and the places for sessions and HTTP connections.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use arauto_protocol::{Line, reply};
use slog::{info, warn};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::Acceptor;
use crate::{
    config::{Flood, LocalConnections},
    server::{
        admission::{
            address_limiter::{
                AddressLimiter, AddressPermit, AdmissionRequest, AdmissionResult, Rejected, SessionPermit,
            },
            page_places::PagePlaces,
            trial::Trials,
        },
        common::{block::Block, close::CloseReason, peer::Peer},
    },
};

/// The admission state, shared by all listeners, which run on one thread.
pub type SharedLimiters = Rc<Limiters>;

/// Admission state of the server. HTTP connections have an [`AddressLimiter`] of their own, because a browser opens
/// several at once.
pub struct Limiters {
    pub(super) sessions: RefCell<AddressLimiter>,
    pages: RefCell<AddressLimiter>,
    trials: RefCell<Trials>,
    warned_of_proxy: Cell<bool>,
    /// The places of HTTP connections.
    places: PagePlaces,
}

impl Limiters {
    /// State for a server without connections.
    pub fn new(now: Instant) -> Self {
        Self {
            sessions: RefCell::new(AddressLimiter::new(now)),
            pages: RefCell::new(AddressLimiter::new(now)),
            trials: RefCell::default(),
            warned_of_proxy: Cell::new(false),
            places: PagePlaces::new(MAX_HTTP_CONNECTIONS),
        }
    }
}

/// Maximum number of HTTP connections at a time, beside sessions.
const MAX_HTTP_CONNECTIONS: usize = 1024;

/// Open files for HTTP connections that have given way and are not closed yet: about those of 0.3 s if ten addresses
/// connect at the default limit (10 × 600 × `HTTP_FACTOR` per minute).
const MAX_CLOSING: usize = 256;

/// Maximum number of open files of HTTP connections.
pub const MAX_HTTP_FILES: usize = MAX_HTTP_CONNECTIONS + MAX_CLOSING;

/// Factor by which the limits for each address are larger for HTTP: a browser opens several connections where another
/// client opens one.
const HTTP_FACTOR: usize = 8;

impl Acceptor {
    /// Refuses a connection from a banned address.
    pub(super) fn refuse_banned(&self, peer: Peer) -> Result<(), (Line, CloseReason)> {
        let bans = self.barrier.load();
        if bans.is_empty() {
            return Ok(());
        }
        match bans.of_address(peer.ip(), SystemTime::now()) {
            None => Ok(()),
            Some(ban) => Err((reply::address_banned(self.message_bytes, &ban.terms()), CloseReason::Banned)),
        }
    }

    /// Answers the requests for a session's place of HTTP connections that become WebSockets, until all couriers are
    /// gone.
    pub async fn admit_all(self, mut wanted: UnboundedReceiver<AdmissionRequest>, limiters: SharedLimiters) {
        while let Some(AdmissionRequest { peer, answer }) = wanted.recv().await {
            self.warn_of_proxy(peer, &limiters);
            let admitted = self.refuse_banned(peer).and_then(|()| self.admit(peer, &limiters));
            if let Err((_, reason)) = &admitted {
                self.log_refused(peer, *reason, &limiters);
            }
            // If the connection is gone, dropping the answer releases its places.
            let _ = answer.send(admitted);
        }
    }

    /// Warns once if a proxy on this machine forwards connections and `server.local_connections` does not say so.
    fn warn_of_proxy(&self, peer: Peer, limiters: &SharedLimiters) {
        let is_set = self.config.get().server.local_connections != LocalConnections::Direct;
        if peer.is_proxied() && !is_set && !limiters.warned_of_proxy.replace(true) {
            warn!(
                self.log,
                "a proxy on this machine forwards connections of remote clients; set \
                 server.local_connections to \"proxied\", or to \"tls_proxied\" if clients reach it only by TLS"
            );
        }
    }

    /// Admits a connection to a session's place. If only places reserved for accounts are left, puts the connection on
    /// trial.
    pub(super) fn admit(&self, peer: Peer, limiters: &SharedLimiters) -> AdmissionResult {
        let address_permit = self.ask(peer, &limiters.sessions, &self.config.get().flood)?;
        let (free, reserved) = (self.places.available_permits(), self.reserved());
        if free > reserved {
            let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.no_place())?;
            return Ok(SessionPermit::with_place(place, address_permit));
        }
        if free == 0 || self.stop.is_cancelled() {
            return Err(self.no_place());
        }
        let block = Block::of(peer.ip());
        let trial = limiters.trials.borrow_mut().begin(block, &self.trials, &self.places, reserved / 2);
        Ok(SessionPermit { place: None, address_permit, trial: Some(trial.ok_or_else(|| self.no_place())?) })
    }

    /// Admits an HTTP connection. If all places are taken, an idle connection may give way to it.
    pub(super) fn admit_to_page(&self, peer: Peer, limiters: &SharedLimiters) -> AdmissionResult {
        let mut flood = self.config.get().flood.clone();
        flood.sessions_per_address *= HTTP_FACTOR;
        flood.joins_per_minute *= HTTP_FACTOR;
        let mut address_permit = self.ask(peer, &limiters.pages, &flood)?.unwrap_or_default();
        let full = || (reply::server_full(self.message_bytes, MAX_HTTP_CONNECTIONS), CloseReason::ServerFull);
        let place = Arc::clone(&self.pages).try_acquire_owned().map_err(|_| full())?;
        let (page, displaced) = limiters.places.take(peer).ok_or_else(full)?;
        if let Some(displaced) = displaced {
            self.log_displaced(displaced, limiters);
        }
        address_permit.page = Some(page);
        Ok(SessionPermit::with_place(place, Some(address_permit)))
    }

    /// Number of places reserved for accounts; 0 if there are no accounts, which could not use them.
    fn reserved(&self) -> usize {
        if self.accounts.current().is_empty() {
            return 0;
        }
        self.config.get().limits.reserved_sessions.min(self.max_sessions / 2)
    }

    fn log_displaced(&self, peer: Peer, limiters: &SharedLimiters) {
        match limiters.sessions.borrow_mut().log_refusal(Instant::now()) {
            Some(0) => info!(self.log, "http connection displaced by a newer one"; "peer" => %peer),
            Some(unlogged) => info!(
                self.log, "http connection displaced by a newer one"; "peer" => %peer, "unlogged_before" => unlogged
            ),
            None => {}
        }
    }

    /// Checks the limits for the connection's address.
    fn ask(
        &self,
        peer: Peer,
        limiter: &RefCell<AddressLimiter>,
        flood: &Flood,
    ) -> Result<Option<AddressPermit>, (Line, CloseReason)> {
        let limit = self.message_bytes;
        limiter.borrow_mut().admit(peer, flood, Instant::now()).map_err(|rejected| match rejected {
            Rejected::TooMany { most } => (reply::too_many_sessions(limit, most), CloseReason::AddressFull),
            Rejected::TooOften { most, wait } => {
                (reply::too_many_joins(limit, most, wait), CloseReason::TooOften)
            }
        })
    }

    fn no_place(&self) -> (Line, CloseReason) {
        // While the server ends, `Supervisor` holds the free places to learn when the last session has left.
        if self.stop.is_cancelled() {
            (reply::server_closed(), CloseReason::ServerClosed)
        } else {
            (reply::server_full(self.message_bytes, self.max_sessions), CloseReason::ServerFull)
        }
    }
}
