//! Monitoring: an HTTP server on addresses of its own that reports the state of this server.
//!
//! Monitoring has its own thread. It gathers and writes figures beside the messages, not between them, and it still
//! answers while a worker is stuck or the server shuts down. Its share of a core is bounded by the number of
//! connections that it serves at a time and by how long each keeps its place. Further connections wait in the kernel,
//! or displace a connection that has sent no request.

use std::{
    io,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_http::{HttpService, KeepAlive, Request, Response, body::BoxBody, error::DispatchError};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_service::{Service, ServiceFactory, fn_service};
use futures_util::future::{LocalBoxFuture, join};
use slog::{Logger, debug, error};
use tokio::{
    net::TcpStream,
    select,
    time::{sleep, timeout},
};

use super::{http::turns::Turns, metrics::Metrics, net::incoming::Incoming};
use crate::{config::InForce, server::common::health::Health};

mod answers;
mod exposition;
mod figures;
mod json;
mod liveness_check;
mod nodes;
mod places;
mod process;

use answers::Desk;
use places::{ConnectionSlot, ConnectionSlots};

/// Connections served at a time.
pub const MAX_CONNECTIONS: usize = 16;

/// Minimum time for which a connection keeps its place. With [`MAX_CONNECTIONS`], this bounds the rate to 160 answers
/// per second.
const MIN_CONNECTION_TIME: Duration = Duration::from_millis(100);

/// Time for the head of a request to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(3);

/// Time that a connection may take in all. An answer has about 20 KiB, which any socket takes at once.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The parts of the server that monitoring reads.
#[derive(Clone)]
pub struct Watched {
    /// The server's counters.
    pub metrics: Arc<Metrics>,
    /// The server's phase.
    pub health: Health,
    /// The workers, which are asked whether they still respond.
    pub workers: Vec<ArbiterHandle>,
    /// The configuration in force.
    pub config: InForce,
    /// Start time of the server.
    pub since: SystemTime,
    /// The server's log.
    pub log: Logger,
}

/// Starts a thread that answers on these sockets until it is stopped. Returns `None` if there are no sockets.
///
/// # Errors
/// If the system cannot start the thread.
pub fn start(sockets: Vec<TcpListener>, watched: Watched) -> io::Result<Option<Arbiter>> {
    if sockets.is_empty() {
        return Ok(None);
    }
    let arbiter = Arbiter::try_new()?;
    arbiter.spawn_fn(move || {
        let log = watched.log.clone();
        let desk = Rc::new(Desk::new(watched));
        let places = ConnectionSlots::new();
        for socket in sockets {
            let (desk, places, log) = (Rc::clone(&desk), Rc::clone(&places), log.clone());
            actix_rt::spawn(async move {
                if let Err(error) = accept_all(socket, desk, places, &log).await {
                    error!(log, "cannot serve monitoring"; "error" => %error);
                }
            });
        }
    });
    Ok(Some(arbiter))
}

/// Accepts connections on a socket and answers one request on each.
async fn accept_all(
    socket: TcpListener,
    desk: Rc<Desk>,
    places: Rc<ConnectionSlots>,
    log: &Logger,
) -> io::Result<()> {
    let mut incoming = Incoming::new(socket, log)?;
    let serve = Rc::new(http_service(desk).await?);
    loop {
        let report = |error: &io::Error| {
            debug!(log, "cannot accept a monitoring connection; retrying"; "error" => %error);
        };
        let (stream, _) = incoming.next(report).await;
        let Ok(place) = places.take().await else { return Ok(()) };
        let (serve, log) = (Rc::clone(&serve), log.clone());
        actix_rt::spawn(async move {
            let serving =
                join(timeout(CONNECTION_TIMEOUT, serve(stream, &place)), sleep(MIN_CONNECTION_TIME));
            let served = select! {
                (served, ()) = serving => served,
                () = place.displaced() => {
                    debug!(log, "idle monitoring connection displaced by a newer one");
                    return;
                }
            };
            match served {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(log, "monitoring connection failed"; "error" => %error),
                Err(_late) => debug!(log, "monitoring connection timed out"),
            }
        });
    }
}

type Serve = Box<dyn Fn(TcpStream, &ConnectionSlot) -> LocalBoxFuture<'static, Result<(), DispatchError>>>;

/// Builds an HTTP service that answers one request per connection.
async fn http_service(desk: Rc<Desk>) -> io::Result<Serve> {
    let answer = move |request: Request| {
        let desk = Rc::clone(&desk);
        async move { Ok::<Response<BoxBody>, actix_http::Error>(desk.answer(request.head()).await) }
    };
    let factory = HttpService::build()
        .keep_alive(KeepAlive::Disabled)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(MIN_CONNECTION_TIME)
        .h1(fn_service(answer));
    let service = factory.new_service(()).await.map_err(|()| io::Error::other("cannot start HTTP"))?;
    Ok(Box::new(move |stream, place| {
        Box::pin(service.call((Turns::at_most(stream, 1).telling(place.asked()), None)))
    }))
}
