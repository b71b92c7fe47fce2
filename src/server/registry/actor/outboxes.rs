//! Bounds the memory of all outboxes together (`limits.outboxes_bytes`). Above the limit, disconnects sessions of the
//! origins with the highest cost: queued bytes times the time for which they have been unread.

use std::{cmp::Reverse, collections::HashMap, sync::atomic::Ordering, time::Duration};

use actix::{AsyncContext, Context, Handler};
use arauto_protocol::reply;
use slog::warn;
use tokio::time::Instant;

use super::{Registry, order_log::Entry};
use crate::server::{
    common::{block::Origin, close::CloseReason},
    courier::messages::Weigh,
    messages::{Heavy, Leave, OutboxesFull, Weighed},
};

/// After receivers were disconnected, the time for their memory to be freed before more are disconnected.
const WEIGH_INTERVAL: Duration = Duration::from_millis(100);

/// Sessions with less memory are not disconnected: that would free next to nothing.
const MIN_SESSION_BYTES: usize = 4 * 1024;

/// Sessions of an origin that together have less memory are not disconnected: a client that reads also has a few
/// messages queued now and then.
const MIN_ORIGIN_BYTES: usize = 64 * 1024;

/// The state of a collection of outbox weights, and when the last one ended.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    /// Couriers that have not answered.
    awaited: usize,
    heaviest: Vec<Heavy>,
    ended: Option<Instant>,
}

/// The bytes to free in the outboxes of open sessions, so that a sixteenth of `allowed` is free. Outboxes of closing
/// sessions are not included: the couriers drop the larger of those.
fn excess(heaviest: &[(Origin, Heavy)], allowed: usize) -> usize {
    let open: usize = heaviest.iter().map(|(_, heavy)| heavy.bytes).sum();
    (open + allowed / 16).saturating_sub(allowed)
}

/// The sessions to disconnect to free `excess` bytes: those of the costliest origins first, within an origin those
/// with the highest cost. A cost is bytes times time without progress; 1 s is added to that time, so that size
/// decides between sessions that made progress just now.
fn choose(heaviest: Vec<(Origin, Heavy)>, excess: usize) -> Vec<Heavy> {
    let cost = |heavy: &Heavy| heavy.bytes as u128 * (heavy.idle + Duration::from_secs(1)).as_millis();
    let mut origins: HashMap<Origin, (u128, usize)> = HashMap::new();
    for (origin, heavy) in &heaviest {
        let (costs, bytes) = origins.entry(*origin).or_default();
        (*costs, *bytes) = (*costs + cost(heavy), *bytes + heavy.bytes);
    }
    let sum_of = |origin: &Origin| origins.get(origin).copied().unwrap_or_default();
    let mut candidates = heaviest;
    candidates
        .retain(|(origin, heavy)| heavy.bytes >= MIN_SESSION_BYTES && sum_of(origin).1 >= MIN_ORIGIN_BYTES);
    candidates.sort_by_cached_key(|(origin, heavy)| Reverse((sum_of(origin).0, cost(heavy))));
    let mut freed = 0;
    candidates
        .into_iter()
        .map(|(_, heavy)| heavy)
        .take_while(|heavy| {
            let is_needed = freed < excess;
            freed += heavy.bytes;
            is_needed
        })
        .collect()
}

impl Registry {
    fn free_outboxes(&mut self) {
        let Weighing { heaviest, .. } = std::mem::replace(
            &mut self.weighing,
            Weighing { ended: Some(Instant::now()), ..Weighing::default() },
        );
        let (limit, allowed) = (self.config.limits.message_bytes, self.config.limits.outboxes_bytes);
        let heaviest: Vec<_> =
            heaviest.into_iter().map(|heavy| (self.origin_of(heavy.session_ref.id), heavy)).collect();
        let excess = excess(&heaviest, allowed);
        let chosen = choose(heaviest, excess);
        if !chosen.is_empty() {
            warn!(self.log, "outboxes take too much memory"; "limit" => allowed, "disconnected" => chosen.len());
        }
        for Heavy { session_ref, .. } in chosen {
            let name = self.roster.get(session_ref.id).map(|member| member.name.clone());
            let farewell = Some(reply::outboxes_full(limit, name.as_ref(), allowed));
            self.append(Entry::Leave(Leave { session_ref, reason: CloseReason::OutboxFull, farewell }));
        }
    }
}

