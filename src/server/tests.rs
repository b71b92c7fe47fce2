//! What only the inside can show: the death of a part, and sessions over something that is no socket.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, dev::channel::channel};
use slog::{Discard, Logger, o};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{Semaphore, mpsc::UnboundedSender, mpsc::unbounded_channel},
    time::timeout,
};

use super::{
    close::{CloseReason, Tally},
    connection::{SendHalf, Unanswered},
    courier::Courier,
    messages::{ToCourier, ToRegistry},
    registry::Registry,
    seat::SessionId,
    session::Surroundings,
    vigil::{Notice, Vigil},
    who::Peer,
    *,
};

const DEADLINE: Duration = Duration::from_secs(20);

fn in_system<T>(run: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(async { timeout(DEADLINE, run).await.expect("an end in time") })
}

/// Makes an actor die as a bug would.
#[derive(Message)]
#[rtype(result = "()")]
struct Poison;

impl Handler<Poison> for Registry {
    type Result = ();

    fn handle(&mut self, _: Poison, _: &mut Self::Context) {
        panic!("poisoned by a test");
    }
}

impl Handler<Poison> for Courier {
    type Result = ();

    fn handle(&mut self, _: Poison, _: &mut Self::Context) {
        panic!("poisoned by a test");
    }
}

/// Both actors on this thread.
struct Pair {
    registry: Addr<Registry>,
    courier: Addr<Courier>,
    tally: Arc<Tally>,
}

impl Pair {
    fn start(notify: &UnboundedSender<Notice>) -> Self {
        let (config, log) = (InForce::new(Config::default()), Logger::root(Discard, o!()));
        let tally = Arc::<Tally>::default();
        let (sender, mailbox) = channel(16);
        let registry = Addr::new(sender);
        let courier = Courier::create(|ctx| {
            let surroundings = Surroundings {
                registry: ToRegistry::from(registry.clone()),
                courier: ToCourier::from(ctx.address()),
                config: config.clone(),
                message_bytes: config.get().limits.message_bytes,
                tally: Arc::clone(&tally),
                log: log.clone(),
            };
            Courier::new(0, surroundings, registry.clone().recipient(), Vigil::new("courier", notify.clone()))
        });
        let vigil = Vigil::new("registry", notify.clone());
        let actor = Registry::new(vec![courier.clone()], config.view(), Arc::clone(&tally), log, vigil);
        Context::with_receiver(mailbox).run(actor);
        Self { registry, courier, tally }
    }
}

#[test]
fn the_death_of_a_part_is_noticed() {
    for part in ["registry", "courier"] {
        in_system(async {
            let (notify, mut notices) = unbounded_channel();
            let pair = Pair::start(&notify);
            // An actor's panic ends its task, not the thread.
            if part == "registry" {
                pair.registry.do_send(Poison);
            } else {
                pair.courier.do_send(Poison);
            }
            let notice = notices.recv().await;
            assert!(matches!(notice, Some(Notice::Gone(gone)) if gone == part), "{notice:?}");
        });
    }
}

#[test]
fn the_death_of_the_registry_ends_the_server_with_an_error() {
    in_system(async {
        let workers = vec![Arbiter::new()];
        let log = Logger::root(Discard, o!());
        let mut house = House::build(&InForce::new(Config::default()), Vec::new(), &workers, &log);
        house.registry().do_send(Poison);
        let (_stop, stops) = unbounded_channel();
        let ended = house.until_closed(stops).await;
        assert!(matches!(ended, Err(ServeError::Died("registry"))), "{ended:?}");
        for worker in workers {
            worker.stop();
            worker.join().unwrap();
        }
    });
}

/// A connection that is a pipe within the program.
#[derive(Message)]
#[rtype(result = "()")]
struct TakeIn(DuplexStream, SessionId);

impl SendHalf for WriteHalf<DuplexStream> {
    fn begin_probe(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_probe(&self) -> Unanswered {
        Box::new(|| false)
    }
}

impl Handler<TakeIn> for Courier {
    type Result = ();

    fn handle(&mut self, TakeIn(stream, id): TakeIn, _: &mut Self::Context) {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        self.take_in(split(stream), Peer::elsewhere(), id, permit);
    }
}

struct Pipe {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
}

impl Pipe {
    /// A connection of this many bytes' room each way.
    fn to(courier: &Addr<Courier>, id: u64, room: usize) -> Self {
        let (ours, theirs) = duplex(room);
        courier.do_send(TakeIn(theirs, SessionId(id)));
        let (reader, writer) = split(ours);
        Self { reader, writer }
    }

    async fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }

    async fn expect(&mut self, text: &str) {
        let mut got = vec![0; text.len()];
        self.reader.read_exact(&mut got).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), text);
    }
}

#[test]
fn sessions_run_over_any_stream_however_narrow() {
    in_system(async {
        let (notify, _notices) = unbounded_channel();
        let pair = Pair::start(&notify);
        let mut alan = Pipe::to(&pair.courier, 1, 8);
        alan.send("alan\n").await;
        alan.expect("server | alan | connection_confirmation | You are now connected to the server\n").await;
        let mut bob = Pipe::to(&pair.courier, 2, 8);
        bob.send("bob\n").await;
        bob.expect("server | bob | connection_confirmation | You are now connected to the server\n").await;
        alan.send("/all hi\n/exit\n").await;
        alan.expect("alan | all clients | broadcast | hi\nserver | alan | exit | client disconnected\n")
            .await;
        bob.expect("alan | all clients | broadcast | hi\n").await;
        assert_eq!(alan.reader.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        assert_eq!((pair.tally.joined(), pair.tally.ended(CloseReason::Exit)), (2, 1));
    });
}
