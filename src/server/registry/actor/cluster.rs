//! The registry as a node of a cluster: its order is a log that all nodes read.
//!
//! ```text
//! append -> replicate -> Replica (waits) -> Node -> log -> Report -> Node -> Table::carry_out -> carry_out
//! ```
//!
//! The node is lent its tables, this actor, for each call. Meanwhile the actor is without the node, so what carrying out
//! appends waits in the [`Replica`] until the call is over.

use std::time::{Duration, SystemTime};

use actix::{Context, Handler, Message};
use arauto_cluster::{
    Instance,
    node::{Action, Config, End, Node, Now},
};
use arauto_nats_log::{Command, Log, Report};
use arauto_protocol::NameKey;
use slog::{Logger, info, warn};
use tokio::time::Instant;

use super::{
    super::{
        cluster::{log_entry::LogEntry, replica::Replica},
        roster::Member,
    },
    Registry, notify_later,
};
use crate::server::{
    common::{exit_guard::SupervisorEvent, session_ref::SessionId},
    messages::Work,
    serve_error::NO_NATS,
};

mod cut;
mod replicate;
mod report;
mod table;
mod waiting;

use report::NodeNames;

/// How long a server waits for its first connection to the log, if it does not wait for ever (`cluster.once`).
const FIRST_CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How much later than its deadline a tick may come.
const TICK_SLACK: Duration = Duration::from_millis(10);

/// The registry's place in a cluster.
pub(super) struct Seat {
    node: Node<LogEntry>,
    log: Log,
    /// Whether clients are let in.
    serves: bool,
    /// When the next [`Tick`] comes.
    next_tick: Option<Instant>,
    /// The names of the instances that take part, and of those that did lately.
    names: NodeNames,
    /// Whether work of clients waits for another node.
    has_waiting: bool,
    /// When the view for monitoring was set.
    viewed_at: Option<Instant>,
    /// When the server gives up waiting for its first connection to the log, if it does (`cluster.once`).
    connects_by: Option<Instant>,
}

impl Seat {
    /// Asks the log for something. What the log does not take is lost, and the node asks again.
    fn ask(&self, logger: &Logger, command: Command) {
        if let Err(error) = self.log.send(command) {
            warn!(logger, "the cluster's log takes nothing"; "error" => %error);
        }
    }
}

/// From the log to the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromLog(pub Report);

/// From the registry to itself: the node may have to act, as this timer was to say. Void if another timer took its place.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Tick(Instant);

/// From the registry to itself: the time for leaving the cluster is over.
#[derive(Message)]
#[rtype(result = "()")]
struct LeaveOver;

/// This moment, by the clock that goes on while the machine is suspended, and by the time of day.
fn now() -> Now {
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let boot = Duration::new(boot.tv_sec.cast_unsigned(), u32::try_from(boot.tv_nsec).unwrap_or_default());
    let wall = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Now { boot, wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) }
}

impl Registry {
    /// Makes the registry a node of a cluster. It lets nobody in until the node says so.
    #[must_use]
    pub fn in_cluster(mut self, config: Config, instance: Instance, log: Log) -> Self {
        let mut node = Node::new(config, instance, now());
        // Until the log says otherwise.
        node.connection(false, now(), &self);
        let seat = Seat {
            node,
            log,
            serves: false,
            next_tick: None,
            names: NodeNames::default(),
            has_waiting: false,
            viewed_at: None,
            connects_by: self.config.cluster.once.then(|| Instant::now() + FIRST_CONNECTION_TIMEOUT),
        };
        seat.ask(&self.log, Command::ListenFor(instance));
        self.replica = Some(Box::new(Replica::new(instance)));
        self.seat = Some(Box::new(seat));
        self
    }

    /// Lends the tables to the node for a call.
    fn with_node(&mut self, call: impl FnOnce(&mut Node<LogEntry>, Now, &mut Self)) {
        if let Some(mut seat) = self.seat.take() {
            call(&mut seat.node, now(), self);
            self.seat = Some(seat);
        }
    }