impl Handler<OutboxesFull> for Registry {
    type Result = ();

    fn handle(&mut self, _: OutboxesFull, ctx: &mut Self::Context) {
        let is_early = self.weighing.ended.is_some_and(|ended| ended.elapsed() < WEIGH_INTERVAL);
        if self.closing || self.weighing.awaited > 0 || is_early {
            return;
        }
        self.weighing.awaited = self.couriers.len();
        for courier in &self.couriers {
            courier.do_send(Weigh { answer: ctx.address().recipient() });
        }
    }
}

impl Handler<Weighed> for Registry {
    type Result = ();

    fn handle(&mut self, Weighed(heaviest): Weighed, ctx: &mut Context<Self>) {
        self.weighing.heaviest.extend(heaviest);
        self.weighing.awaited -= 1;
        if self.weighing.awaited == 0 && !self.closing {
            self.begin_batch();
            self.free_outboxes();
            self.go_on(ctx);
            // Reports until then are ignored, and none follows if nothing more is queued.
            ctx.run_later(WEIGH_INTERVAL, |registry, ctx| {
                let total = registry.metrics.outboxes_bytes().load(Ordering::Relaxed);
                if usize::try_from(total).is_ok_and(|total| total > registry.config.limits.outboxes_bytes) {
                    registry.handle(OutboxesFull, ctx);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::server::common::{
        block::Block,
        session_ref::{SessionId, SessionRef},
    };

    const KIB: usize = 1024;

    /// A session whose IPv4 address ends with `last`.
    fn heavy(last: u8, id: u64, bytes: usize, seconds: u64) -> (Origin, Heavy) {
        let session_ref = SessionRef { id: SessionId(id), courier: 0, slot: 0 };
        let origin = Origin::Address(Block::of(IpAddr::from([192, 0, 2, last])));
        (origin, Heavy { session_ref, bytes, idle: Duration::from_secs(seconds) })
    }

    fn chosen(heaviest: &[(Origin, Heavy)], excess: usize) -> Vec<u64> {
        choose(heaviest.to_vec(), excess).iter().map(|heavy| heavy.session_ref.id.0).collect()
    }

    #[test]
    fn the_largest_and_longest_unread_give_way_first_and_no_more_than_needed() {
        let all = [
            heavy(1, 1, 1_000 * KIB, 0),
            heavy(2, 2, 900 * KIB, 60),
            heavy(3, 3, 1_100 * KIB, 0),
            heavy(4, 4, 100 * KIB, 3_600),
        ];
        assert!(chosen(&all, 0).is_empty());
        assert_eq!(chosen(&all, 1), [4]);
        assert_eq!(chosen(&all, 100 * KIB), [4]);
        assert_eq!(chosen(&all, 101 * KIB), [4, 2]);
        assert_eq!(chosen(&all, 1_001 * KIB), [4, 2, 3]);
        assert_eq!(chosen(&all, usize::MAX), [4, 2, 3, 1]);
    }

    #[test]
    fn many_sessions_of_one_address_give_way_before_one_of_another_that_was_idle_for_longer() {
        let mut all: Vec<_> = (0..300).map(|id| heavy(1, id, 60 * KIB, 0)).collect();
        all.push(heavy(2, 1_000, 100 * KIB, 11));
        assert_eq!(chosen(&all, 1), [0]);
        assert_eq!(chosen(&all, 300 * 60 * KIB), (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn a_client_that_has_next_to_nothing_queued_never_gives_way() {
        let all =
            [heavy(1, 1, 97, 3_600), heavy(2, 2, 63 * KIB, 60), heavy(3, 3, 97, 0), heavy(3, 4, 64 * KIB, 0)];
        assert_eq!(chosen(&all, usize::MAX), [4]);
    }

    #[test]
    fn what_is_to_be_freed_is_judged_by_the_outboxes_that_sessions_have() {
        let all = [heavy(1, 1, 500 * KIB, 0), heavy(2, 2, 500 * KIB, 0)];
        assert_eq!(excess(&all, 2_000 * KIB), 0);
        assert_eq!(excess(&all, 960 * KIB), 100 * KIB);
    }
}
