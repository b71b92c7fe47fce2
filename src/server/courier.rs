//! [`Courier`]: the actor of one worker. It starts sessions, and hands them what the Registry sends.
//!
//! The Registry sends one message for all sessions of the worker: the courier holds their outboxes, and the loop over
//! them (`delivery/subscriber_table.rs`) writes at once where nothing is queued. The courier also takes in new
//! connections and starts their sessions (`adopt.rs`, after a handshake in `secure.rs` or `web.rs`), because a socket
//! belongs to the reactor of its worker's thread.

use std::{cell::RefCell, collections::HashMap, io, rc::Rc, sync::atomic::Ordering, time::Duration};

use actix::{Actor, Addr, AsyncContext, Handler, Recipient};
use arauto_protocol::reply;
use bytes::BytesMut;
use tokio::{sync::mpsc::UnboundedSender, task::JoinHandle, time::Instant};

use super::{
    admission::{address_limiter::AdmissionRequest, flood::Allowance},
    common::{
        close::{CLOSE_TIMEOUT, CloseReason, PROBE_TIMEOUT},
        exit_guard::ExitGuard,
        session_ref::{SessionId, SessionRef},
    },
    delivery::{
        outbox::{Bounds, Outbox, at_once},
        subscriber::{Done, Report, Subscriber},
        subscriber_table::SubscriberTable,
    },
    http::{Http, stream::HttpAudio},
    messages::{Backpressure, CloseServer, OutboxesFull, Reframe, SendLine, SendRaw, ToCourier, Weighed},
    net::{connection::SendHalf, tls::under_way::PendingConnections},
    session::{
        actor::{SessionConfig, WorkerContext},
        frame_reader::ReadBuffer,
        messages::Evicted,
    },
};
use crate::config::Config;

mod adopt;
pub mod messages;
mod secure;
mod web;

pub use adopt::{NewConnection, WireFormat};
use messages::{Deliver, ExpectDrain, Probe, Unbound, Weigh};

/// Time between two pings of a WebSocket. A proxy on the way may drop a connection that is silent for a minute. A
/// connection that answers nothing is ended 60 to 90 s after it was last heard of.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The courier actor of one worker.
pub struct Courier {
    number: u16,
    subscribers: SubscriberTable,
    handshakes: PendingConnections,
    /// HTTP connections that may still become WebSockets.
    http_connections: PendingConnections,
    /// HTTP connections that listen to a stream.
    listeners: HashMap<SessionId, JoinHandle<()>>,
    /// The HTTP service, built for the first HTTP connection.
    http: Option<Http>,
    /// Requests to the listeners' task for a session's place, made when an HTTP connection becomes a WebSocket.
    admissions: UnboundedSender<AdmissionRequest>,
    /// Access to the streams; `None` if audio is off.
    http_audio: Option<HttpAudio>,
    worker: Rc<WorkerContext>,
    report: Report,
    buffer: ReadBuffer,
    /// Shared by sessions that begin under equal settings, as are `bounds` and `allowance`.
    session_config: Rc<SessionConfig>,
    bounds: Rc<Bounds>,
    allowance: Rc<Allowance>,
    /// The server is ending: new connections are sent `server closed` and closed.
    closing: bool,
    _exit_guard: ExitGuard,
}

impl Courier {
    /// A courier with this number. Its sessions share `worker`; it reports full outboxes through `backpressure`.
    pub fn new(
        number: u16,
        worker: WorkerContext,
        backpressure: Recipient<Backpressure>,
        admissions: UnboundedSender<AdmissionRequest>,
        http_audio: Option<HttpAudio>,
        exit_guard: ExitGuard,
    ) -> Self {
        let worker = Rc::new(worker);
        Self {
            number,
            subscribers: SubscriberTable::default(),
            handshakes: PendingConnections::default(),
            http_connections: PendingConnections::default(),
            listeners: HashMap::new(),
            http: None,
            admissions,
            http_audio,
            bounds: Rc::new(bounds(&worker.config.get())),
            allowance: Rc::new(allowance(&worker)),
            session_config: Rc::new(SessionConfig::of(&worker)),
            worker,
            report: Rc::new(move |report| backpressure.do_send(report)),
            buffer: Rc::new(RefCell::new(BytesMut::new())),
            closing: false,
            _exit_guard: exit_guard,
        }
    }

    /// Puts data into one outbox and writes what the socket takes.
    fn tell(&mut self, session_ref: SessionRef, put: impl FnOnce(&mut Outbox)) {
        if let Some(subscriber) = self.subscribers.get_mut(session_ref) {
            subscriber.tell(put);
        }
        self.watch_outboxes();
    }

    /// Reports to the Registry if all outboxes of the server together take more memory than `limits.outboxes_bytes`.
    fn watch_outboxes(&self) {
        let limit = self.worker.config.get().limits.outboxes_bytes;
        let total = self.worker.metrics.outboxes_bytes().load(Ordering::Relaxed);
        if usize::try_from(total).unwrap_or(usize::MAX) > limit {
            self.worker.registry.outboxes_full.do_send(OutboxesFull);
        }
    }

