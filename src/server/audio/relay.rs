//! [`Relay`]: the actor that opens and closes streams.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, SystemTime},
};

use actix::{Actor, AsyncContext, Context, Handler};
use slog::{Logger, error};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    RelayContext, RtspListener,
    messages::{AdmitListener, OpenStream, ShutStream},
    server::{RtspServer, Settle},
    shares::Caller,
    streams::{RelayStreams, SharedStreams},
};
use crate::server::{common::exit_guard::ExitGuard, http::subscribe::Subscribe, messages::CloseServer};

/// Interval at which silent publishers and listeners are found, and due reports are sent.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// The actor. It shares the streams with the tasks of its thread, which read and write.
pub struct Relay {
    streams: SharedStreams,
    listeners: Vec<RtspListener>,
    /// Cancelled when the server closes.
    close: CancellationToken,
    log: Logger,
    _exit_guard: ExitGuard,
}

impl Relay {
    /// A relay that will listen on these sockets and report to the registry.
    pub fn new(
        listeners: Vec<RtspListener>,
        context: RelayContext,
        exit_guard: ExitGuard,
        log: Logger,
    ) -> Self {
        let streams = RelayStreams::new(context, log.clone());
        Self {
            streams: Rc::new(RefCell::new(streams)),
            listeners,
            close: CancellationToken::new(),
            log,
            _exit_guard: exit_guard,
        }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK_INTERVAL, |relay, _| {
            relay.streams.borrow_mut().tick(Instant::now(), SystemTime::now());
        });
        let server = RtspServer {
            streams: Rc::clone(&self.streams),
            close: self.close.clone(),
            limiter: Rc::default(),
            relay: ctx.address().recipient(),
            log: self.log.clone(),
        };
        for listener in self.listeners.drain(..) {
            let server = server.clone();
            actix_rt::spawn(async move {
                let log = server.log.clone();
                if let Err(error) = server.accept_all(listener).await {
                    error!(log, "cannot listen for audio"; "error" => %error);
                }
            });
        }
    }
}

impl Handler<Settle> for Relay {
    type Result = ();

    fn handle(&mut self, _: Settle, _: &mut Context<Self>) {}
}

impl Handler<OpenStream> for Relay {
    type Result = ();

    fn handle(&mut self, open: OpenStream, _: &mut Context<Self>) {
        self.streams.borrow_mut().open(open);
    }
}

impl Handler<AdmitListener> for Relay {
    type Result = ();

    fn handle(&mut self, AdmitListener { stream, key }: AdmitListener, _: &mut Context<Self>) {
        self.streams.borrow_mut().admit(stream, key);
    }
}

impl Handler<ShutStream> for Relay {
    type Result = ();

    fn handle(&mut self, ShutStream { stream }: ShutStream, _: &mut Context<Self>) {
        self.streams.borrow_mut().shut(stream);
    }
}

impl Handler<Subscribe> for Relay {
    type Result = ();

    fn handle(&mut self, Subscribe { stream, key, from, answer }: Subscribe, _: &mut Context<Self>) {
        let caller = Caller { ip: from.ip(), is_on_this_machine: from.is_on_this_machine() };
        // The requesting task may have ended.
        let _ = answer.send(self.streams.borrow_mut().subscribe(stream, &key, caller));
    }
}

impl Handler<CloseServer> for Relay {
    type Result = ();

    fn handle(&mut self, _: CloseServer, _: &mut Context<Self>) {
        self.streams.borrow_mut().close();
        self.close.cancel();
    }
}
