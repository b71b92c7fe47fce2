//! [`Registry`]: knows the members, assigns names, finds the receivers of messages, and puts all output into one
//! order.
//!
//! All output passes through this actor in the order in which its cause was received, so any two receivers see any
//! two broadcasts in the same order. The output of one drain of the mailbox goes out as one batch; under load, that
//! of several drains.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use slog::{Logger, info};
use tokio::time::{Instant, sleep};

use super::{
    cluster::replica::Replica,
    message_ids::MessageIds,
    output::Output,
    pending_claim::PendingClaims,
    presence::Presence,
    roster::Roster,
    streams::{AudioHandle, StreamRequests, Streams},
};
use crate::{
    config::View,
    server::{
        admission::bans::Ledger,
        common::{
            block::Origin, close::CLAIM_TIMEOUT, exit_guard::ExitGuard, fill_level::FillLevel,
            session_ref::SessionId,
        },
        courier::{
            Courier,
            messages::{Deliver, Unbound},
        },
        delivery::{
            batch::Batch,
            blocked_work::{BlockedWork, Pending},
            flush_scheduler::{FlushScheduler, InFlight, Load, Next},
            wait_budget::WaitBudget,
        },
        messages::{Backpressure, CloseServer, Enter, Leave, ToRegistry, Work},
        metrics::Metrics,
    },
};

mod carry_out;
pub mod cluster;
mod order_log;
mod outboxes;
mod presence;
mod requests;
mod slow_readers;
mod streams;

use order_log::Entry;
use outboxes::Weighing;
use requests::batch_bytes;
use streams::PublishOver;

/// The actor that all sessions send to.
pub struct Registry {
    roster: Roster,
    claims: PendingClaims,
    /// Sessions that began to wait for a name, and whose timeouts have not been started.
    claims_begun: Vec<SessionId>,
    /// Sessions whose names are free and not yet given to the clients that wait for them.
    freed: Vec<SessionId>,
    /// The watchers, and the joins and leaves that they have not been told.
    presence: Presence,
    message_ids: MessageIds,
    batch: Batch,
    flush_scheduler: FlushScheduler,
    blocked: BlockedWork,
    /// Members whose outboxes are above [`FillLevel::Low`]. A short list: clients that do not read are disconnected.
    levels: Vec<(SessionId, FillLevel)>,
    /// How long broadcasts have waited for full outboxes.
    waits: WaitBudget,
    /// A [`slow_readers::CheckWaits`] is pending.
    check_due: bool,
    /// The weights of outboxes, while they are being collected.
    weighing: Weighing,
    couriers: Vec<Addr<Courier>>,
    config: View,
    /// The bans.
    ledger: Ledger,
    streams: Streams,
    /// The parts of a node of a cluster beside the tables; `None` at a single server.
    replica: Option<Box<Replica>>,
    /// The node, while it is not lent these tables.
    seat: Option<Box<cluster::Seat>>,
    /// A [`Flush`] is pending, or will be when a wait is over.
    flush_due: bool,
    /// The server is shutting down: requests are ignored.
    closing: bool,
    metrics: Arc<Metrics>,
    log: Logger,
    exit_guard: ExitGuard,
}

/// From the registry to itself: the mailbox is drained. (actix delivers an actor's notifications to itself only after
/// its mailbox.)
#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

/// From the registry to itself: the wait of the batch is over.
#[derive(Message)]
#[rtype(result = "()")]
struct WaitOver;

/// From the registry to itself: the time for which this session may wait for a name is over.
#[derive(Message)]
#[rtype(result = "()")]
struct EndClaim(SessionId);