    /// Gives the node what was appended, and does what it asks for, until neither has more. Part of the end of each
    /// handler.
    pub(super) fn drive_node(&mut self, ctx: &mut Context<Self>) {
        if self.replica.is_none() {
            return;
        }
        loop {
            let (entries, closes_all) =
                self.replica.as_mut().map(|replica| replica.take_unsent()).unwrap_or_default();
            let mut deadline = None;
            self.with_node(|node, now, registry| {
                for entry in entries {
                    // An entry holds a message at most, and a frame several.
                    node.append(entry);
                }
                if closes_all {
                    node.close_all();
                }
                if registry.replica.as_mut().is_some_and(|replica| replica.take_speaks()) {
                    node.speak();
                }
                deadline = node.go_on(now, registry).map(|deadline| deadline.saturating_sub(now.boot));
                if let Some(replica) = &mut registry.replica {
                    replica.set_ok(now.boot.saturating_sub(node.ok()));
                }
            });
            let Some(seat) = &mut self.seat else { return };
            let actions = seat.node.actions();
            let is_idle = actions.is_empty();
            for action in actions {
                self.act(action);
            }
            self.follow_instance();
            let has_more = self.replica.as_ref().is_some_and(|replica| replica.has_unsent());
            if is_idle && !has_more {
                self.show_cluster();
                self.release_for_nodes();
                return self.tick_after(ctx, deadline);
            }
        }
    }

    fn tick_after(&mut self, ctx: &mut Context<Self>, wait: Option<Duration>) {
        let (Some(seat), Some(wait)) = (&mut self.seat, wait) else { return };
        let at = Instant::now() + wait;
        // A timer that is due a little later serves as well: each handler comes here, most with the same deadline.
        if seat.next_tick.is_none_or(|next| at + TICK_SLACK < next) {
            seat.next_tick = Some(at);
            notify_later(ctx, wait, Tick(at));
        }
    }

    fn act(&mut self, action: Action) {
        let Some(seat) = &mut self.seat else { return };
        match action {
            Action::AskForEnd => seat.ask(&self.log, Command::AskForEnd),
            Action::Append(bytes) => seat.ask(&self.log, Command::Append(bytes)),
            Action::Fetch(positions) => seat.ask(&self.log, Command::Fetch(positions)),
            Action::Verify(positions) => seat.ask(&self.log, Command::Verify(positions)),
            Action::SendState { to, position, bytes } => {
                let donor = seat.node.instance();
                seat.ask(&self.log, Command::SendState { to, donor, position, bytes });
            }
            Action::Serve => {
                seat.serves = true;
                info!(self.log, "serving as a node of the cluster"; "instance" => %seat.node.instance());
                self.exit_guard.report(SupervisorEvent::Serving);
            }
            Action::Hold => self.report_hold(),
            Action::GoOn => info!(self.log, "going on: the log is up to date, and no other node disagrees"),
            Action::Cut(why) => self.cut(why),
            Action::Stop(end) => self.stop(end),
            Action::Report(event) => self.report_event(&event),
        }
    }

    /// Begins as another run of the node, if it does: the others have given up the one before.
    fn follow_instance(&mut self) {
        let (Some(seat), Some(replica)) = (&mut self.seat, &mut self.replica) else { return };
        let instance = seat.node.instance();
        if instance != replica.own() {
            replica.begin_again(instance);
            seat.ask(&self.log, Command::ListenFor(instance));
        }
    }

    /// Passes on to the node what the log tells.
    fn hear(&mut self, report: Report) {
        match &report {
            Report::Connected(true) => {
                info!(self.log, "connected to the cluster's log");
                if let Some(seat) = &mut self.seat {
                    seat.connects_by = None;
                }
            }
            Report::Connected(false) => warn!(self.log, "not connected to the cluster's log"),
            Report::Rejected { error, .. } => {
                warn!(self.log, "the cluster's log took no frame"; "error" => %error);
            }
            Report::StreamGone => warn!(self.log, "the cluster's log is gone"),
            Report::Warning(warning) => warn!(self.log, "the cluster's log"; "warning" => %warning),
            Report::Refused(refusal) => self.exit_guard.report(SupervisorEvent::Refused(refusal.to_string())),
            _ => {}
        }
        self.with_node(|node, now, registry| report.pass_on(node, now, registry));
    }

