//! The courier's TLS part: each handshake is a task of its own, which ends with a stream or a reason for refusal.

use std::io;

use actix::{Addr, AsyncContext, Handler, Message};
use arauto_protocol::reply;
use slog::{info, warn};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::{
    Courier, NewConnection, SessionRef, WireFormat,
    messages::{Adopt, Secure},
};
use crate::server::{
    admission::address_limiter::SessionPermit,
    common::{close::CloseReason, listener_protocol::ListenerProtocol, peer::Peer, session_ref::SessionId},
    http::HttpConnection,
    metrics::Stage,
    net::{
        connection::see_out,
        tls::{
            handshake::{Failure, handshake},
            stream::halves,
            subject::common_name,
        },
    },
};

/// From a handshake's task to its `Courier`: the handshake is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct HandshakeEnded {
    /// The connection.
    id: SessionId,
    /// The peer of the connection.
    peer: Peer,
    /// The protocol that the connection speaks over TLS.
    protocol: ListenerProtocol,
    /// The stream, or why the handshake failed.
    outcome: Result<Secured, (CloseReason, Option<io::Error>)>,
}

/// A connection whose TLS handshake is done.
#[derive(Debug)]
struct Secured {
    /// The connection.
    stream: Box<TlsStream<TcpStream>>,
    /// The permits that the connection holds.
    permit: SessionPermit,
}

impl Courier {
    /// Starts a task that shakes hands, so that a slow handshake delays no other connection.
    pub(super) fn shake_hands(&mut self, adopt: Adopt, secure: Secure, courier: Addr<Self>) {
        let Adopt { socket, peer, id, permit, protocol, .. } = adopt;
        if self.closing {
            return self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
        let limit = self.worker.message_bytes;
        let timeout = permit.name_timeout(self.worker.config.get().limits.name_timeout);
        let under_way = self.worker.metrics.begin(Stage::Handshake);
        let task = actix_rt::spawn(async move {
            let shaken = tokio::select! {
                shaken = handshake(socket, secure.0, Instant::now() + timeout) => shaken,
                reason = permit.displaced() => {
                    courier.do_send(HandshakeEnded { id, peer, protocol, outcome: Err((reason, None)) });
                    return;
                }
            };
            drop(under_way);
            match shaken {
                Ok(stream) => {
                    let secured = Secured { stream: Box::new(stream), permit };
                    courier.do_send(HandshakeEnded { id, peer, protocol, outcome: Ok(secured) });
                }
                Err(failure) => {
                    let told = failure.takes_plain_text();
                    let Failure { reason, error, socket } = failure;
                    courier.do_send(HandshakeEnded { id, peer, protocol, outcome: Err((reason, error)) });
                    let words = match reason {
                        _ if !told => None,
                        CloseReason::PlainText => Some(reply::tls_only(limit)),
                        _ => Some(reply::no_handshake_in_time(limit, timeout)),
                    };
                    if let Some(socket) = socket {
                        let words = words.as_ref().map_or(&[][..], |line| line.as_bytes());
                        tokio::select! {
                            () = see_out(socket, words) => {}
                            _ = permit.displaced() => {}
                        }
                    }
                }
            }
        });
        if let Some((id, peer)) = self.handshakes.add(id, peer, task) {
            self.log_refused(id, peer, CloseReason::HandshakeTimeout, None);
        }
    }

    /// Aborts the pending handshakes because the server is ending, and logs each as refused.
    pub(super) fn break_off_handshakes(&mut self) {
        let broken_off: Vec<_> = self.handshakes.break_off().collect();
        for (id, peer) in broken_off {
            self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
    }

    pub(super) fn log_refused(
        &self,
        id: SessionId,
        peer: Peer,
        reason: CloseReason,
        error: Option<io::Error>,
    ) {
        let log = &self.worker.log;
        self.worker.metrics.count_end(reason);
        match error {
            None => info!(log, "refused"; "id" => id.0, "peer" => %peer, "reason" => reason),
            Some(error) => {
                info!(log, "refused"; "id" => id.0, "peer" => %peer, "reason" => reason, "error" => %error);
            }
        }
    }

    pub(super) fn ask_for_a_name(&mut self, session_ref: SessionRef) {
        if !self.closing {
            self.tell(session_ref, |outbox| outbox.put(&reply::name_request()));
        }
    }
}

impl Handler<HandshakeEnded> for Courier {
    type Result = ();

    fn handle(
        &mut self,
        HandshakeEnded { id, peer, protocol, outcome }: HandshakeEnded,
        ctx: &mut Self::Context,
    ) {
        // A handshake that gave way or was broken off has been logged already.
        if self.handshakes.remove(id).is_none() {
            return;
        }
        match outcome {
            Ok(Secured { stream, permit }) if protocol == ListenerProtocol::Http => {
                let connection = HttpConnection::new(Either::Right(*stream), id, peer.encrypted());
                self.serve_http(connection, permit, ctx.address());
            }
            Ok(Secured { stream, permit }) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certified = certificate.and_then(|certificate| common_name(certificate));
                if certificate.is_some() && certified.is_none() {
                    let log = &self.worker.log;
                    warn!(log, "client certificate has no common name; asking the client for a name"; "id" => id.0, "peer" => %peer);
                }
                let is_asked = certified.is_none();
                let new_connection = NewConnection { peer: peer.encrypted(), id, permit };
                let session_ref =
                    self.start_session(halves(*stream), new_connection, WireFormat::Lines { certified });
                if is_asked {
                    self.ask_for_a_name(session_ref);
                }
            }
            Err((reason, error)) => self.log_refused(id, peer, reason, error),
        }
    }
}
