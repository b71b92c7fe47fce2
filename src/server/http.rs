//! HTTP on a worker: serves the web page and audio, and performs WebSocket handshakes.
//!
//! A connection stays on its worker. After a WebSocket handshake, it is handed back together with the bytes read beyond
//! the handshake, and becomes a session like any other.

use std::{
    cell::OnceCell,
    convert::Infallible,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{
    HttpMessage, HttpService, Method, Request, Response, StatusCode,
    body::{BodySize, BoxBody},
    error::DispatchError,
    h1,
    header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL},
    ws,
};
use actix_service::{Service, ServiceFactory, fn_service};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, future::LocalBoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{mpsc::UnboundedSender, oneshot},
    time::sleep,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use arauto_protocol::{Kind, reply, websocket};
use host::ForeignPage;
use stream::{HttpAudio, Listens};
use turns::Turns;

use crate::{
    config::InForce,
    server::{
        admission::address_limiter::{AdmissionRequest, SessionPermit},
        common::{close::CloseReason, peer::Peer, session_ref::SessionId},
        net::connection::see_out,
    },
    web,
};

pub mod host;
mod proxy;
pub mod stream;
pub mod subscribe;
pub mod turns;

/// Total time that a connection may spend on its requests. Loading the page takes a fraction of it.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);
/// Time for the head of a request to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that a connection may be idle between two requests, and that the client may take to disconnect.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Path of the WebSocket.
const WEBSOCKET_PATH: &str = "/tr2";

/// WebSocket subprotocol, by its name in a handshake (RFC 6455, section 1.9).
const SUBPROTOCOL: &str = "tr2";

/// Requests that a connection may make. The page consists of about 30 files.
pub const MAX_REQUESTS: u32 = 100;

/// Byte stream that carries HTTP: TCP, or TLS over TCP.
pub type Carrier = Either<TcpStream, TlsStream<TcpStream>>;

/// A connection that speaks HTTP.
pub struct HttpConnection {
    /// The byte stream, of which the HTTP library gets one request at a time.
    pub carrier: Turns<Carrier>,
    /// Number of the connection; a session that it becomes has the same.
    pub id: SessionId,
    /// The other end of the connection.
    pub peer: Peer,
    /// Signals that the connection listens to an audio stream.
    pub listens: Listens,
}

impl HttpConnection {
    /// A connection of which nothing has been read yet.
    pub fn new(carrier: Carrier, id: SessionId, peer: Peer) -> Self {
        let listens = Listens::default();
        let carrier =
            Turns::at_most(carrier, MAX_REQUESTS).lasting(Arc::clone(&listens.flag), stream::MAX_PAUSE);
        Self { carrier, id, peer, listens }
    }
}

/// Takes a connection whose WebSocket handshake is done, its places as a session, and the bytes read beyond the
/// handshake.
type OnUpgrade = Rc<dyn Fn(HttpConnection, SessionPermit, BytesMut)>;

type Serve = Box<dyn Fn(HttpConnection) -> LocalBoxFuture<'static, Result<(), DispatchError>>>;

/// The HTTP service of a worker. Clones share it.
#[derive(Clone)]
pub struct Http {
    config: InForce,
    on_upgrade: OnUpgrade,
    admissions: UnboundedSender<AdmissionRequest>,
    audio: Option<HttpAudio>,
    /// Host names of this machine.
    own_names: Rc<[String]>,
    /// Built when the first connection is served.
    serve: Rc<OnceCell<Serve>>,
}

impl Http {
    /// Creates a service that serves the page. A connection that becomes a WebSocket is passed to `on_upgrade` once the
    /// receiver of `admissions` has admitted it.
    pub fn new(
        config: InForce,
        admissions: UnboundedSender<AdmissionRequest>,
        audio: Option<HttpAudio>,
        on_upgrade: impl Fn(HttpConnection, SessionPermit, BytesMut) + 'static,
    ) -> Self {
        let own_names = host::own_names().into();
        Self { config, on_upgrade: Rc::new(on_upgrade), admissions, audio, own_names, serve: Rc::default() }
    }

    /// Serves a connection until it ends, becomes a WebSocket, gives way to a newer connection, or has used up its
    /// time. Calls `on_listening` when the connection starts to listen to an audio stream. From then on, its time is
    /// not limited.
    ///
    /// # Errors
    /// If the connection breaks, does not speak HTTP, gives way, or has used up its time.
    pub async fn serve(
        &self,
        mut connection: HttpConnection,
        SessionPermit { place, address_permit, .. }: SessionPermit,
        on_listening: impl FnOnce(),
    ) -> io::Result<()> {
        if self.serve.get().is_none() {
            let serve = self.build().await?;
            // Another task may have set it during the await.
            let _ = self.serve.set(serve);
        }
        let Some(serve) = self.serve.get() else { unreachable!("it was set just now") };
        let Listens { notify: listens, .. } = connection.listens.clone();
        let mut address_permit = address_permit.unwrap_or_default();
        if let Some(place) = &address_permit.page {
            connection.carrier = connection.carrier.busy(place.is_busy());
        }
        let mut served = serve(connection);
        let served = tokio::select! {
            served = &mut served => served,
            () = listens.notified() => {
                // A listener has a place of its own (`stream::MAX_LISTENERS`), so it frees those for the page.
                drop(place);
                address_permit.page = None;
                on_listening();
                served.await
            }
            () = address_permit.displaced() => return Err(io::Error::other("it gave way to a newer one")),
            () = sleep(CONNECTION_TIMEOUT) => return Err(io::ErrorKind::TimedOut.into()),
        };
        served.map_err(|error| io::Error::other(error.to_string()))
    }