impl Registry {
    /// Creates a registry that sends its output to these couriers.
    pub fn new(
        couriers: Vec<Addr<Courier>>,
        config: View,
        ledger: Ledger,
        audio_handle: Option<AudioHandle>,
        metrics: Arc<Metrics>,
        log: Logger,
        exit_guard: ExitGuard,
    ) -> Self {
        let (batch, flush_scheduler) =
            (Batch::new(couriers.len()), FlushScheduler::new(batch_bytes(&config.limits)));
        Self {
            roster: Roster::default(),
            claims: PendingClaims::default(),
            claims_begun: Vec::new(),
            freed: Vec::new(),
            presence: Presence::default(),
            message_ids: MessageIds::random(),
            batch,
            flush_scheduler,
            blocked: BlockedWork::default(),
            levels: Vec::new(),
            waits: WaitBudget::default(),
            check_due: false,
            weighing: Weighing::default(),
            couriers,
            config,
            ledger,
            streams: Streams::new(audio_handle),
            replica: None,
            seat: None,
            flush_due: false,
            closing: false,
            metrics,
            log,
            exit_guard,
        }
    }

    /// Records the fill level of a member's outbox, and releases waiting work if the level fell.
    fn set_level(&mut self, id: SessionId, level: FillLevel) {
        let known = self.levels.iter().position(|(known, _)| *known == id);
        let before = known.map_or(FillLevel::Low, |place| self.levels[place].1);
        match known {
            Some(place) if level == FillLevel::Low => drop(self.levels.swap_remove(place)),
            Some(place) => self.levels[place].1 = level,
            // Not of one that was disconnected here, whose end is on its way through the log of a cluster.
            None if level > FillLevel::Low
                && self.roster.get(id).is_some_and(|it| it.session_ref.is_here()) =>
            {
                self.levels.push((id, level));
            }
            None => return,
        }
        if level == FillLevel::Full && before < level {
            self.metrics.count_full_outbox();
            self.waits.set_full(id, self.origin_of(id), Instant::now());
        }
        if before == FillLevel::Full && level < before {
            self.waits.set_relieved(id, Instant::now());
        }
        if level < before {
            self.blocked.release();
        }
    }

    /// The output of the batch that is being gathered.
    fn output(&mut self) -> Output<'_> {
        Output { roster: &self.roster, batch: &mut self.batch, metrics: &self.metrics, log: &self.log }
    }

    /// The streams, for a request about them.
    fn streams(&mut self) -> StreamRequests<'_> {
        let Self { roster, batch, metrics, log, streams, config, .. } = self;
        StreamRequests { streams, output: Output { roster, batch, metrics, log }, config, log }
    }

    /// The origin that a session's costs are added to. A session without a name is its own origin.
    fn origin_of(&self, id: SessionId) -> Origin {
        self.roster.get(id).map_or(Origin::Session(id), |member| Origin::of(id, &member.peer))
    }

    /// Whether a member's outbox is at this level or above.
    fn is_at_least(&self, id: SessionId, least: FillLevel) -> bool {
        self.levels.iter().any(|(known, level)| *known == id && *level >= least)
    }

    /// Shuts the server down: appends all waiting requests, then the end.
    fn close_server(&mut self, by: &str) {
        if self.closing {
            return;
        }
        self.closing = true;
        info!(self.log, "closing"; "by" => by.to_owned(), "members" => self.roster.here());
        for courier in &self.couriers {
            courier.do_send(Unbound);
        }
        self.run_all();
        self.append(Entry::Close { by: by.to_owned() });
    }

    /// Runs requests that no longer have to wait.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.resume();
        self.give_freed_names();
        self.flush_later(ctx);
    }

    /// Takes over a new configuration, unless a batch is being gathered: each batch uses a single configuration.
    fn begin_batch(&mut self) {
        if !self.flush_due {
            self.config.refresh();
        }
    }

    fn flush_later(&mut self, ctx: &mut Context<Self>) {
        self.drive_node(ctx);
        for claimant in self.claims_begun.drain(..) {
            notify_later(ctx, CLAIM_TIMEOUT, EndClaim(claimant));
        }
        for (stream, opening) in self.streams.opened.drain(..) {
            notify_later(ctx, self.config.media.publish_timeout, PublishOver(stream, opening));
        }
        self.watch_waits(ctx);
        self.tell_presence_later(ctx);
        if !self.flush_due {
            self.flush_due = true;
            ctx.notify(Flush);
        }
    }

    fn flush(&mut self, in_flight: Option<InFlight>) {
        let traffic = self.batch.traffic();
        if traffic.messages > 0 {
            self.metrics.count_batch(traffic);
        }
        self.metrics.set_members(self.roster.here());
        let in_flight = in_flight.map(|in_flight| match self.batch.since() {
            Some(since) => in_flight.counting(since, &self.metrics),
            None => in_flight,
        });
        // A session that left while the batch was gathered is no member any more, but the batch has an edit that ends
        // it.
        let roster = &self.roster;
        for (courier, shared, edits) in self.batch.take(in_flight, |courier| roster.has_members_at(courier)) {
            self.couriers[courier].do_send(Deliver { shared, edits });
        }
    }
}

