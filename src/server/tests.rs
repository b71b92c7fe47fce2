//! What only the inside can show: the death of a part, and sessions over something that is no socket.

use std::{future::Future, time::Duration};

use actix::{Handler, Message};
use slog::{Discard, Logger, o};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::unbounded_channel,
    time::timeout,
};

use super::{
    close::CloseReason,
    courier::Courier,
    health::Health,
    pair::{Pair, Pipe},
    registry::Registry,
    vigil::Notice,
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

#[test]
fn the_death_of_a_part_is_noticed() {
    for part in ["registry", "courier"] {
        in_system(async {
            let (notify, mut notices) = unbounded_channel();
            let pair = Pair::start(&Config::default(), &notify);
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
        let mut house = House::build(
            &InForce::new(Config::default()),
            &Directory::new(Accounts::default()),
            Ledger::in_memory(),
            Entrances { listeners: Vec::new(), media: None },
            &workers,
            Arc::default(),
            &log,
        );
        house.registry().do_send(Poison);
        let (_stop, stops) = unbounded_channel();
        let ended = house.until_closed(stops, &Health::default()).await;
        assert!(matches!(ended, Err(ServeError::Died("registry"))), "{ended:?}");
        for worker in workers {
            worker.stop();
            worker.join().unwrap();
        }
    });
}

impl Pipe {
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
        let pair = Pair::start(&Config::default(), &notify);
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
