//! The courier's HTTP part: each HTTP connection is served by a task of its own, and may become a WebSocket session.

use actix::{Addr, Handler, Message};
use bytes::BytesMut;
use slog::debug;
use tokio_util::either::Either;

use super::{Courier, NewConnection, WireFormat};
use crate::server::{
    admission::address_limiter::SessionPermit,
    common::{close::CloseReason, session_ref::SessionId},
    http::{Http, HttpConnection},
    metrics::Stage,
    net::{connection, tls::stream::halves},
};

/// From the task of an HTTP connection to its `Courier`: the WebSocket handshake is done.
#[derive(Message)]
#[rtype(result = "()")]
struct Upgraded {
    /// The connection, with its ID and peer.
    connection: HttpConnection,
    /// The permits that the connection now holds as a session.
    permit: SessionPermit,
    /// Bytes that were read after the handshake.
    read: BytesMut,
}

/// From the task of an HTTP connection to its `Courier`: the connection now listens to a stream, so it may
/// last longer than the requests for the page.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct HttpListening {
    /// The connection.
    id: SessionId,
}

/// From the task of an HTTP connection to its `Courier`: the connection has ended or was handed over as a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct HttpEnded {
    /// The connection.
    id: SessionId,
}

impl Courier {
    /// Starts a task that serves HTTP to this connection.
    pub(super) fn serve_http(
        &mut self,
        connection: HttpConnection,
        permit: SessionPermit,
        courier: Addr<Self>,
    ) {
        let (id, peer) = (connection.id, connection.peer);
        if self.closing {
            return self.log_refused(id, peer, CloseReason::ServerClosed, None);
        }
        let http = self.http.get_or_insert_with(|| {
            let courier = courier.clone();
            let on_upgrade =
                move |connection, permit, read| courier.do_send(Upgraded { connection, permit, read });
            let config = self.worker.config.clone();
            Http::new(config, self.admissions.clone(), self.http_audio.clone(), on_upgrade)
        });
        let (http, log) = (http.clone(), self.worker.log.clone());
        let under_way = self.worker.metrics.begin(Stage::Http);
        let task = actix_rt::spawn(async move {
            let _under_way = under_way;
            let on_listening = || courier.do_send(HttpListening { id });
            if let Err(error) = http.serve(connection, permit, on_listening).await {
                debug!(log, "http connection ended"; "id" => id.0, "peer" => %peer, "error" => %error);
            }
            courier.do_send(HttpEnded { id });
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

    fn handle(&mut self, Upgraded { connection, permit, mut read }: Upgraded, _: &mut Self::Context) {
        let HttpConnection { carrier, id, peer, .. } = connection;
        // Absent if the server has begun to end since: `break_off_visits` has removed the connection.
        if self.http_connections.remove(id).is_none() {
            return self.log_refused(id, peer, CloseReason::ServerClosed, None);
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

impl Handler<HttpListening> for Courier {
    type Result = ();

    /// From now on the connection counts as a listener, and no longer gives way to connections that ask for the page.
    fn handle(&mut self, HttpListening { id }: HttpListening, _: &mut Self::Context) {
        if let Some(task) = self.http_connections.remove(id) {
            self.listeners.insert(id, task);
        }
    }
}

impl Handler<HttpEnded> for Courier {
    type Result = ();

    fn handle(&mut self, HttpEnded { id }: HttpEnded, _: &mut Self::Context) {
        self.http_connections.remove(id);
        self.listeners.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        net::{TcpListener, TcpStream},
        sync::{Semaphore, mpsc::unbounded_channel},
    };

    use super::*;
    use crate::{
        config::Config,
        server::{common::peer::Peer, messages::CloseServer, pair::Pair},
    };

    #[test]
    fn a_websocket_that_comes_while_the_server_ends_is_counted() {
        actix_rt::System::new().block_on(async {
            let (notify, _notices) = unbounded_channel();
            let Pair { courier, metrics, .. } = Pair::start(&Config::default(), &notify);
            courier.send(CloseServer { by: "a test".to_owned() }).await.unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            let connection = HttpConnection::new(Either::Left(socket), SessionId(7), Peer::elsewhere());
            let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let permit = SessionPermit::with_place(place, None);
            courier.send(Upgraded { connection, permit, read: BytesMut::new() }).await.unwrap();
            assert_eq!(metrics.ended(CloseReason::ServerClosed), 1);
        });
    }
}
