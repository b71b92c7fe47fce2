//! [`Supervisor`]: starts the actors, watches for their death, and ends the server in order.

use std::{
    rc::Rc,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext, Context, dev::channel::channel};
use actix_rt::{Arbiter, ArbiterHandle};
use slog::{Logger, error, warn};
use tokio::{
    sync::{
        AcquireError, Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::{Directory, Verifier},
    config::InForce,
    server::{
        accept::acceptor::{Acceptor, Limiters, Listener, MAX_HTTP_FILES, MAX_REFUSALS},
        admission::{address_limiter::AdmissionRequest, bans::Ledger, trial::MAX_TRIALS},
        audio::{self, Audio, RelayParams},
        cluster,
        common::{
            exit_guard::{ExitGuard, SupervisorEvent},
            health::{Health, ServerPhase},
            listener_protocol::ListenerProtocol,
        },
        courier::Courier,
        http::stream::HttpAudio,
        messages::{CloseServer, ToCourier, ToRegistry},
        metrics::Metrics,
        net::systemd,
        registry::{
            actor::Registry,
            streams::{AudioHandle, advertised_addresses::AdvertisedAddresses},
        },
        serve_error::ServeError,
        session::actor::WorkerContext,
    },
};

/// Capacity of the Registry's mailbox, which bounds nothing: `do_send` ignores it. Sessions bound their work in bytes
/// before they send it.
const MAILBOX_CAPACITY: usize = 16;

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every session was sent `server closed`, and had up to `server.drain_timeout` to take queued data.
    Closed,
    /// A second signal ended the server at once.
    Forced,
}

/// The sockets that connections arrive at.
pub struct Sockets {
    /// For TR2.23 and the page.
    pub listeners: Vec<Listener>,
    /// For audio; `None` if audio is off.
    pub media: Option<RelayParams>,
}

/// Time that the server waits beyond the couriers' deadline, so that sessions still log the data that they discard.
const DRAIN_SLACK: Duration = Duration::from_millis(200);

/// The running parts, as the server's own task sees them.
pub struct Supervisor {
    registry: Addr<Registry>,
    audio: Option<Audio>,
    events: UnboundedReceiver<SupervisorEvent>,
    /// A permit for each of `limits.max_sessions`.
    places: Arc<Semaphore>,
    /// A permit for each connection that may be on trial for one of these places.
    trials: Arc<Semaphore>,
    max_sessions: u32,
    config: InForce,
    /// Number of listeners that have not ended.
    listeners: usize,
    /// Until clients are let in.
    door: Option<Door>,
    /// Cancelled to stop accepting.
    listening: CancellationToken,
    log: Logger,
}

/// The listeners before they are started.
struct Door {
    listeners: Vec<Listener>,
    acceptor: Acceptor,
    wanted: UnboundedReceiver<AdmissionRequest>,
    worker: ArbiterHandle,
    notify: UnboundedSender<SupervisorEvent>,
}

