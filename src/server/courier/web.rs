//! The courier's HTTP part: each HTTP connection is served by a task of its own, and may become a WebSocket session.

use actix::{Addr, Handler};
use slog::debug;
use tokio_util::either::Either;

use super::{Courier, NewConnection, WireFormat};
use crate::server::{
    address_limiter::SessionPermit,
    close::CloseReason,
    connection,
    http::{Http, Visitor},
    messages::{Listening, Upgraded, Visited},
    metrics::Stage,
    tls::stream::halves,
};

impl Courier {
    /// Starts a task that serves HTTP to this connection.
    pub(super) fn visit(&mut self, visitor: Visitor, permit: SessionPermit, courier: Addr<Self>) {
        let (id, peer) = (visitor.id, visitor.peer);
        if self.closing {
            return self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
        let http = self.http.get_or_insert_with(|| {
            let courier = courier.clone();
            let welcome = move |visitor, permit, read| courier.do_send(Upgraded { visitor, permit, read });
            let config = self.worker.config.clone();
            Http::new(config, self.admissions.clone(), self.http_audio.clone(), welcome)
        });
        let (http, log) = (http.clone(), self.worker.log.clone());
        let under_way = self.worker.metrics.begin(Stage::Visit);
        let task = actix_rt::spawn(async move {
            let _under_way = under_way;
            let listening = || courier.do_send(Listening { id });
            if let Err(error) = http.serve(visitor, permit, listening).await {
                debug!(log, "http connection ended"; "id" => id.0, "peer" => %peer, "error" => %error);
            }
            courier.do_send(Visited { id });
        });
        // `page_places.rs` decides, for all workers together, which connection gives way when there are too many.
        self.http_connections.hold(id, peer, task);
    }

    /// Aborts the tasks of all HTTP connections, including those that listen to a stream.
    pub(super) fn break_off_visits(&mut self) {
        self.http_connections.break_off().for_each(drop);
        for (_, task) in self.listeners.drain() {
            task.abort();
        }
    }
}

impl Handler<Upgraded> for Courier {
    type Result = ();

    fn handle(&mut self, Upgraded { visitor, permit, mut read }: Upgraded, _: &mut Self::Context) {
        let Visitor { carrier, id, peer, .. } = visitor;
        // Absent if the server has begun to end since: `break_off_visits` has removed the connection.
        if self.http_connections.remove(id).is_none() {
            return;
        }
        let (carrier, ahead) = carrier.into_parts();
        read.unsplit(ahead);
        let (new_connection, format) = (NewConnection { id, peer, permit }, WireFormat::WebSocket { read });
        let session_ref = match carrier {
            Either::Left(socket) => self.start_session(connection::split(socket), new_connection, format),
            Either::Right(stream) => self.start_session(halves(stream), new_connection, format),
        };
        self.ask_for_a_name(session_ref);
    }
}

impl Handler<Listening> for Courier {
    type Result = ();

    /// From now on the connection counts as a listener, and no longer gives way to connections that ask for the page.
    fn handle(&mut self, Listening { id }: Listening, _: &mut Self::Context) {
        if let Some(task) = self.http_connections.remove(id) {
            self.listeners.insert(id, task);
        }
    }
}

impl Handler<Visited> for Courier {
    type Result = ();

    fn handle(&mut self, Visited { id }: Visited, _: &mut Self::Context) {
        self.http_connections.remove(id);
        self.listeners.remove(&id);
    }
}