    async fn build(&self) -> io::Result<Serve> {
        let this = self.clone();
        let respond = fn_service(move |request: Request| {
            let this = this.clone();
            async move { Ok::<_, Infallible>(this.respond(&request).await) }
        });
        let this = self.clone();
        let upgrade = fn_service(move |(request, framed)| {
            let this = this.clone();
            async move { this.upgrade(&request, framed).await }
        });
        let factory = HttpService::build()
            .keep_alive(KEEP_ALIVE_TIMEOUT)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(KEEP_ALIVE_TIMEOUT)
            .on_connect_ext(|connection: &HttpConnection, known| {
                known.insert(connection.listens.clone());
                known.insert(connection.peer);
            })
            .upgrade(upgrade)
            .h1(respond);
        let service = factory.new_service(()).await.map_err(|()| io::Error::other("cannot start HTTP"))?;
        Ok(Box::new(move |connection| Box::pin(service.call((connection, None)))))
    }

    /// Responds to a request that is no WebSocket handshake.
    async fn respond(&self, request: &Request) -> Response<BoxBody> {
        let (method, path) = (request.method(), request.path());
        // The page asks by POST why it got no WebSocket, because browsers always send `Origin` with POST.
        let is_question = path == WEBSOCKET_PATH && method == Method::POST;
        if let Err(foreign) = self.judge_headers(request.headers(), is_question) {
            return web::words(StatusCode::FORBIDDEN, foreign.in_words());
        }
        let mut response = if path == WEBSOCKET_PATH {
            web::no_handshake(method)
        } else if let Some(stream) = stream::stream_at(path) {
            stream::respond(request, stream, self.audio.clone()).await
        } else {
            web::respond(method, path)
        };
        web::add_headers(response.headers_mut());
        response
    }

    /// Answers a WebSocket handshake.
    async fn upgrade(
        &self,
        request: &Request,
        mut framed: actix_codec::Framed<HttpConnection, h1::Codec>,
    ) -> Result<(), Infallible> {
        let answer = self.judge(request);
        let is_accepted = answer.is_ok();
        let (response, words) = answer.map_or_else(|refusal| refusal, |response| (response, ""));
        let size = if is_accepted { BodySize::None } else { BodySize::Sized(words.len() as u64) };
        if framed.send(h1::Message::Item((response, size))).await.is_err() {
            // The connection is gone. For an error, the HTTP library would log a fault that is not the server's.
            return Ok(());
        }
        if !is_accepted {
            let _ = framed.send(h1::Message::Chunk(Some(Bytes::from_static(words.as_bytes())))).await;
            let _ = framed.close().await;
            return Ok(());
        }
        let mut parts = framed.into_parts();
        let peer = parts.io.peer;
        if let Some(by_tls) = proxy::passed_on(request.headers(), peer.reached(), &self.own_names) {
            parts.io.peer = peer.proxied(by_tls);
        }
        let (answer, answered) = oneshot::channel();
        // Sending fails only while the server shuts down, when no task admits sessions any more.
        let _ = self.admissions.send(AdmissionRequest { peer: parts.io.peer, answer });
        let closed = || (reply::server_closed(), CloseReason::ServerClosed);
        match answered.await.unwrap_or_else(|_| Err(closed())) {
            Ok(places) => (self.on_upgrade)(parts.io, places, parts.read_buf),
            Err((line, reason)) => {
                let close = websocket::close_frame(reason.websocket_code());
                see_out(parts.io, &[line.framed(Kind::WebSocket), close].concat()).await;
            }
        }
        Ok(())
    }

    /// Checks whether a request with these headers may get the page or, if `is_for_websocket`, its WebSocket.
    fn judge_headers(&self, headers: &HeaderMap, is_for_websocket: bool) -> Result<(), ForeignPage> {
        let config = self.config.get();
        // `media.public_host`, the host in the addresses of streams, is a name of this server, too.
        let names = config.web.hosts.iter().chain(&*self.own_names).chain([&config.media.public_host]);
        let names = names.map(String::as_str);
        if is_for_websocket { host::judge(headers, names) } else { host::judge_host(headers, names) }
    }

    /// Returns the response to a WebSocket handshake, or the refusal and its text.
    fn judge(&self, request: &Request) -> Result<Response<()>, (Response<()>, &'static str)> {
        let refuse = |status, words| {
            let mut refusal = Response::build(status);
            refusal.insert_header(("content-type", "text/plain; charset=utf-8")).force_close();
            Err((refusal.finish().drop_body(), words))
        };
        if request.path() != WEBSOCKET_PATH {
            return refuse(StatusCode::NOT_FOUND, "The WebSocket is at /tr2.\n");
        }
        if let Err(foreign) = self.judge_headers(request.headers(), true) {
            return refuse(StatusCode::FORBIDDEN, foreign.in_words());
        }
        match ws::handshake(request.head()) {
            Ok(mut response) => {
                if offers_subprotocol(request.headers()) {
                    response.insert_header((SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL));
                }
                Ok(response.finish().drop_body())
            }
            Err(error) => {
                let refusal = Response::<BoxBody>::from(error);
                Err((refusal.drop_body(), "This is no WebSocket handshake as RFC 6455 has it, version 13.\n"))
            }
        }
    }
}

/// Whether a handshake offers [`SUBPROTOCOL`]. Browsers fail the connection if they offered subprotocols and the server
/// chose none of them.
fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|offer| offer.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}

impl AsyncRead for HttpConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HttpConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.carrier).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(cx)
    }
}

/// A complete HTTP response for a client that is not served, whatever it asked for.
pub fn unavailable(why: &str) -> String {
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{why}\n",
        why.len() + 1
    )
}
