//! Who is let in: bans, the doorkeepers, and the places there are.

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

/// The doorkeepers that all listeners ask; they live on one thread.
pub type Door = Rc<Doors>;

/// One counts sessions, one connections that ask for the page: a browser makes several at once.
pub struct Doors {
    pub(super) sessions: RefCell<Doorkeeper>,
    pages: RefCell<Doorkeeper>,
    trials: RefCell<Trials>,
    warned_of_proxy: Cell<bool>,
    /// The places of connections that ask for the page.
    places: PagePlaces,
}

impl Doors {
    /// Nobody has come yet.
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

/// How many connections that ask for the page there may be at once, beside sessions.
const PAGES: usize = 1024;

/// Connections that have given way and are not closed yet. At `flood.joins_per_minute` of ten addresses, this is a third
/// of a second's.
const LEAVING: usize = 256;

/// How many open files connections that ask for the page may take.
pub const PAGE_FILES: usize = PAGES + LEAVING;

/// How many connections a browser makes where another client makes one.
const A_BROWSERS: usize = 8;

impl Reception {
    /// Lets those in whom no operator keeps out.
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

    /// Answers connections that have asked for the page and are to become sessions, until nobody is left to ask.
    pub async fn admit_all(self, mut wanted: UnboundedReceiver<Admission>, door: Door) {
        while let Some(Admission { peer, answer }) = wanted.recv().await {
            self.warn_of_proxy(peer, &door);
            let admitted = self.refuse_banned(peer).and_then(|()| self.admit(peer, &door));
            if let Err((_, reason)) = &admitted {
                self.log_refused(peer, *reason, &door);
            }
            // One that is gone meanwhile gives its places back.
            let _ = answer.send(admitted);
        }
    }

    /// Warns, once, that a proxy passes connections on and the settings do not say so.
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

    /// A place for a session.
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

    /// A place for a connection that asks for the page.
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

    /// Places that are kept for accounts. Where there are none, nobody could take them.
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

    /// Asks a doorkeeper.
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
        // While the server ends, the places are held for the count of those who have left.
        if self.stop.is_cancelled() {
            (reply::server_closed(), CloseReason::ServerClosed)
        } else {
            (reply::server_full(self.message_bytes, self.max_sessions), CloseReason::ServerFull)
        }
    }
}
