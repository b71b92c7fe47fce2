//! [`WaitBudget`]: bounds the time that broadcasts wait for slow receivers.
//!
//! A broadcast that meets a full outbox waits, which slows its sender and loses nothing. A wait that is over within
//! [`MIN_WAIT`] slows a fast sender to the speed of receivers that read as fast as they can. Such a wait is not
//! counted, provided that broadcasts made progress since the wait before (see [`PROGRESS_DIVISOR`]). All counted waits
//! together take at most `limits.slow_reader_wait` of any [`WINDOW`], however many receivers are full and however they
//! read. Once a wait would exceed that sum, each full receiver either gives way or is passed over:
//!
//! - An [`Origin`] costs the counted time in which at least one of its receivers was full. A full receiver is
//!   disconnected if its origin cost at least a quarter of the limit and at least half as much as the costliest origin
//!   of the window, and if the receiver itself cost at least half as much as the costliest receiver of its origin.
//! - Any other full receiver met a budget that others had spent. Broadcasts stop waiting for it until it is no longer
//!   full: its outbox takes them up to its hard limit (`outbox.rs`).
//!
//! Sessions of one address that are full in turn count as one origin, and their neighbour behind the same address is
//! not disconnected for them. An origin or a receiver that has left still counts as the costliest until its waits are
//! older than the window. So a client that joins again and again does not make its victims the costliest.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::server::common::{block::Origin, session_ref::SessionId};

/// Period over which waits are summed.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Length from which every wait counts. Of a default outbox, 64 KiB have to be free before a wait ends: a receiver that
/// takes 1.3 MB/s frees them within this time. So uncounted waits never slow senders below that rate.
pub const MIN_WAIT: Duration = Duration::from_millis(50);

/// A wait counts, however brief, if fewer bytes of broadcasts than this fraction of `limits.outbox_bytes` (as a
/// divisor) were sent since the wait before. A wait ends once 1/16 of an outbox is free, so a receiver that only
/// broadcasts fill takes that many bytes of them before it is full again. Half of that leaves room for answers, private
/// messages and framing. A receiver that private messages fill again and again makes no progress: the waits for it
/// count.
const PROGRESS_DIVISOR: usize = 32;

/// Waits that end within one slot share an entry, which bounds a window to 101 entries. An entry is as old as its
/// latest wait, so the sum is never too small.
const SLOT: Duration = Duration::from_millis(100);

/// An origin or receiver that cost at least this fraction of the costliest one is costly, too (as a divisor).
const COSTLY_DIVISOR: u32 = 2;

/// An origin that cost less than this fraction of the limit (as a divisor) is not costly, even if no other cost more.
const MIN_COST_DIVISOR: u32 = 4;

/// A sum of durations that drops those that ended more than [`WINDOW`] ago.
#[derive(Debug, Default)]
struct RecentSum {
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    opened: Instant,
    latest: Instant,
    sum: Duration,
}

/// The counted time in which broadcasts waited while a receiver, or any receiver of an origin, was full.
#[derive(Debug, Default)]
struct Cost {
    recent: RecentSum,
    /// Value of [`WaitBudget::waited`] when the receiver or origin became full; present while it is full and waited
    /// for.
    full_from: Option<Duration>,
}

/// A receiver that is full, or for which broadcasts waited within the window.
#[derive(Debug)]
struct Receiver {
    origin: Origin,
    cost: Cost,
    /// Broadcasts do not wait for the receiver until it is no longer full.
    is_passed_over: bool,
}

/// The receivers of one origin.
#[derive(Debug, Default)]
struct Receivers {
    cost: Cost,
    /// Number of receivers of the origin that are full and waited for.
    full: usize,
}

/// The wait that is under way.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    /// Too few broadcasts were sent since the wait before, so this wait counts from its first moment.
    is_stalled: bool,
}

/// Measures how long broadcasts waited for full receivers, in total and for each receiver.
#[derive(Debug, Default)]
pub struct WaitBudget {
    /// Counted waits that have ended.
    recent: RecentSum,
    /// Present while a broadcast waits.
    wait: Option<Wait>,
    /// Bytes of broadcasts that were sent since the last wait began, while no receiver was waited for.
    sent: usize,
    /// Number of receivers that are full and waited for.
    full: usize,
    /// Sum of all counted waits that have ended since the start: a clock that runs only while broadcasts wait.
    waited: Duration,
    receivers: HashMap<SessionId, Receiver>,
    origins: HashMap<Origin, Receivers>,
    /// Time at which receivers whose waits are older than the window were last removed.
    pruned: Option<Instant>,
}

