//! A registry and a courier on one thread without sockets ([`Pair`]), and connections to them ([`Pipe`]), for tests
//! and fuzzing.

use std::{io, sync::Arc};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, dev::channel::channel};
use slog::{Discard, Logger, o};
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{Semaphore, mpsc::UnboundedSender},
};

pub use crate::server::common::exit_guard::SupervisorEvent;

use super::{
    messages::{ToCourier, ToRegistry},
    metrics::Metrics,
};
use crate::{
    accounts::{AccountsFile, Directory, Verifier},
    config::{Config, InForce},
    server::{
        admission::{address_limiter::SessionPermit, bans::Ledger},
        common::{exit_guard::ExitGuard, peer::Peer, session_ref::SessionId},
        courier::{Courier, NewConnection, WireFormat},
        net::connection::{ReceiveHalf, SendHalf, Unanswered},
        registry::{actor::Registry, streams::AudioHandle},
        session::actor::WorkerContext,
    },
};

/// A registry and one courier.
pub struct Pair {
    /// The registry.
    pub registry: Addr<Registry>,
    /// The courier.
    pub courier: Addr<Courier>,
    /// The counters of both.
    pub metrics: Arc<Metrics>,
}

impl Pair {
    /// Starts both actors on this thread. The receiver of `notify` learns when one dies.
    pub fn start(config: &Config, notify: &UnboundedSender<SupervisorEvent>) -> Self {
        Self::with(config, None, notify)
    }

    /// As [`Self::start`], with a relay for streams.
    pub fn with(
        config: &Config,
        audio_handle: Option<AudioHandle>,
        notify: &UnboundedSender<SupervisorEvent>,
    ) -> Self {
        let (config, log) = (InForce::new(config.clone()), Logger::root(Discard, o!()));
        let metrics = Arc::<Metrics>::default();
        let (sender, mailbox) = channel(16);
        let registry = Addr::new(sender);
        let courier = Courier::create(|ctx| {
            let worker = WorkerContext {
                registry: ToRegistry::from(registry.clone()),
                courier: ToCourier::from(ctx.address()),
                config: config.clone(),
                message_bytes: config.get().limits.message_bytes,
                accounts: Directory::new(AccountsFile::default()),
                verifier: Verifier::start(),
                metrics: Arc::clone(&metrics),
                log: log.clone(),
            };
            let exit_guard = ExitGuard::new("courier", notify.clone());
            // No connection asks for the page here.
            let (admissions, _) = tokio::sync::mpsc::unbounded_channel();
            Courier::new(0, worker, registry.clone().recipient(), admissions, None, exit_guard)
        });
        let exit_guard = ExitGuard::new("registry", notify.clone());
        let actor = Registry::new(
            vec![courier.clone()],
            config.view(),
            Ledger::in_memory(),
            audio_handle,
            Arc::clone(&metrics),
            log,
            exit_guard,
        );
        Context::with_receiver(mailbox).run(actor);
        Self { registry, courier, metrics }
    }
}

/// Tells a courier to serve one end of an in-memory pipe.
#[derive(Message)]
#[rtype(result = "()")]
struct StartSession(DuplexStream, SessionId, WireFormat);

impl ReceiveHalf for ReadHalf<DuplexStream> {}

impl SendHalf for WriteHalf<DuplexStream> {
    fn begin_probe(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_probe(&self) -> Unanswered {
        Box::new(|| false)
    }
}

impl Handler<StartSession> for Courier {
    type Result = ();

    fn handle(&mut self, StartSession(stream, id, format): StartSession, _: &mut Self::Context) {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a permit of its own");
        let new_connection =
            NewConnection { id, peer: Peer::elsewhere(), permit: SessionPermit::with_place(place, None) };
        self.start_session(split(stream), new_connection, format);
    }
}

/// The client's end of an in-memory connection.
pub struct Pipe {
    /// The output of the server.
    pub reader: ReadHalf<DuplexStream>,
    /// The input of the server.
    pub writer: WriteHalf<DuplexStream>,
}

impl Pipe {
    /// Opens a connection that buffers `room` bytes each way.
    pub fn to(courier: &Addr<Courier>, id: u64, room: usize) -> Self {
        Self::with_format(WireFormat::Lines { certified: None }, courier, id, room)
    }

    /// Opens a connection with the given framing.
    pub fn with_format(format: WireFormat, courier: &Addr<Courier>, id: u64, room: usize) -> Self {
        let (ours, theirs) = duplex(room);
        courier.do_send(StartSession(theirs, SessionId(id), format));
        let (reader, writer) = split(ours);
        Self { reader, writer }
    }
}
