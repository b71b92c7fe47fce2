//! HTTP on a worker: the page, and the handshake after which a connection is a WebSocket.
//!
//! The connection itself stays where it is. Once its handshake is done it is given back with what was read beyond it, and
//! becomes a session like any other.

use std::{
    cell::OnceCell,
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
use actix_service::{Service, ServiceFactory, fn_service, map_config};
use actix_web::{
    dev::{AppConfig, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
};
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

use super::{
    close::CloseReason,
    connection::see_out,
    doorkeeper::{Admission, Stay},
    seat::SessionId,
    who::Peer,
};
use host::Stranger;
use stream::{Listens, Tuner};
use turns::Turns;

use crate::{
    config::InForce,
    protocol::{Kind, reply, websocket},
    web,
};

pub mod host;
mod proxy;
pub mod stream;
pub mod turns;

/// How long a connection may take for its requests together. A page is there within a fraction of it.
const VISIT: Duration = Duration::from_mins(1);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests.
const BETWEEN: Duration = Duration::from_secs(5);

/// Where a WebSocket is to be had.
const WEBSOCKET_PATH: &str = "/tr2";

/// The subprotocol that is spoken there, by its name in a handshake (RFC 6455, section 1.9).
const SUBPROTOCOL: &str = "tr2";

/// How many requests a connection may make; the page has some twenty files.
pub const REQUESTS: u32 = 100;

/// What carries HTTP.
pub type Carrier = Either<TcpStream, TlsStream<TcpStream>>;

/// A connection that speaks HTTP.
pub struct Visitor {
    /// The connection.
    pub carrier: Turns<Carrier>,
    /// What it is called.
    pub id: SessionId,
    /// Its other end.
    pub peer: Peer,
    /// Told when it listens to a stream.
    pub listens: Listens,
}

impl Visitor {
    /// A connection that has said nothing yet.
    pub fn new(carrier: Carrier, id: SessionId, peer: Peer) -> Self {
        let listens = Listens::default();
        let carrier = Turns::at_most(carrier, REQUESTS).lasting(Arc::clone(&listens.flag), stream::MAX_PAUSE);
        Self { carrier, id, peer, listens }
    }
}

/// What becomes of a connection whose handshake is done: it, its places as a session, and what was read beyond.
type Welcome = Rc<dyn Fn(Visitor, Stay, BytesMut)>;

type Serve = Box<dyn Fn(Visitor) -> LocalBoxFuture<'static, Result<(), DispatchError>>>;

/// HTTP for all connections of a worker.
#[derive(Clone)]
pub struct Http {
    config: InForce,
    welcome: Welcome,
    admissions: UnboundedSender<Admission>,
    tuner: Option<Tuner>,
    /// What this machine is called.
    own_names: Rc<[String]>,
    /// Built for the first who comes.
    serve: Rc<OnceCell<Serve>>,
}

impl Http {
    /// Serves the page, and gives connections that have become WebSockets to `welcome`, once `admissions` let them in.
    pub fn new(
        config: InForce,
        admissions: UnboundedSender<Admission>,
        tuner: Option<Tuner>,
        welcome: impl Fn(Visitor, Stay, BytesMut) + 'static,
    ) -> Self {
        let own_names = host::own_names().into();
        Self { config, welcome: Rc::new(welcome), admissions, tuner, own_names, serve: Rc::default() }
    }

    /// Serves one connection until it ends, becomes a WebSocket, or has had its time. `listening` is called when it listens to
    /// a stream: from then on it may take as long as that lasts.
    ///
    /// # Errors
    /// If it breaks, or does not speak HTTP.
    pub async fn serve(
        &self,
        mut visitor: Visitor,
        Stay { permit, visit, .. }: Stay,
        listening: impl FnOnce(),
    ) -> io::Result<()> {
        if self.serve.get().is_none() {
            let serve = self.build().await?;
            // Another task may have been faster.
            let _ = self.serve.set(serve);
        }
        let Some(serve) = self.serve.get() else { unreachable!("it was set just now") };
        let Listens { notify: listens, .. } = visitor.listens.clone();
        let mut visit = visit.unwrap_or_default();
        if let Some(place) = &visit.page {
            visitor.carrier = visitor.carrier.busy(place.is_busy());
        }
        let mut served = serve(visitor);
        let served = tokio::select! {
            served = &mut served => served,
            () = listens.notified() => {
                // It has another place now.
                drop(permit);
                visit.page = None;
                listening();
                served.await
            }
            () = visit.displaced() => return Err(io::Error::other("it gave way to a newer one")),
            () = sleep(VISIT) => return Err(io::ErrorKind::TimedOut.into()),
        };
        served.map_err(|error| io::Error::other(error.to_string()))
    }

    async fn build(&self) -> io::Result<Serve> {
        let this = self.clone();
        let judge = move |request: ServiceRequest, next: Next<_>| {
            // By POST, with which browsers always send `Origin`, the page asks why it got no WebSocket.
            let is_question = request.path() == WEBSOCKET_PATH && request.method() == Method::POST;
            let stranger = this.judge_headers(request.headers(), is_question).err();
            async move {
                match stranger {
                    None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
                    Some(stranger) => Ok(request.into_response(web::refusal(stranger.in_words()))),
                }
            }
        };
        let websocket = web::no_handshake(WEBSOCKET_PATH);
        let app =
            web::app().service(websocket).service(stream::resource(self.tuner.clone())).wrap(from_fn(judge));
        let page = map_config(app, |()| AppConfig::default());
        let this = self.clone();
        let upgrade = fn_service(move |(request, framed)| {
            let this = this.clone();
            async move { this.upgrade(&request, framed).await }
        });
        let factory = HttpService::build()
            .keep_alive(BETWEEN)
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(BETWEEN)
            .on_connect_ext(|visitor: &Visitor, known| {
                known.insert(visitor.listens.clone());
                known.insert(visitor.peer);
            })
            .upgrade(upgrade)
            .h1(page);
        let service = factory.new_service(()).await.map_err(|()| io::Error::other("cannot start HTTP"))?;
        Ok(Box::new(move |visitor| Box::pin(service.call((visitor, None)))))
    }

    /// Answers a handshake.
    async fn upgrade(
        &self,
        request: &Request,
        mut framed: actix_codec::Framed<Visitor, h1::Codec>,
    ) -> Result<(), actix_web::Error> {
        let answer = self.judge(request);
        let is_accepted = answer.is_ok();
        let (response, words) = answer.map_or_else(|refusal| refusal, |response| (response, ""));
        let size = if is_accepted { BodySize::None } else { BodySize::Sized(words.len() as u64) };
        if framed.send(h1::Message::Item((response, size))).await.is_err() {
            // It is gone. The library would log an error for what is none of ours.
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
        // Nobody is left to ask where the server ends.
        let _ = self.admissions.send(Admission { peer: parts.io.peer, answer });
        let closed = || (reply::server_closed(), CloseReason::ServerClosed);
        match answered.await.unwrap_or_else(|_| Err(closed())) {
            Ok(places) => (self.welcome)(parts.io, places, parts.read_buf),
            Err((line, reason)) => {
                let close = websocket::close_frame(reason.websocket_code());
                see_out(parts.io, &[line.framed(Kind::WebSocket), close].concat()).await;
            }
        }
        Ok(())
    }

    /// Whether the page, and its WebSocket too, are for a request with these headers.
    fn judge_headers(&self, headers: &HeaderMap, is_for_websocket: bool) -> Result<(), Stranger> {
        let config = self.config.get();
        // What streams are called by is a name of this server, too.
        let names = config.web.hosts.iter().chain(&*self.own_names).chain([&config.media.public_host]);
        let names = names.map(String::as_str);
        if is_for_websocket { host::judge(headers, names) } else { host::judge_host(headers, names) }
    }

    /// The answer to a handshake: that it is done, or why not.
    fn judge(&self, request: &Request) -> Result<Response<()>, (Response<()>, &'static str)> {
        let refuse = |status, words| {
            let mut refusal = Response::build(status);
            refusal.insert_header(("content-type", "text/plain; charset=utf-8")).force_close();
            Err((refusal.finish().drop_body(), words))
        };
        if request.path() != WEBSOCKET_PATH {
            return refuse(StatusCode::NOT_FOUND, "The WebSocket is at /tr2.\n");
        }
        if let Err(stranger) = self.judge_headers(request.headers(), true) {
            return refuse(StatusCode::FORBIDDEN, stranger.in_words());
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

/// Whether a handshake offers [`SUBPROTOCOL`]. Browsers fail where they offered some and none was chosen.
fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|offer| offer.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Visitor {
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

/// A whole answer to somebody who is not served at all, whatever was asked.
pub fn unavailable(why: &str) -> String {
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{why}\n",
        why.len() + 1
    )
}