    fn stop(&mut self, end: End) {
        match end {
            End::Closed | End::Left => self.close_server(&end.to_string()),
            End::NameTaken | End::Disagrees | End::ClockOff => {
                self.exit_guard.report(SupervisorEvent::Refused(end.to_string()));
            }
        }
    }

    /// Leaves the cluster after what was appended, and then closes this server.
    pub(super) fn leave_cluster(&mut self, ctx: &mut Context<Self>) {
        if let Some(replica) = &mut self.replica {
            replica.set_leaving();
        }
        self.run_all();
        self.drive_node(ctx);
        self.with_node(|node, now, registry| node.leave(now, registry));
        notify_later(ctx, self.config.server.drain_timeout, LeaveOver);
        self.flush_later(ctx);
    }

    /// Keeps the work of a session that still waits for its name; returns the work of any other.
    pub(super) fn divert(&mut self, work: Work) -> Option<Work> {
        let work = match &mut self.replica {
            Some(replica) => replica.divert(work)?,
            None => work,
        };
        self.claims.divert(work)
    }

    /// The time of the entry that is being carried out.
    pub(super) fn time(&self) -> SystemTime {
        self.replica.as_ref().map_or_else(SystemTime::now, |replica| replica.time())
    }

    /// Whether a member's server is known to live where the entry stands that is being carried out.
    pub(super) fn is_heard(&self, member: &Member) -> bool {
        let Some(replica) = &self.replica else { return true };
        replica.origin_of(member.session_ref.id).0 == replica.writer()
    }

    /// Adds a member to the fingerprint of the tables.
    pub(super) fn note_bearer(&mut self, id: SessionId, name: &NameKey) {
        if let Some(replica) = &mut self.replica {
            replica.add_bearer(id, name);
        }
    }

    /// Removes a member from the fingerprint of the tables.
    pub(super) fn forget_bearer(&mut self, id: SessionId, name: &NameKey) {
        if let Some(replica) = &mut self.replica {
            replica.remove_bearer(id, name);
        }
    }

    /// Forgets this server's number of a session elsewhere that has left.
    pub(super) fn forget_session(&mut self, id: SessionId) {
        if let Some(replica) = &mut self.replica {
            replica.forget(id);
        }
    }

    /// Has the node append a frame at the end of this handler, even if it has no entries.
    pub(super) fn speak_soon(&mut self) {
        if let Some(replica) = &mut self.replica {
            replica.set_speaks();
        }
    }

    /// Whether entries wait for the node, which were appended after it was driven.
    pub(super) fn has_unsent_entries(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.has_unsent())
    }

    /// Whether a message of the log is here that waits for room.
    pub(super) fn has_next_of_log(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.node.has_next())
    }

    /// Whether broadcasts wait for a full receiver: of clients here, or of the log.
    pub(super) fn holds_broadcasts(&self) -> bool {
        self.blocked.holds_broadcasts() || self.has_next_of_log() && self.is_anyone_full_but(None)
    }
}

impl Handler<FromLog> for Registry {
    type Result = ();

    fn handle(&mut self, FromLog(report): FromLog, ctx: &mut Context<Self>) {
        self.begin_batch();
        self.hear(report);
        self.go_on(ctx);
    }
}

impl Handler<Tick> for Registry {
    type Result = ();

    fn handle(&mut self, Tick(at): Tick, ctx: &mut Context<Self>) {
        if self.seat.as_ref().is_none_or(|seat| seat.next_tick != Some(at)) {
            return;
        }
        self.begin_batch();
        if let Some(seat) = &mut self.seat {
            seat.next_tick = None;
            if seat.connects_by.take_if(|by| *by <= Instant::now()).is_some() {
                self.exit_guard.report(SupervisorEvent::Refused(NO_NATS.to_owned()));
            }
        }
        self.go_on(ctx);
    }
}

impl Handler<LeaveOver> for Registry {
    type Result = ();

    /// Closes the server, of which the others have not heard that it leaves: its clients may have been heard by nobody.
    fn handle(&mut self, _: LeaveOver, _: &mut Context<Self>) {
        if !self.closing {
            self.begin_batch();
            self.disconnect_all(false);
            self.close_server("SIGTERM");
        }
    }
}
