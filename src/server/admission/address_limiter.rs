//! [`AddressLimiter`]: how many sessions an address may have, and how often it may connect.
//!
//! An IPv6 network of 64 bits counts as one address, because that is the smallest network that one household is given.
//! An IPv4 address mapped into IPv6 counts as the IPv4 address.
//!
//! The entry of an address is removed once its last session is gone and it may connect as often as an address never
//! seen. No timer does that: a connection that arrives when the table is large pays for a sweep, which is rare enough
//! to be cheap. At most [`MAX_IDLE_ADDRESSES`] addresses without a session are kept, or as many as there are addresses
//! with one if those are more.

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use arauto_protocol::Line;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use super::{
    page_places::PagePlace,
    trial::{TRIAL_TIMEOUT, Trial},
};
use crate::{
    config::Flood,
    server::common::{
        block::Block,
        close::CloseReason,
        peer::Peer,
        token_bucket::{Rate, TokenBucket},
    },
};

/// Maximum number of addresses without a session that are remembered. Beyond it, all of them are forgotten and connect
/// as if for the first time. No limit by address holds up an attacker with so many addresses, and such an attacker must
/// not keep others out by filling a table.
const MAX_IDLE_ADDRESSES: usize = 65_536;

/// A smaller table is not worth a sweep.
const MIN_SWEPT: usize = 1024;

/// Refusals that are logged in one burst.
const LOG_BURST: usize = 20;
/// Refusals that are logged per second after the burst.
const LOGS_PER_SECOND: usize = 1;

/// Counts one session, or one HTTP connection, for its address until dropped. An HTTP connection also has one of the
/// places for HTTP, which it may have to give up.
#[derive(Debug, Default)]
pub struct AddressPermit {
    #[expect(dead_code, reason = "it counts by being there")]
    counted: Option<Arc<()>>,
    /// The place of an HTTP connection.
    pub page: Option<PagePlace>,
}

impl AddressPermit {
    /// Completes when the connection has to give way to another; never for a session.
    pub async fn displaced(&self) {
        match self.page.as_ref().map(PagePlace::displaced) {
            Some(displaced) => displaced.cancelled().await,
            None => pending().await,
        }
    }
}

/// The places that a connection holds, released when it is dropped.
#[derive(Debug)]
pub struct SessionPermit {
    /// The connection's place among those of `limits.max_sessions`, or among those for HTTP. `None` while it is on
    /// trial.
    pub place: Option<OwnedSemaphorePermit>,
    /// The connection's place among those of its address; `None` where these are not counted.
    pub address_permit: Option<AddressPermit>,
    /// Present if only places reserved for accounts were left when the connection arrived.
    pub trial: Option<Trial>,
}

impl SessionPermit {
    /// A connection that has a place, and is not on trial.
    #[must_use]
    pub fn with_place(place: OwnedSemaphorePermit, address_permit: Option<AddressPermit>) -> Self {
        Self { place: Some(place), address_permit, trial: None }
    }

    /// Time to give a name or a password: `timeout`, or less for a connection on trial.
    #[must_use]
    pub fn name_timeout(&self, timeout: Duration) -> Duration {
        if self.is_on_trial() { timeout.min(TRIAL_TIMEOUT) } else { timeout }
    }

    /// Whether the connection is on trial and has no place yet.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::goes_on)
    }

    /// Whether the connection may stay open after its last line until the other end closes. False for a connection that
    /// was turned away and handed its permit to a newcomer.
    #[must_use]
    pub fn may_linger(&self) -> bool {
        self.trial.as_ref().is_none_or(Trial::may_linger)
    }

    /// Completes with the reason when the connection has to give way before it is a session.
    pub async fn displaced(&self) -> CloseReason {
        let from_page = async {
            match &self.address_permit {
                Some(address_permit) => address_permit.displaced().await,
                None => pending().await,
            }
        };
        let from_trial = async {
            match &self.trial {
                Some(trial) => trial.turned_away().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = from_page => CloseReason::HandshakeTimeout,
            () = from_trial => CloseReason::ServerFull,
        }
    }

    /// Returns whether the connection has a place now. A connection on trial takes a place reserved for accounts, which
    /// only an account's owner may do.
    #[must_use]
    pub fn take_place(&self, is_owner: bool, is_operator: bool) -> bool {
        self.trial.as_ref().is_none_or(|trial| is_owner && trial.take_place(is_operator))
    }
}

