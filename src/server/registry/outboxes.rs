//! The memory of all outboxes together: once it is too much, those give way for which most has waited longest.

use std::{cmp::Reverse, time::Duration};

use actix::{AsyncContext, Context, Handler};
use slog::warn;
use tokio::time::Instant;

use super::Registry;
use crate::{
    protocol::reply,
    server::{
        close::CloseReason,
        messages::{Heavy, Leave, OutboxesFull, Weigh, Weighed},
    },
};

/// After receivers were disconnected, how long their memory may take to be given back before more are.
const PAUSE: Duration = Duration::from_millis(100);

/// A question to all couriers that is not fully answered, and the last one.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    excess: usize,
    /// Couriers that have not answered.
    awaited: usize,
    heaviest: Vec<Heavy>,
    ended: Option<Instant>,
}

/// Those that have to give way to free `excess` bytes: the largest and longest unread first. A second is added to the time,
/// so that among fresh ones the size decides.
fn choose(mut heaviest: Vec<Heavy>, excess: usize) -> Vec<Heavy> {
    let cost = |heavy: &Heavy| heavy.bytes as u128 * (heavy.idle + Duration::from_secs(1)).as_millis();
    heaviest.sort_by_key(|heavy| Reverse(cost(heavy)));
    let mut freed = 0;
    heaviest
        .into_iter()
        .take_while(|heavy| {
            let is_needed = freed < excess;
            freed += heavy.bytes;
            is_needed
        })
        .collect()
}

impl Registry {
    fn free_outboxes(&mut self) {
        let Weighing { excess, heaviest, .. } = std::mem::replace(
            &mut self.weighing,
            Weighing { ended: Some(Instant::now()), ..Weighing::default() },
        );
        let (limit, allowed) = (self.config.limits.message_bytes, self.config.limits.outboxes_bytes);
        let chosen = choose(heaviest, excess);
        warn!(self.log, "outboxes take too much memory"; "limit" => allowed, "disconnected" => chosen.len());
        for Heavy { seat, .. } in chosen {
            let name = self.roster.get(seat.id).map(|member| member.name.clone());
            let farewell = Some(reply::outboxes_full(limit, name.as_ref(), allowed));
            self.end(Leave { seat, reason: CloseReason::OutboxFull, farewell });
        }
    }
}

impl Handler<OutboxesFull> for Registry {
    type Result = ();

    fn handle(&mut self, OutboxesFull { excess }: OutboxesFull, ctx: &mut Self::Context) {
        let is_early = self.weighing.ended.is_some_and(|ended| ended.elapsed() < PAUSE);
        if self.closing || self.weighing.awaited > 0 || is_early {
            return;
        }
        (self.weighing.excess, self.weighing.awaited) = (excess, self.couriers.len());
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::seat::{Seat, SessionId};

    fn heavy(id: u64, bytes: usize, seconds: u64) -> Heavy {
        let seat = Seat { id: SessionId(id), courier: 0, slot: 0 };
        Heavy { seat, bytes, idle: Duration::from_secs(seconds) }
    }

    fn chosen(heaviest: &[Heavy], excess: usize) -> Vec<u64> {
        choose(heaviest.to_vec(), excess).iter().map(|heavy| heavy.seat.id.0).collect()
    }

    #[test]
    fn the_largest_and_longest_unread_give_way_first_and_no_more_than_needed() {
        let all = [heavy(1, 1_000, 0), heavy(2, 900, 60), heavy(3, 1_100, 0), heavy(4, 10, 3_600)];
        assert_eq!(chosen(&all, 1), [2]);
        assert_eq!(chosen(&all, 900), [2]);
        assert_eq!(chosen(&all, 901), [2, 4]);
        assert_eq!(chosen(&all, 1_000), [2, 4, 3]);
        assert_eq!(chosen(&all, 1_000_000), [2, 4, 3, 1]);
    }
}