impl Supervisor {
    /// Starts a courier on each worker, and the Registry and the listeners on the first one. With one worker, no
    /// message changes threads. As a node of a cluster, the server starts its listeners once the node serves.
    ///
    /// # Errors
    /// If the thread of the cluster's log cannot be started.
    pub fn build(
        config: &InForce,
        accounts: &Directory,
        ledger: Ledger,
        sockets: Sockets,
        workers: &[Arbiter],
        metrics: Arc<Metrics>,
        log: &Logger,
    ) -> Result<Self, ServeError> {
        let Sockets { listeners, media } = sockets;
        let (notify, events) = unbounded_channel();
        let barrier = ledger.barrier();
        let verifier = Verifier::start();
        let (sender, mailbox) = channel(MAILBOX_CAPACITY);
        let registry = Addr::new(sender);
        let audio = media.map(|relay_params| {
            let to = audio::RelayToRegistry::from(registry.clone());
            audio::start(
                relay_params,
                to,
                barrier.clone(),
                config,
                metrics.audio(),
                ExitGuard::new("relay", notify.clone()),
                log,
            )
        });
        let http_audio = audio.as_ref().map(|audio| HttpAudio::new(audio.subscribe.clone()));
        let (admissions, wanted) = unbounded_channel();
        let couriers: Vec<Addr<Courier>> = (0..)
            .zip(workers)
            .map(|(number, worker)| {
                let (registry, backpressure) =
                    (ToRegistry::from(registry.clone()), registry.clone().recipient());
                let config = config.clone();
                let message_bytes = config.get().limits.message_bytes;
                let (metrics, log) = (Arc::clone(&metrics), log.clone());
                let (accounts, verifier) = (accounts.clone(), verifier.clone());
                let exit_guard = ExitGuard::new("courier", notify.clone());
                let (admissions, http_audio) = (admissions.clone(), http_audio.clone());
                Courier::start_in_arbiter(&worker.handle(), move |ctx| {
                    let courier = ToCourier::from(ctx.address());
                    let worker = WorkerContext {
                        registry,
                        courier,
                        config,
                        accounts,
                        verifier,
                        message_bytes,
                        metrics,
                        log,
                    };
                    Courier::new(number, worker, backpressure, admissions, http_audio, exit_guard)
                })
            })
            .collect();
        let exit_guard = ExitGuard::new("registry", notify.clone());
        let audio_handle = audio.as_ref().map(|audio| AudioHandle {
            relay: audio.relay.clone(),
            addresses: advertised_addresses(audio, &listeners),
        });
        let actor = Registry::new(
            couriers.clone(),
            config.view(),
            ledger,
            audio_handle,
            Arc::clone(&metrics),
            log.clone(),
            exit_guard,
        );
        let actor = cluster::join(actor, registry.clone(), &config.get(), log)?;
        workers[0].spawn_fn(move || {
            Context::with_receiver(mailbox).run(actor);
        });
        let listening = CancellationToken::new();
        let limits = &config.get().limits;
        let places = Arc::new(Semaphore::new(limits.max_sessions));
        let trials = Arc::new(Semaphore::new(MAX_TRIALS));
        let acceptor = Acceptor {
            couriers,
            barrier,
            places: Arc::clone(&places),
            trials: Arc::clone(&trials),
            accounts: accounts.clone(),
            pages: Arc::new(Semaphore::new(MAX_HTTP_FILES)),
            max_sessions: limits.max_sessions,
            stop: listening.clone(),
            message_bytes: limits.message_bytes,
            config: config.clone(),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            numbers: Arc::<AtomicU64>::default(),
            metrics,
            log: log.clone(),
        };
        let door = Door { listeners, acceptor, wanted, worker: workers[0].handle(), notify: notify.clone() };
        Ok(Self {
            registry,
            audio,
            events,
            places,
            trials,
            max_sessions: u32::try_from(limits.max_sessions).unwrap_or(u32::MAX),
            config: config.clone(),
            listeners: 0,
            door: Some(door),
            listening,
            log: log.clone(),
        })
    }

