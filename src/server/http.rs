//! HTTP on a worker: the page, and the handshake after which a connection is a WebSocket.
//!
//! The connection itself stays where it is. Once its handshake is done it is given back with what was read beyond it, and
//! becomes a session like any other.

use std::{
    cell::OnceCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{
    HttpMessage, HttpService, Request, Response, StatusCode,
    body::{BodySize, BoxBody},
    error::DispatchError,
    h1, ws,
};
use actix_service::{Service, ServiceFactory, fn_service, map_config};
use actix_web::dev::AppConfig;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, future::LocalBoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::{doorkeeper::Visit, seat::SessionId, who::Peer};
use crate::{config::InForce, web};

pub mod host;

/// How long a connection may take for its requests together. A page is there within a fraction of it.
const VISIT: Duration = Duration::from_mins(1);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests.
const BETWEEN: Duration = Duration::from_secs(5);

/// Where a WebSocket is to be had.
const WEBSOCKET_PATH: &str = "/tr2";

/// What carries HTTP.
pub type Carrier = Either<TcpStream, TlsStream<TcpStream>>;

/// A connection that speaks HTTP, and what it would be as a session.
pub struct Visitor {
    /// The connection.
    pub carrier: Carrier,
    /// What it is called.
    pub id: SessionId,
    /// Its other end.
    pub peer: Peer,
    /// Its place among `limits.max_sessions`.
    pub permit: OwnedSemaphorePermit,
    /// Its place among its address's, where these are counted.
    pub visit: Option<Visit>,
}

/// What becomes of a connection whose handshake is done: it, and what was read beyond.
type Welcome = Rc<dyn Fn(Visitor, BytesMut)>;

type Serve = Box<dyn Fn(Visitor) -> LocalBoxFuture<'static, Result<(), DispatchError>>>;

/// HTTP for all connections of a worker.
#[derive(Clone)]
pub struct Http {
    config: InForce,
    welcome: Welcome,
    /// What this machine is called.
    own_names: Rc<[String]>,
    /// Built for the first who comes.
    serve: Rc<OnceCell<Serve>>,
}

impl Http {
    /// Serves the page, and gives connections that have become WebSockets to `welcome`.
    pub fn new(config: InForce, welcome: impl Fn(Visitor, BytesMut) + 'static) -> Self {
        let own_names = host::own_names().into();
        Self { config, welcome: Rc::new(welcome), own_names, serve: Rc::default() }
    }

    /// Serves one connection until it ends, becomes a WebSocket, or has had its time.
    ///
    /// # Errors
    /// If it breaks, or does not speak HTTP.
    pub async fn serve(&self, visitor: Visitor) -> io::Result<()> {
        if self.serve.get().is_none() {
            let serve = self.build().await?;
            // Another task may have been faster.
            let _ = self.serve.set(serve);
        }
        let Some(serve) = self.serve.get() else { unreachable!("it was set just now") };
        match timeout(VISIT, serve(visitor)).await {
            Ok(served) => served.map_err(|error| io::Error::other(error.to_string())),
            Err(late) => Err(late.into()),
        }
    }

    async fn build(&self) -> io::Result<Serve> {
        let page = map_config(web::app(), |()| AppConfig::default());
        let this = self.clone();
        let upgrade = fn_service(move |(request, framed)| {
            let this = this.clone();
            async move { this.upgrade(&request, framed).await }
        });
        let factory = HttpService::build()
            .keep_alive(BETWEEN)
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(BETWEEN)
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
        framed.send(h1::Message::Item((response, size))).await?;
        if !is_accepted {
            framed.send(h1::Message::Chunk(Some(Bytes::from_static(words.as_bytes())))).await?;
            framed.close().await?;
            return Ok(());
        }
        let parts = framed.into_parts();
        (self.welcome)(parts.io, parts.read_buf);
        Ok(())
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
        let config = self.config.get();
        let names = config.web.hosts.iter().chain(&*self.own_names).map(String::as_str);
        if let Err(stranger) = host::judge(request.headers(), names) {
            return refuse(StatusCode::FORBIDDEN, stranger.in_words());
        }
        match ws::handshake(request.head()) {
            Ok(mut response) => Ok(response.finish().drop_body()),
            Err(error) => {
                let refusal = Response::<BoxBody>::from(error);
                Err((refusal.drop_body(), "This is no WebSocket handshake as RFC 6455 has it, version 13.\n"))
            }
        }
    }
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
