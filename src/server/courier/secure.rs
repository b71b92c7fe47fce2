//! The courier's part in TLS: handshakes, each a task of its own, until there is a session or a reason to end.

use actix::{Addr, Handler};
use slog::{info, warn};
use tokio::time::Instant;

use super::{Courier, Seat};
use crate::{
    protocol::reply,
    server::{
        close::CloseReason,
        connection::see_out,
        messages::{Adopt, Secure, Secured, Shaken},
        seat::SessionId,
        tls::{
            handshake::{Failure, handshake},
            stream::halves,
            subject::common_name,
        },
        who::Peer,
    },
};

impl Courier {
    /// Lets a task shake hands with who connected. A slow one costs nobody else anything.
    pub(super) fn shake_hands(&mut self, adopt: Adopt, secure: Secure, courier: Addr<Self>) {
        let Adopt { socket, peer, id, permit, visit, .. } = adopt;
        if self.closing {
            return self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
        let limit = self.surroundings.message_bytes;
        let patience = self.surroundings.config.get().limits.name_timeout;
        let task = actix_rt::spawn(async move {
            match handshake(socket, secure.0, Instant::now() + patience).await {
                Ok(stream) => {
                    let secured = Secured { stream: Box::new(stream), permit, visit };
                    courier.do_send(Shaken { id, peer, outcome: Ok(secured) });
                }
                Err(failure) => {
                    let told = failure.takes_plain_text();
                    let Failure { reason, error, socket } = failure;
                    courier.do_send(Shaken { id, peer, outcome: Err((reason, error)) });
                    let words = match reason {
                        _ if !told => None,
                        CloseReason::PlainText => Some(reply::tls_only(limit)),
                        _ => Some(reply::no_handshake_in_time(limit, patience)),
                    };
                    if let Some(socket) = socket {
                        see_out(socket, words.as_ref().map_or(&[], |line| line.as_bytes())).await;
                    }
                    drop((permit, visit));
                }
            }
        });
        if let Some((id, peer)) = self.handshakes.add(id, peer, task) {
            self.log_refused(id, peer, CloseReason::HandshakeTimeout, None);
        }
    }

    /// Ends handshakes that are under way: there will be no session.
    pub(super) fn break_off_handshakes(&mut self) {
        let broken_off: Vec<_> = self.handshakes.break_off().collect();
        for (id, peer) in broken_off {
            self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
    }

    fn log_refused(&self, id: SessionId, peer: Peer, reason: CloseReason, error: Option<std::io::Error>) {
        let log = &self.surroundings.log;
        self.surroundings.tally.count_end(reason);
        match error {
            None => info!(log, "refused"; "id" => id.0, "peer" => %peer, "reason" => reason),
            Some(error) => {
                info!(log, "refused"; "id" => id.0, "peer" => %peer, "reason" => reason, "error" => %error);
            }
        }
    }

    fn ask_for_a_name(&mut self, seat: Seat) {
        if !self.closing {
            self.tell(seat, |outbox| outbox.put(&reply::name_request()));
        }
    }
}

impl Handler<Shaken> for Courier {
    type Result = ();

    fn handle(&mut self, Shaken { id, peer, outcome }: Shaken, _: &mut Self::Context) {
        // One that had to give way has been logged.
        if !self.handshakes.remove(id) {
            return;
        }
        match outcome {
            Ok(Secured { stream, permit, visit }) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certified = certificate.and_then(|certificate| common_name(certificate));
                if certificate.is_some() && certified.is_none() {
                    let log = &self.surroundings.log;
                    warn!(log, "a certificate without a common name names nobody"; "id" => id.0, "peer" => %peer);
                }
                let is_asked = certified.is_none();
                let seat = self.take_in(halves(*stream), peer.encrypted(), id, permit, visit, certified);
                if is_asked {
                    self.ask_for_a_name(seat);
                }
            }
            Err((reason, error)) => self.log_refused(id, peer, reason, error),
        }
    }
}
