//! [`Doorkeeper`]: how many sessions an address may have, and how often it may connect.
//!
//! An IPv6 network of 64 bits counts as one address, because that is the least that one household is given; an IPv4
//! address is the same whether it comes as such or mapped into IPv6.
//!
//! What is kept of an address goes when its last session is gone and it may connect as often as one never seen. There
//! is no timer for that: whoever comes when many are kept pays for looking them through, which is rare enough to be
//! cheap. The number of addresses without a session is bounded by [`MOST_STRANGERS`].

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use super::{
    block::Block,
    close::CloseReason,
    flood::{Bucket, Rate},
    page_places::PagePlace,
    trial::{TRIAL_TIMEOUT, Trial},
    who::Peer,
};
use crate::{config::Flood, protocol::Line};

/// Addresses that are remembered though nobody is connected from them. Beyond that all of these are forgotten, and
/// connect as if for the first time: an attacker with so many addresses is not held up by any limit of this kind, and
/// must not keep others out by filling a table.
const MOST_STRANGERS: usize = 65_536;

/// Fewer than so many are not worth looking through.
const FEW: usize = 1024;

/// Records of refusals that are logged at once, and after that each second.
const LOGGED_AT_ONCE: usize = 20;
const LOGGED_A_SECOND: usize = 1;

/// Held by a session for as long as it counts for its address, and by a connection that asks for the page, which also
/// has a place that it may have to give up.
#[derive(Debug, Default)]
pub struct Visit {
    #[expect(dead_code, reason = "it counts by being there")]
    counted: Option<Arc<()>>,
    /// The place of a connection that asks for the page.
    pub page: Option<PagePlace>,
}

impl Visit {
    /// Waits until the connection has to give way to another. Sessions never do.
    pub async fn displaced(&self) {
        match self.page.as_ref().map(PagePlace::displaced) {
            Some(displaced) => displaced.cancelled().await,
            None => pending().await,
        }
    }
}

/// The places of a connection, given back when it is gone.
#[derive(Debug)]
pub struct Stay {
    /// Its place among the server's: of `limits.max_sessions`, or of those for the page. None while it is on trial.
    pub permit: Option<OwnedSemaphorePermit>,
    /// Its place among its address's, where these are counted.
    pub visit: Option<Visit>,
    /// It came when only places kept for accounts were left.
    pub trial: Option<Trial>,
}

impl Stay {
    /// A stay with a place of its own.
    #[must_use]
    pub fn in_place(permit: OwnedSemaphorePermit, visit: Option<Visit>) -> Self {
        Self { permit: Some(permit), visit, trial: None }
    }

    /// Time to give a name, or a password, where everybody has `timeout`.
    #[must_use]
    pub fn name_timeout(&self, timeout: Duration) -> Duration {
        if self.is_on_trial() { timeout.min(TRIAL_TIMEOUT) } else { timeout }
    }

    /// Whether it has no place yet.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::goes_on)
    }

    /// Whether the connection may stay open after its last line until the other end closes. False for one that was turned
    /// away and handed its permit to a newcomer.
    #[must_use]
    pub fn may_linger(&self) -> bool {
        self.trial.as_ref().is_none_or(Trial::may_linger)
    }

    /// Completes when the connection has to give way before it is a session, with the reason.
    pub async fn displaced(&self) -> CloseReason {
        let from_page = async {
            match &self.visit {
                Some(visit) => visit.displaced().await,
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

    /// Whether it has a place, or takes one that is kept for accounts: only an account's owner can.
    #[must_use]
    pub fn take_place(&self, is_owner: bool, is_operator: bool) -> bool {
        self.trial.as_ref().is_none_or(|trial| is_owner && trial.take_place(is_operator))
    }
}

/// The places of who is let in, or why there are none.
pub type Admitted = Result<Stay, (Line, CloseReason)>;

/// An HTTP connection's task to who listens: it is to become a session.
#[derive(Debug)]
pub struct Admission {
    /// Who wants to be let in.
    pub peer: Peer,
    /// Where the answer goes: the session's places, or why there are none.
    pub answer: oneshot::Sender<Admitted>,
}

/// What is known of one address.
struct Visitor {
    /// Each session holds another. Only the doorkeeper makes new ones, so their number is known here for sure.
    sessions: Arc<()>,
    joins: Bucket,
}

impl Visitor {
    fn sessions(&self) -> usize {
        Arc::strong_count(&self.sessions) - 1
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwelcome {
    /// `flood.sessions_per_address` are there already.
    TooMany {
        /// How many that is.
        most: usize,
    },
    /// `flood.joins_per_minute` connections came from there, and more.
    TooOften {
        /// How many may come.
        most: usize,
        /// After how long the next one may.
        wait: Duration,
    },
}

/// Keeps to `flood.sessions_per_address` and `flood.joins_per_minute`, and keeps refusals from filling the log.
pub struct Doorkeeper {
    visitors: HashMap<Block, Visitor>,
    /// How many visitors there may be before they are looked through.
    sweep_at: usize,
    log_records: Bucket,
    unlogged: u64,
}

impl Doorkeeper {
    /// One who has seen nobody yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { visitors: HashMap::new(), sweep_at: FEW, log_records: Bucket::full(now), unlogged: 0 }
    }

    /// Lets a connection in, or not. `None`: it is not counted.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&mut self, peer: Peer, flood: &Flood, now: Instant) -> Result<Option<Visit>, Unwelcome> {
        let joins = Rate::new(flood.joins_per_minute, Duration::from_mins(1), flood.joins_per_minute);
        if !peer.counts_by_address(flood) || joins.is_none() && flood.sessions_per_address == 0 {
            return Ok(None);
        }
        self.sweep(now);
        let visitor = self
            .visitors
            .entry(Block::of(peer.ip()))
            .or_insert_with(|| Visitor { sessions: Arc::default(), joins: Bucket::full(now) });
        if let Some(rate) = joins {
            let wait = visitor.joins.wait(rate, 1, now);
            if !wait.is_zero() {
                return Err(Unwelcome::TooOften { most: rate.burst, wait });
            }
            visitor.joins.take(rate, 1, now);
        }
        let most = flood.sessions_per_address;
        if most > 0 && visitor.sessions() >= most {
            return Err(Unwelcome::TooMany { most });
        }
        Ok(Some(Visit { counted: Some(Arc::clone(&visitor.sessions)), page: None }))
    }

    /// Forgets those of whom nothing has to be known any more.
    fn sweep(&mut self, now: Instant) {
        if self.visitors.len() < self.sweep_at {
            return;
        }
        self.visitors.retain(|_, visitor| visitor.sessions() > 0 || !visitor.joins.is_full(now));
        if self.visitors.len() >= MOST_STRANGERS {
            self.visitors.retain(|_, visitor| visitor.sessions() > 0);
        }
        self.visitors.shrink_to(FEW);
        // As many again may come before it is worth it: each pays for two.
        let kept = self.visitors.len();
        self.sweep_at = if kept < MOST_STRANGERS { (2 * kept).clamp(FEW, MOST_STRANGERS) } else { 2 * kept };
    }

    /// Whether a refusal is to be logged, and if so, how many before it were not. All are counted; in a flood, each
    /// line of a log is one that nobody can read.
    pub fn log_refusal(&mut self, now: Instant) -> Option<u64> {
        let rate = Rate { tokens: LOGGED_A_SECOND, per: Duration::from_secs(1), burst: LOGGED_AT_ONCE };
        if self.log_records.wait(rate, 1, now).is_zero() {
            self.log_records.take(rate, 1, now);
            Some(std::mem::take(&mut self.unlogged))
        } else {
            self.unlogged += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests;