/// Sends a message to the registry after a delay. A timer of the actor itself would be polled at every wake-up of the
/// actor.
fn notify_later<M>(ctx: &Context<Registry>, delay: Duration, message: M)
where
    M: Message<Result = ()> + Send + 'static,
    Registry: Handler<M>,
{
    let registry = ctx.address();
    actix_rt::spawn(async move {
        sleep(delay).await;
        registry.do_send(message);
    });
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl From<Addr<Registry>> for ToRegistry {
    fn from(registry: Addr<Registry>) -> Self {
        Self {
            enter: registry.clone().into(),
            work: registry.clone().into(),
            outboxes_full: registry.clone().into(),
            leave: registry.into(),
        }
    }
}

impl Handler<Enter> for Registry {
    type Result = ();

    fn handle(&mut self, enter: Enter, ctx: &mut Self::Context) {
        self.begin_batch();
        if !self.closing {
            self.append(Entry::Enter(enter));
            self.give_freed_names();
            self.flush_later(ctx);
        }
    }
}

impl Handler<Work> for Registry {
    type Result = ();

    fn handle(&mut self, work: Work, ctx: &mut Self::Context) {
        self.begin_batch();
        self.work(work);
        self.give_freed_names();
        self.flush_later(ctx);
    }
}

impl Handler<Backpressure> for Registry {
    type Result = ();

    fn handle(&mut self, Backpressure { session_ref, level }: Backpressure, ctx: &mut Self::Context) {
        self.set_level(session_ref.id, level);
        self.go_on(ctx);
    }
}

impl Handler<Leave> for Registry {
    type Result = ();

    fn handle(&mut self, leave: Leave, ctx: &mut Self::Context) {
        // A half-closed client stays a member until its queued requests have run; a broken one is removed at once.
        if self.blocked.has(leave.session_ref.id) && !leave.reason.is_abrupt() {
            self.blocked.add(Pending::Leave(leave));
        } else {
            self.append(Entry::Leave(leave));
        }
        self.go_on(ctx);
    }
}

impl Handler<EndClaim> for Registry {
    type Result = ();

    fn handle(&mut self, EndClaim(claimant): EndClaim, ctx: &mut Self::Context) {
        if !self.closing {
            self.append(Entry::ClaimOver(claimant));
            self.give_freed_names();
            self.flush_later(ctx);
        }
    }
}

impl Handler<Flush> for Registry {
    type Result = ();

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) {
        let load = Load {
            broadcasts: self.batch.broadcasts(),
            bytes: self.batch.bytes(),
            is_full: self.batch_is_full(),
        };
        match self.flush_scheduler.next(load) {
            Next::Go(in_flight) => {
                self.flush_due = false;
                self.flush(Some(in_flight));
                if !self.blocked.is_idle() || self.has_next_of_log() || self.has_unsent_entries() {
                    self.go_on(ctx);
                }
            }
            Next::Wait(wait) => {
                let registry = ctx.address();
                actix_rt::spawn(async move {
                    wait.over().await;
                    registry.do_send(WaitOver);
                });
            }
        }
    }
}

impl Handler<WaitOver> for Registry {
    type Result = ();

    fn handle(&mut self, _: WaitOver, ctx: &mut Self::Context) {
        ctx.notify(Flush);
    }
}

impl Handler<CloseServer> for Registry {
    type Result = ();

    fn handle(&mut self, CloseServer { by }: CloseServer, ctx: &mut Self::Context) {
        if self.replica.is_some() {
            self.leave_cluster(ctx);
        } else {
            self.close_server(&by);
        }
    }
}