impl RecentSum {
    fn add(&mut self, amount: Duration, now: Instant) {
        if amount.is_zero() {
            return;
        }
        while self.slots.front().is_some_and(|slot| slot.latest + WINDOW <= now) {
            self.slots.pop_front();
        }
        match self.slots.back_mut() {
            Some(slot) if now < slot.opened + SLOT => (slot.latest, slot.sum) = (now, slot.sum + amount),
            _ => self.slots.push_back(Slot { opened: now, latest: now, sum: amount }),
        }
    }

    fn total(&self, now: Instant) -> Duration {
        self.slots.iter().rev().take_while(|slot| slot.latest + WINDOW > now).map(|slot| slot.sum).sum()
    }
}

impl Cost {
    fn begin(&mut self, waited: Duration) {
        self.full_from.get_or_insert(waited);
    }

    fn end(&mut self, waited: Duration, now: Instant) {
        if let Some(from) = self.full_from.take() {
            self.recent.add(waited.saturating_sub(from), now);
        }
    }

    fn total(&self, waited: Duration, now: Instant) -> Duration {
        self.recent.total(now) + self.full_from.map(|from| waited.saturating_sub(from)).unwrap_or_default()
    }

    /// Whether the receiver or origin is not full and has no recorded waits.
    fn is_empty(&self) -> bool {
        self.full_from.is_none() && self.recent.slots.is_empty()
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.full_from.is_none() && self.recent.total(now).is_zero()
    }
}

impl WaitBudget {
    /// Records that a receiver has become full. From now on, waits are counted for it.
    pub fn set_full(&mut self, id: SessionId, origin: Origin, now: Instant) {
        let waited = self.waited_until(now);
        self.prune(now);
        let new = || Receiver { origin, cost: Cost::default(), is_passed_over: false };
        let receiver = self.receivers.entry(id).or_insert_with(new);
        if receiver.is_passed_over || receiver.cost.full_from.is_some() {
            return;
        }
        receiver.cost.begin(waited);
        let receivers = self.origins.entry(receiver.origin).or_default();
        receivers.cost.begin(waited);
        receivers.full += 1;
        self.full += 1;
    }

    /// Records that a receiver is no longer full or has left.
    pub fn set_relieved(&mut self, id: SessionId, now: Instant) {
        let waited = self.waited_until(now);
        self.stop_waiting_for(id, waited, now);
        let Some(receiver) = self.receivers.get_mut(&id) else { return };
        receiver.is_passed_over = false;
        let origin = receiver.origin;
        if receiver.cost.is_empty() {
            self.receivers.remove(&id);
        }
        if self.origins.get(&origin).is_some_and(|receivers| receivers.cost.is_empty()) {
            self.origins.remove(&origin);
        }
    }

    /// Whether a receiver other than this one is full and waited for.
    #[must_use]
    pub fn is_anyone_full_but(&self, except: Option<SessionId>) -> bool {
        self.full > usize::from(except.is_some_and(|id| self.waits_for(id)))
    }

    fn waits_for(&self, id: SessionId) -> bool {
        self.receivers.get(&id).is_some_and(|receiver| receiver.cost.full_from.is_some())
    }

    fn stop_waiting_for(&mut self, id: SessionId, waited: Duration, now: Instant) {
        let Some(receiver) = self.receivers.get_mut(&id).filter(|receiver| receiver.cost.full_from.is_some())
        else {
            return;
        };
        receiver.cost.end(waited, now);
        self.full -= 1;
        if let Some(receivers) = self.origins.get_mut(&receiver.origin) {
            receivers.full -= 1;
            if receivers.full == 0 {
                receivers.cost.end(waited, now);
            }
        }
    }

    /// Counts a broadcast of `bytes` bytes that is sent. Broadcasts that a full receiver sends to all others do not end
    /// the wait of other senders, and are not counted as progress.
    pub fn count_sent(&mut self, bytes: usize) {
        if self.full == 0 {
            self.sent = self.sent.saturating_add(bytes);
        }
    }

