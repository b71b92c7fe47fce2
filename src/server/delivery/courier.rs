//! [`Courier`]: delivers batches to the sessions of its arbiter.
//!
//! The Registry sends one message for all sessions of the arbiter: the courier holds their outboxes, and the loop over
//! them (`subscriber_table.rs`) writes at once where nothing is queued. The courier also takes in new connections and
//! starts their sessions, because a socket belongs to the reactor of its arbiter.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Handler, Recipient};
use arauto_protocol::{FrameDecoder, Kind, reply};
use bytes::BytesMut;
use slog::warn;
use tokio::{net::TcpStream, sync::mpsc::UnboundedSender, task::JoinHandle, time::Instant};
use tokio_util::either::Either;

use super::{
    deliver::Deliver,
    outbox::{Bounds, Outbox, at_once},
    subscriber::{Done, Report, Subscriber},
    subscriber_table::SubscriberTable,
};
use crate::{
    config::Config,
    server::{
        admission::{
            address_limiter::{AdmissionRequest, SessionPermit},
            flood::{Allowance, Meter},
        },
        common::{
            close::{CLOSE_TIMEOUT, CloseReason, PROBE_TIMEOUT},
            exit_guard::ExitGuard,
            listener_protocol::ListenerProtocol,
            peer::Peer,
            session_ref::{SessionId, SessionRef},
        },
        http::{Http, HttpConnection, stream::HttpAudio},
        messages::{
            Adopt, Backpressure, CloseServer, Evicted, ExpectDrain, OutboxesFull, Probe, Reframe, SendLine,
            SendRaw, ToCourier, Unbound, Weigh, Weighed,
        },
        net::{
            connection::{self, ReceiveHalf, SendHalf},
            tls::under_way::PendingConnections,
        },
        session::{
            actor::{Session, SessionConfig, WorkerContext},
            frame_reader::{FrameReader, Pulse, ReadBuffer},
            read_timeouts::ReadTimeouts,
        },
    },
};

mod secure;
mod web;

/// A new connection that is to become a session.
pub struct NewConnection {
    /// The number of the session.
    pub id: SessionId,
    /// The other end.
    pub peer: Peer,
    /// The places that the connection holds.
    pub permit: SessionPermit,
}

/// The framing of a new session.
pub enum WireFormat {
    /// TR2.23 over TCP or TLS.
    Lines {
        /// The name in the client's certificate, if it has one.
        certified: Option<String>,
    },
    /// TR2.23 in WebSocket frames.
    WebSocket {
        /// Bytes that were read beyond the WebSocket handshake.
        read: BytesMut,
    },
}