    /// Ends the probing of a connection, unless a later probe still runs, and evicts the session if its other end did
    /// not answer.
    fn end_probe(&mut self, session_ref: SessionRef) {
        let Some(subscriber) = self.subscribers.get_mut(session_ref) else { return };
        if !subscriber.end_probe(Instant::now()) {
            return;
        }
        let session = subscriber.session().clone();
        let Some(unanswered) = subscriber.with_writer(SendHalf::end_probe) else { return };
        actix_rt::spawn(async move {
            if actix_rt::task::spawn_blocking(unanswered).await.unwrap_or(false) {
                let error = Some(io::ErrorKind::TimedOut.into());
                session.do_send(Evicted { reason: CloseReason::Broken, error });
            }
        });
    }
}

fn bounds(Config { limits, compat, .. }: &Config) -> Bounds {
    Bounds { limit: limits.outbox_bytes, grace: limits.slow_reader_grace, gap: compat.unframed_gap }
}

fn allowance(worker: &WorkerContext) -> Allowance {
    Allowance::of(&worker.config.get().flood, worker.message_bytes)
}

impl Actor for Courier {
    type Context = actix::Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(PING_INTERVAL, |courier, _| {
            courier.subscribers.iter_mut().for_each(Subscriber::ping);
            courier.subscribers.forget_closed();
        });
    }
}

impl From<Addr<Courier>> for ToCourier {
    fn from(courier: Addr<Courier>) -> Self {
        Self { reframe: courier.clone().into(), raw: courier.clone().into(), say: courier.into() }
    }
}

impl Handler<Deliver> for Courier {
    type Result = ();

    fn handle(&mut self, Deliver { shared, edits }: Deliver, _: &mut Self::Context) {
        let Done { closed, delivered, fullest } = at_once(|cx| self.subscribers.deliver(&shared, &edits, cx));
        self.worker.metrics.count_delivered(delivered);
        self.worker.metrics.mark_outbox(fullest);
        for (slot, reason) in closed {
            self.subscribers.close(slot, reason, Instant::now() + CLOSE_TIMEOUT);
        }
        self.watch_outboxes();
    }
}

impl Handler<Weigh> for Courier {
    type Result = ();

    fn handle(&mut self, Weigh { answer }: Weigh, _: &mut Self::Context) {
        let now = Instant::now();
        self.subscribers.cut_closing_short(now);
        answer.do_send(Weighed(
            self.subscribers.iter().filter_map(|subscriber| subscriber.weigh(now)).collect(),
        ));
    }
}

impl Handler<Reframe> for Courier {
    type Result = ();

    fn handle(&mut self, Reframe { session_ref, kind }: Reframe, _: &mut Self::Context) {
        if let Some(subscriber) = self.subscribers.get_mut(session_ref) {
            subscriber.reframe(kind);
        }
    }
}

impl Handler<SendRaw> for Courier {
    type Result = ();

    fn handle(&mut self, SendRaw { session_ref, bytes }: SendRaw, _: &mut Self::Context) {
        self.tell(session_ref, |outbox| outbox.put_raw(bytes));
    }
}

impl Handler<SendLine> for Courier {
    type Result = ();

    fn handle(&mut self, SendLine { session_ref, line }: SendLine, _: &mut Self::Context) {
        self.tell(session_ref, |outbox| outbox.put(&line));
    }
}

impl Handler<Probe> for Courier {
    type Result = ();

    fn handle(&mut self, Probe { session_ref }: Probe, ctx: &mut Self::Context) {
        let until = Instant::now() + PROBE_TIMEOUT;
        let Some(subscriber) = self.subscribers.get_mut(session_ref) else { return };
        subscriber.begin_probe(until);
        ctx.run_later(PROBE_TIMEOUT, move |courier, _| courier.end_probe(session_ref));
    }
}

impl Handler<ExpectDrain> for Courier {
    type Result = ();

    fn handle(&mut self, ExpectDrain { session_ref }: ExpectDrain, _: &mut Self::Context) {
        if let Some(subscriber) = self.subscribers.get_mut(session_ref) {
            subscriber.expect_drain();
        }
    }
}

impl Handler<Unbound> for Courier {
    type Result = ();

    fn handle(&mut self, _: Unbound, _: &mut Self::Context) {
        for subscriber in self.subscribers.iter() {
            subscriber.unbound();
        }
    }
}

impl Handler<CloseServer> for Courier {
    type Result = ();

    fn handle(&mut self, _: CloseServer, _: &mut Self::Context) {
        self.closing = true;
        self.break_off_handshakes();
        self.break_off_visits();
        let farewell = reply::server_closed();
        let deadline = Instant::now() + self.worker.config.get().server.drain_timeout;
        for mut subscriber in self.subscribers.drain() {
            subscriber.tell(|outbox| outbox.put_last_words(&farewell));
            // Every outbox accepts and keeps all data until the deadline.
            let _ = subscriber.close(CloseReason::ServerClosed, deadline);
        }
    }
}