    /// Records whether a broadcast waits from now on. A wait lasts until this is called with `false`, whichever
    /// receivers are full meanwhile. Returns the length of the wait if it is over now and counts, otherwise zero.
    pub fn observe(&mut self, waits: bool, outbox_bytes: usize, now: Instant) -> Duration {
        if waits {
            if self.wait.is_none() {
                let is_stalled = std::mem::take(&mut self.sent) < outbox_bytes / PROGRESS_DIVISOR;
                self.wait = Some(Wait { since: now, is_stalled });
            }
            return Duration::ZERO;
        }
        let counted = self.counted_until(now);
        self.wait = None;
        self.recent.add(counted, now);
        self.waited += counted;
        counted
    }

    /// Whether a broadcast waited when [`Self::observe`] was last called.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.wait.is_some()
    }

    /// Time that the present wait may still last. `None` if no broadcast waits, or if `limit` is the whole window or
    /// more, which means no limit.
    #[must_use]
    pub fn left(&self, limit: Duration, now: Instant) -> Option<Duration> {
        let Wait { since, is_stalled } = self.wait?;
        let length = now - since;
        let least = if is_stalled { Duration::ZERO } else { MIN_WAIT };
        let allowed = limit.saturating_sub(self.recent.total(now)).max(least);
        (limit < WINDOW).then(|| allowed.saturating_sub(length))
    }

    /// Handles a spent budget. Returns the full receivers that have to give way, because broadcasts waited longest for
    /// them and their origins, and passes over the other full receivers.
    pub fn give_way(&mut self, limit: Duration, now: Instant) -> Vec<SessionId> {
        let waited = self.waited_until(now);
        let costs = |origin: &Origin| {
            self.origins.get(origin).map_or(Duration::ZERO, |receivers| receivers.cost.total(waited, now))
        };
        let most = self.origins.keys().map(costs).max().unwrap_or_default();
        let mut most_within: HashMap<Origin, Duration> = HashMap::new();
        for Receiver { origin, cost, .. } in self.receivers.values() {
            let most = most_within.entry(*origin).or_default();
            *most = cost.total(waited, now).max(*most);
        }
        let is_costly = |Receiver { origin, cost, .. }: &Receiver| {
            let shared = costs(origin);
            let own = cost.total(waited, now);
            shared >= limit / MIN_COST_DIVISOR
                && shared * COSTLY_DIVISOR >= most
                && most_within.get(origin).is_none_or(|most| own * COSTLY_DIVISOR >= *most)
        };
        let full = self.receivers.iter().filter(|(_, receiver)| receiver.cost.full_from.is_some());
        let (costly, others): (Vec<_>, Vec<_>) = full.partition(|(_, receiver)| is_costly(receiver));
        let ids = |receivers: Vec<(&SessionId, _)>| receivers.into_iter().map(|(id, _)| *id).collect();
        let (costly, others): (Vec<SessionId>, Vec<SessionId>) = (ids(costly), ids(others));
        for id in others {
            self.stop_waiting_for(id, waited, now);
            if let Some(receiver) = self.receivers.get_mut(&id) {
                receiver.is_passed_over = true;
            }
        }
        // A wait that met a spent budget was cut short after `MIN_WAIT`, so it is not counted.
        if limit.saturating_sub(self.recent.total(now)) < MIN_WAIT {
            self.wait.take_if(|wait| !wait.is_stalled);
        }
        costly
    }

    /// Length of the present wait if it counts by now, otherwise zero.
    fn counted_until(&self, now: Instant) -> Duration {
        let Some(Wait { since, is_stalled }) = self.wait else { return Duration::ZERO };
        let length = now - since;
        if is_stalled || length >= MIN_WAIT { length } else { Duration::ZERO }
    }

    fn waited_until(&self, now: Instant) -> Duration {
        self.waited + self.counted_until(now)
    }

    /// Removes receivers and origins whose waits are older than the window, at most once per window.
    fn prune(&mut self, now: Instant) {
        if self.pruned.is_none_or(|pruned| pruned + WINDOW <= now) {
            self.pruned = Some(now);
            self.receivers.retain(|_, receiver| receiver.is_passed_over || !receiver.cost.is_forgotten(now));
            self.origins.retain(|_, receivers| !receivers.cost.is_forgotten(now));
        }
    }
}

#[cfg(test)]
mod tests;