/// The places of an admitted connection, or the refusal.
pub type AdmissionResult = Result<SessionPermit, (Line, CloseReason)>;

/// Asks the listeners' task for a session's places, for an HTTP connection that becomes a WebSocket. Each connection asks
/// once, so no more requests wait than there may be HTTP connections.
#[derive(Debug)]
pub struct AdmissionRequest {
    /// The other end of the connection.
    pub peer: Peer,
    /// Receives the session's places or the refusal.
    pub answer: oneshot::Sender<AdmissionResult>,
}

/// State kept for one address.
struct AddressState {
    /// Each session holds a clone. Only the limiter makes clones, so their count is exact.
    sessions: Arc<()>,
    joins: TokenBucket,
}

impl AddressState {
    fn sessions(&self) -> usize {
        Arc::strong_count(&self.sessions) - 1
    }
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The address has `flood.sessions_per_address` sessions already.
    TooMany {
        /// The limit.
        most: usize,
    },
    /// The address connected more often than `flood.joins_per_minute`.
    TooOften {
        /// Connections allowed per minute.
        most: usize,
        /// Time until the next connection is allowed.
        wait: Duration,
    },
}

/// Enforces `flood.sessions_per_address` and `flood.joins_per_minute`, and limits how many refusals are logged.
pub struct AddressLimiter {
    addresses: HashMap<Block, AddressState>,
    /// Size of the table at which the next sweep runs.
    sweep_at: usize,
    log_records: TokenBucket,
    unlogged: u64,
}

impl AddressLimiter {
    /// Creates a limiter that remembers no address.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            addresses: HashMap::new(),
            sweep_at: MIN_SWEPT,
            log_records: TokenBucket::full(now),
            unlogged: 0,
        }
    }

    /// Admits a connection and counts it for its address. `None`: the connection is admitted and not counted.
    ///
    /// # Errors
    /// If the address has too many sessions, or connects too often.
    pub fn admit(
        &mut self,
        peer: Peer,
        flood: &Flood,
        now: Instant,
    ) -> Result<Option<AddressPermit>, Rejected> {
        let joins = Rate::new(flood.joins_per_minute, Duration::from_mins(1), flood.joins_per_minute);
        if !peer.counts_by_address(flood) || joins.is_none() && flood.sessions_per_address == 0 {
            return Ok(None);
        }
        self.sweep(now);
        let address = self
            .addresses
            .entry(Block::of(peer.ip()))
            .or_insert_with(|| AddressState { sessions: Arc::default(), joins: TokenBucket::full(now) });
        if let Some(rate) = joins {
            let too_often = |wait| Rejected::TooOften { most: rate.burst, wait };
            address.joins.try_take(rate, 1, now).map_err(too_often)?;
        }
        let most = flood.sessions_per_address;
        if most > 0 && address.sessions() >= most {
            return Err(Rejected::TooMany { most });
        }
        Ok(Some(AddressPermit { counted: Some(Arc::clone(&address.sessions)), page: None }))
    }

    /// Removes the entries of addresses that nothing has to be remembered of.
    fn sweep(&mut self, now: Instant) {
        if self.addresses.len() < self.sweep_at {
            return;
        }
        self.addresses.retain(|_, address| address.sessions() > 0 || !address.joins.is_full(now));
        if self.addresses.len() >= MAX_IDLE_ADDRESSES {
            self.addresses.retain(|_, address| address.sessions() > 0);
        }
        self.addresses.shrink_to(MIN_SWEPT);
        // The next sweep runs when the table has doubled, so each newcomer pays for looking at two entries.
        let kept = self.addresses.len();
        self.sweep_at = if kept < MAX_IDLE_ADDRESSES {
            (2 * kept).clamp(MIN_SWEPT, MAX_IDLE_ADDRESSES)
        } else {
            2 * kept
        };
    }

    /// Whether this refusal is to be logged: `Some` with the number of refusals left out before it, or `None`. The
    /// metrics count all refusals; in a flood, a line for each would make the log unreadable.
    pub fn log_refusal(&mut self, now: Instant) -> Option<u64> {
        let rate = Rate { tokens: LOGS_PER_SECOND, per: Duration::from_secs(1), burst: LOG_BURST };
        if self.log_records.try_take(rate, 1, now).is_ok() {
            Some(std::mem::take(&mut self.unlogged))
        } else {
            self.unlogged += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests;