    /// Waits for the end of the server: a signal or a close request stops accepting and sends `CloseServer`; then the
    /// last session is gone or the deadline passes.
    ///
    /// # Errors
    /// If a part of the server dies before.
    pub async fn until_closed(
        &mut self,
        mut stops: UnboundedReceiver<String>,
        health: &Health,
    ) -> Result<Ended, ServeError> {
        let is_alone = self.config.get().cluster.servers.is_empty();
        if let Some(door) = self.door.take_if(|_| is_alone) {
            self.listeners = door.open(health, &self.log);
        }
        let mut deadline: Option<Instant> = None;
        let (mut stopped, mut closing) = (false, false);
        loop {
            let everyone_left = async {
                let trials = u32::try_from(MAX_TRIALS).unwrap_or(u32::MAX);
                let on_trial = self.trials.acquire_many(trials).await?;
                Ok::<_, AcquireError>((on_trial, self.places.acquire_many(self.max_sessions).await?))
            };
            tokio::select! {
                Some(by) = stops.recv() => {
                    if std::mem::replace(&mut stopped, true) {
                        warn!(self.log, "exiting at once"; "by" => by);
                        return Ok(Ended::Forced);
                    }
                    self.door = None;
                    self.begin_end(&mut deadline, health);
                    self.registry.do_send(CloseServer { by });
                }
                Some(event) = self.events.recv() => match event {
                    SupervisorEvent::Closing => {
                        closing = true;
                        self.begin_end(&mut deadline, health);
                    }
                    SupervisorEvent::CutOff => health.set_cut_off(true),
                    SupervisorEvent::Serving => {
                        health.set_cut_off(false);
                        if let Some(door) = self.door.take() {
                            self.listeners = door.open(health, &self.log);
                        }
                    }
                    SupervisorEvent::Refused(why) => return Err(ServeError::Cluster(why)),
                    // A cancelled listener ends once it has taken the connections that wait to be accepted.
                    SupervisorEvent::Gone("listener") if self.listening.is_cancelled() => self.listeners -= 1,
                    SupervisorEvent::Gone(part) => {
                        health.reach(ServerPhase::Died);
                        error!(self.log, "a part of the server died"; "part" => part);
                        return Err(ServeError::Died(part));
                    }
                },
                Ok(_all) = everyone_left, if closing && self.listeners == 0 => return Ok(Ended::Closed),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    let left = self.max_sessions as usize - self.places.available_permits();
                    warn!(self.log, "drain timeout: disconnecting the remaining sessions"; "sessions" => left);
                    return Ok(Ended::Closed);
                }
            }
        }
    }

    /// Stops accepting, and sets the deadline for the remaining sessions. Runs once.
    fn begin_end(&self, deadline: &mut Option<Instant>, health: &Health) {
        if self.listening.is_cancelled() {
            return;
        }
        health.reach(ServerPhase::Draining);
        let drain_timeout = self.config.get().server.drain_timeout;
        systemd::stopping(drain_timeout, &self.log);
        self.listening.cancel();
        if let Some(audio) = &self.audio {
            audio.close.do_send(CloseServer { by: String::new() });
        }
        deadline.get_or_insert(Instant::now() + drain_timeout + DRAIN_SLACK);
    }

    #[cfg(test)]
    pub fn registry(&self) -> &Addr<Registry> {
        &self.registry
    }
}

/// The addresses at which clients reach streams.
fn advertised_addresses(audio: &Audio, listeners: &[Listener]) -> AdvertisedAddresses {
    let of_page = |is_secure: bool| {
        listeners
            .iter()
            .filter(|listener| {
                listener.protocol == ListenerProtocol::Http && listener.credentials.is_some() == is_secure
            })
            .filter_map(|listener| listener.socket.local_addr().ok())
            .collect()
    };
    AdvertisedAddresses {
        rtsp: audio.addresses.to_vec(),
        rtsps: audio.secure_addresses.to_vec(),
        http: of_page(false),
        https: of_page(true),
    }
}

impl Door {
    /// Starts the listeners, and tells that the server serves. Returns the number of listeners.
    fn open(self, health: &Health, log: &Logger) -> usize {
        let Self { listeners, acceptor, wanted, worker, notify } = self;
        let listener_count = listeners.len();
        let watched: Vec<_> = listeners
            .into_iter()
            .map(|listener| (listener, acceptor.clone(), ExitGuard::new("listener", notify.clone())))
            .collect();
        worker.spawn_fn(move || {
            let limiters = Rc::new(Limiters::new(Instant::now()));
            actix_rt::spawn(acceptor.admit_all(wanted, Rc::clone(&limiters)));
            for (listener, acceptor, exit_guard) in watched {
                let limiters = Rc::clone(&limiters);
                actix_rt::spawn(async move {
                    let _exit_guard = exit_guard;
                    let log = acceptor.log.clone();
                    if let Err(error) = acceptor.accept_all(listener, limiters).await {
                        error!(log, "cannot listen"; "error" => %error);
                    }
                });
            }
        });
        health.reach(ServerPhase::Serving);
        systemd::ready(log);
        listener_count
    }
}