/// Time between two pings of a WebSocket. A proxy on the way may drop a connection that is silent for a minute. A
/// connection that answers nothing is ended 60 to 90 s after it was last heard of.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The courier actor of one arbiter.
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

    /// Gives a connection a session and an entry in the subscriber table. The caller has to send the name request,
    /// unless the client got it already or its certificate names it.
    pub fn start_session(
        &mut self,
        (reader, writer): (impl ReceiveHalf, impl SendHalf),
        new_connection: NewConnection,
        format: WireFormat,
    ) -> SessionRef {
        let NewConnection { id, peer, permit } = new_connection;
        let config = self.worker.config.get();
        let limits = &config.limits;
        if *self.session_config.timeouts != ReadTimeouts::of(&config) {
            self.session_config = Rc::new(SessionConfig::of(&self.worker));
        }
        let permit = Rc::new(permit);
        share(&mut self.bounds, bounds(&config));
        let mut outbox = Outbox::new(Box::new(writer), Rc::clone(&self.bounds), Rc::clone(&permit));
        let (decoder, read, certified) = match format {
            WireFormat::Lines { certified } => {
                (FrameDecoder::new(limits.message_bytes), BytesMut::new(), certified)
            }
            WireFormat::WebSocket { read } => (FrameDecoder::for_websocket(limits.message_bytes), read, None),
        };
        outbox.set_kind(decoder.kind());
        outbox.count_into(Arc::clone(self.worker.metrics.outboxes_bytes()));
        let (buffer, timeouts) = (Rc::clone(&self.buffer), Rc::clone(&self.session_config.timeouts));
        let pulse = (decoder.kind() == Kind::WebSocket).then(Pulse::default);
        let mut frame_reader =
            FrameReader::new(reader, buffer, decoder, read, limits.inflight_bytes, timeouts);
        if let Some(pulse) = &pulse {
            frame_reader.set_pulse(Rc::clone(pulse));
        }
        let meter = config.flood.governs(peer.is_local).then(|| {
            share(&mut self.allowance, allowance(&self.worker));
            Meter::new(Rc::clone(&self.allowance), Instant::now()).map(Box::new)
        });
        let slot = self.subscribers.next_slot();
        let session_ref =
            SessionRef { id, courier: self.number, slot: u32::try_from(slot).unwrap_or(u32::MAX) };
        let session = Session::open(
            frame_reader,
            session_ref,
            Arc::new(peer),
            Rc::clone(&self.session_config),
            meter.flatten(),
            permit,
            certified,
        );
        let mut subscriber = Subscriber::new(session_ref, session, outbox, Rc::clone(&self.report));
        if let Some(pulse) = pulse {
            subscriber.watch_pings(pulse);
        }
        self.subscribers.add(subscriber);
        if self.closing {
            self.tell(session_ref, |outbox| outbox.put(&reply::server_closed()));
            self.close_place(slot, CloseReason::ServerClosed, Instant::now() + CLOSE_TIMEOUT);
        }
        session_ref
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

    /// Ends the probing of a connection, unless a later probe still runs, and jams the session if its other end did not
    /// answer.
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

    /// Ends a session: its slot is free at once, and queued data is sent until `deadline`.
    fn close_place(&mut self, slot: usize, reason: CloseReason, deadline: Instant) {
        self.subscribers.close(slot, reason, deadline);
    }
}

fn bounds(Config { limits, compat, .. }: &Config) -> Bounds {
    Bounds { limit: limits.outbox_bytes, grace: limits.slow_reader_grace, gap: compat.unframed_gap }
}

fn allowance(worker: &WorkerContext) -> Allowance {
    Allowance::of(&worker.config.get().flood, worker.message_bytes)
}

/// Lets sessions that begin under equal settings share one value.
fn share<T: PartialEq>(shared: &mut Rc<T>, now: T) {
    if **shared != now {
        *shared = Rc::new(now);
    }
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

impl Handler<Adopt> for Courier {
    type Result = ();

    fn handle(&mut self, mut adopt: Adopt, ctx: &mut Self::Context) {
        if let Some(secure) = adopt.secure.take() {
            return self.shake_hands(adopt, secure, ctx.address());
        }
        let Adopt { socket, peer, id, permit, protocol, .. } = adopt;
        match TcpStream::from_std(socket) {
            Ok(socket) if protocol == ListenerProtocol::Http => {
                let connection = HttpConnection::new(Either::Left(socket), id, peer);
                self.serve_http(connection, permit, ctx.address());
            }
            Ok(socket) => {
                let new_connection = NewConnection { id, peer, permit };
                self.start_session(
                    connection::split(socket),
                    new_connection,
                    WireFormat::Lines { certified: None },
                );
            }
            Err(error) => {
                warn!(self.worker.log, "connection lost"; "id" => id.0, "peer" => %peer, "error" => %error);
            }
        }
    }
}

impl Handler<Deliver> for Courier {
    type Result = ();

    fn handle(&mut self, Deliver { shared, edits }: Deliver, _: &mut Self::Context) {
        let Done { closed, delivered, fullest } = at_once(|cx| self.subscribers.deliver(&shared, &edits, cx));
        self.worker.metrics.count_delivered(delivered);
        self.worker.metrics.mark_outbox(fullest);
        for (slot, reason) in closed {
            self.close_place(slot, reason, Instant::now() + CLOSE_TIMEOUT);
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
