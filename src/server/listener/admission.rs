//! Admission of connections: bans, limits by address, and the places for sessions and HTTP connections.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use slog::{info, warn};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::Reception;
use crate::{
    config::{Flood, LocalConnections},
    protocol::{Line, reply},
    server::{
        block::Block,
        close::CloseReason,
        doorkeeper::{Admission, Admitted, Doorkeeper, Stay, Unwelcome, Visit},
        page_places::PagePlaces,
        trial::Trials,
        who::Peer,
    },
};

/// The admission state, shared by all listeners, which run on one thread.
pub type Door = Rc<Doors>;

/// Admission state of the server. HTTP connections have a [`Doorkeeper`] of their own, because a browser opens several
/// at once.
pub struct Doors {
    pub(super) sessions: RefCell<Doorkeeper>,
    pages: RefCell<Doorkeeper>,
    trials: RefCell<Trials>,
    warned_of_proxy: Cell<bool>,
    /// The places of HTTP connections.
    places: PagePlaces,
}

impl Doors {
    /// State for a server without connections.
    pub fn new(now: Instant) -> Self {
        Self {
            sessions: RefCell::new(Doorkeeper::new(now)),
            pages: RefCell::new(Doorkeeper::new(now)),
            trials: RefCell::default(),
            warned_of_proxy: Cell::new(false),
            places: PagePlaces::new(PAGES),
        }
    }
}

/// Maximum number of HTTP connections at a time, beside sessions.
const PAGES: usize = 1024;

/// Open files for HTTP connections that have given way and are not closed yet: about those of 0.3 s if ten addresses
/// connect at the default limit (10 × 600 × `A_BROWSERS` per minute).
const LEAVING: usize = 256;

/// Maximum number of open files of HTTP connections.
pub const PAGE_FILES: usize = PAGES + LEAVING;

/// Factor by which the limits for each address are larger for HTTP: a browser opens several connections where another
/// client opens one.
const A_BROWSERS: usize = 8;

impl Reception {
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
    pub async fn admit_all(self, mut wanted: UnboundedReceiver<Admission>, door: Door) {
        while let Some(Admission { peer, answer }) = wanted.recv().await {
            self.warn_of_proxy(peer, &door);
            let admitted = self.refuse_banned(peer).and_then(|()| self.admit(peer, &door));
            if let Err((_, reason)) = &admitted {
                self.log_refused(peer, *reason, &door);
            }
            // If the connection is gone, dropping the answer releases its places.
            let _ = answer.send(admitted);
        }
    }

    /// Warns once if a proxy on this machine forwards connections and `server.local_connections` does not say so.
    fn warn_of_proxy(&self, peer: Peer, door: &Door) {
        let is_set = self.config.get().server.local_connections != LocalConnections::Direct;
        if peer.is_proxied() && !is_set && !door.warned_of_proxy.replace(true) {
            warn!(
                self.log,
                "a proxy on this machine passes on connections of others; set server.local_connections to \
                 \"proxied\", or to \"tls_proxied\" if it is reached by TLS alone"
            );
        }
    }

    /// Admits a connection to a session's place. If only places reserved for accounts are left, puts the connection on
    /// trial.
    pub(super) fn admit(&self, peer: Peer, door: &Door) -> Admitted {
        let visit = self.ask(peer, &door.sessions, &self.config.get().flood)?;
        let (free, reserved) = (self.places.available_permits(), self.reserved());
        if free > reserved {
            let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.no_place())?;
            return Ok(Stay::in_place(permit, visit));
        }
        if free == 0 || self.stop.is_cancelled() {
            return Err(self.no_place());
        }
        let block = Block::of(peer.ip());
        let trial = door.trials.borrow_mut().begin(block, &self.trials, &self.places, reserved / 2);
        Ok(Stay { permit: None, visit, trial: Some(trial.ok_or_else(|| self.no_place())?) })
    }

    /// Admits an HTTP connection. If all places are taken, an idle connection may give way to it.
    pub(super) fn admit_to_page(&self, peer: Peer, door: &Door) -> Admitted {
        let mut flood = self.config.get().flood.clone();
        flood.sessions_per_address *= A_BROWSERS;
        flood.joins_per_minute *= A_BROWSERS;
        let mut visit = self.ask(peer, &door.pages, &flood)?.unwrap_or_default();
        let full = || (reply::server_full(self.message_bytes, PAGES), CloseReason::ServerFull);
        let permit = Arc::clone(&self.pages).try_acquire_owned().map_err(|_| full())?;
        let (place, displaced) = door.places.take(peer).ok_or_else(full)?;
        if let Some(displaced) = displaced {
            self.log_displaced(displaced, door);
        }
        visit.page = Some(place);
        Ok(Stay::in_place(permit, Some(visit)))
    }

    /// Number of places reserved for accounts; 0 if there are no accounts, which could not use them.
    fn reserved(&self) -> usize {
        if self.accounts.current().is_empty() {
            return 0;
        }
        self.config.get().limits.reserved_sessions.min(self.max_sessions / 2)
    }

    fn log_displaced(&self, peer: Peer, door: &Door) {
        match door.sessions.borrow_mut().log_refusal(Instant::now()) {
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
        door: &RefCell<Doorkeeper>,
        flood: &Flood,
    ) -> Result<Option<Visit>, (Line, CloseReason)> {
        let limit = self.message_bytes;
        door.borrow_mut().admit(peer, flood, Instant::now()).map_err(|unwelcome| match unwelcome {
            Unwelcome::TooMany { most } => (reply::too_many_sessions(limit, most), CloseReason::AddressFull),
            Unwelcome::TooOften { most, wait } => {
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
