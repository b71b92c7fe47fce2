//! Monitoring: what the server tells those who watch over it, by HTTP at addresses of its own.
//!
//! It has a thread of its own: figures are gathered and written out beside the messages, not between them, and it still
//! answers when a worker does not, or while the server ends. What it may take of a core is bounded by how many connections
//! it serves at a time, and for how long it keeps each one's place: past that, newcomers wait with the kernel, or take the
//! place of someone who asks nothing.

use std::{
    io,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_http::{HttpService, KeepAlive, Request, Response, body::BoxBody};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_service::{Service, ServiceFactory, fn_service};
use futures_util::future::{LocalBoxFuture, join};
use slog::{Logger, debug, error};
use tokio::{
    net::TcpStream,
    select,
    time::{sleep, timeout},
};

use super::{health::Health, http::turns::Turns, tally::Tally};
use crate::config::InForce;

mod answers;
mod exposition;
mod figures;
mod json;
mod places;
mod process;
mod roll_call;

use answers::Desk;
use places::{Place, Places};

/// Connections that are served at a time.
pub const MOST: usize = 16;

/// How long each has its place at the least. With [`MOST`], this makes 160 answers a second the most there can be.
const LEAST: Duration = Duration::from_millis(100);

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(3);

/// How long a connection may take in all. An answer is some 20 KiB, which any socket takes at once.
const VISIT: Duration = Duration::from_secs(5);

/// Rest after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What is watched.
#[derive(Clone)]
pub struct Watched {
    /// What is counted.
    pub tally: Arc<Tally>,
    /// How far the server is.
    pub health: Health,
    /// Its workers, which are asked whether they still answer.
    pub workers: Vec<ArbiterHandle>,
    /// What is in force.
    pub config: InForce,
    /// When the server started.
    pub since: SystemTime,
    /// The server's log.
    pub log: Logger,
}

/// Answers at these addresses until the thread that this gives is stopped. Without an address there is none.
///
/// # Errors
/// If the system has no thread for it.
pub fn start(sockets: Vec<TcpListener>, watched: Watched) -> io::Result<Option<Arbiter>> {
    if sockets.is_empty() {
        return Ok(None);
    }
    let arbiter = Arbiter::try_new()?;
    arbiter.spawn_fn(move || {
        let log = watched.log.clone();
        let desk = Rc::new(Desk::new(watched));
        let places = Places::new();
        for socket in sockets {
            let (desk, places, log) = (Rc::clone(&desk), Rc::clone(&places), log.clone());
            actix_rt::spawn(async move {
                if let Err(error) = accept_all(socket, desk, places, &log).await {
                    error!(log, "monitoring does not answer"; "error" => %error);
                }
            });
        }
    });
    Ok(Some(arbiter))
}

/// Answers those who connect here, each once.
async fn accept_all(socket: TcpListener, desk: Rc<Desk>, places: Rc<Places>, log: &Logger) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let serve = Rc::new(build(desk).await?);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(log, "cannot accept a connection for monitoring"; "error" => %error);
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.take().await else { return Ok(()) };
        let (serve, log) = (Rc::clone(&serve), log.clone());
        actix_rt::spawn(async move {
            let serving = join(timeout(VISIT, serve(stream, &place)), sleep(LEAST));
            let served = select! {
                (served, ()) = serving => served,
                () = place.displaced() => {
                    debug!(log, "a connection for monitoring asked nothing and gave way to another");
                    return;
                }
            };
            match served {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(log, "monitoring was not asked in HTTP"; "error" => error),
                Err(_late) => debug!(log, "a connection for monitoring took too long and was cut"),
            }
        });
    }
}

type Serve = Box<dyn Fn(TcpStream, &Place) -> LocalBoxFuture<'static, Result<(), String>>>;

/// HTTP for one request a connection.
async fn build(desk: Rc<Desk>) -> io::Result<Serve> {
    let answer = move |request: Request| {
        let desk = Rc::clone(&desk);
        async move { Ok::<Response<BoxBody>, actix_http::Error>(desk.answer(request.head()).await) }
    };
    let factory = HttpService::build()
        .keep_alive(KeepAlive::Disabled)
        .client_request_timeout(HEAD)
        .client_disconnect_timeout(LEAST)
        .h1(fn_service(answer));
    let service = factory.new_service(()).await.map_err(|()| io::Error::other("cannot start HTTP"))?;
    Ok(Box::new(move |stream, place| {
        let served = service.call((Turns::at_most(stream, 1).telling(place.asked()), None));
        Box::pin(async move { served.await.map_err(|error| error.to_string()) })
    }))
}
