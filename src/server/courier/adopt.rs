//! The courier's way from an accepted connection to a session.

use std::{rc::Rc, sync::Arc};

use actix::{AsyncContext, Handler};
use arauto_protocol::{FrameDecoder, Kind, reply};
use bytes::BytesMut;
use slog::warn;
use tokio::{net::TcpStream, time::Instant};
use tokio_util::either::Either;

use super::{Courier, allowance, bounds, messages::Adopt};
use crate::server::{
    admission::{address_limiter::SessionPermit, flood::Meter},
    common::{
        close::{CLOSE_TIMEOUT, CloseReason},
        listener_protocol::ListenerProtocol,
        peer::Peer,
        session_ref::{SessionId, SessionRef},
    },
    delivery::{outbox::Outbox, subscriber::Subscriber},
    http::HttpConnection,
    net::connection::{self, ReceiveHalf, SendHalf},
    session::{
        actor::{Session, SessionConfig},
        frame_reader::{FrameReader, Pulse},
        read_timeouts::ReadTimeouts,
    },
};

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

impl WireFormat {
    /// The decoder of the session's input, the bytes that were read already, and the certified name.
    fn into_parts(self, message_bytes: usize) -> (FrameDecoder, BytesMut, Option<String>) {
        match self {
            Self::Lines { certified } => (FrameDecoder::new(message_bytes), BytesMut::new(), certified),
            Self::WebSocket { read } => (FrameDecoder::for_websocket(message_bytes), read, None),
        }
    }
}

impl Courier {
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
        let (decoder, read, certified) = format.into_parts(limits.message_bytes);
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
            self.subscribers.close(slot, CloseReason::ServerClosed, Instant::now() + CLOSE_TIMEOUT);
        }
        session_ref
    }
}

/// Lets sessions that begin under equal settings share one value.
fn share<T: PartialEq>(shared: &mut Rc<T>, now: T) {
    if **shared != now {
        *shared = Rc::new(now);
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
