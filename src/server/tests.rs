//! Tests that need the server's internals: the death of a part, and sessions over streams that are not sockets.

use std::{future::Future, sync::atomic::Ordering, time::Duration};

use actix::{Handler, Message};
use bytes::BytesMut;
use slog::{Discard, Logger, o};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::unbounded_channel,
    time::{Instant, timeout},
};

use super::{
    pair::{Pair, Pipe},
    *,
};
use crate::server::{
    common::{close::CloseReason, exit_guard::SupervisorEvent, health::Health},
    courier::{Courier, WireFormat},
    registry::actor::Registry,
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
            let (notify, mut events) = unbounded_channel();
            let pair = Pair::start(&Config::default(), &notify);
            // An actor's panic ends its task, not the thread.
            if part == "registry" {
                pair.registry.do_send(Poison);
            } else {
                pair.courier.do_send(Poison);
            }
            let event = events.recv().await;
            assert!(matches!(event, Some(SupervisorEvent::Gone(gone)) if gone == part), "{event:?}");
        });
    }
}

#[test]
fn the_death_of_the_registry_ends_the_server_with_an_error() {
    in_system(async {
        let workers = vec![Arbiter::new()];
        let log = Logger::root(Discard, o!());
        let mut supervisor = Supervisor::build(
            &InForce::new(Config::default()),
            &Directory::new(crate::accounts::AccountsFile::default()),
            Ledger::in_memory(),
            Sockets { listeners: Vec::new(), media: None },
            &workers,
            Arc::default(),
            &log,
        )
        .unwrap();
        supervisor.registry().do_send(Poison);
        let (_stop, stops) = unbounded_channel();
        let ended = supervisor.until_closed(stops, &Health::default()).await;
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
        let (notify, _events) = unbounded_channel();
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
        assert_eq!((pair.metrics.joined(), pair.metrics.ended(CloseReason::Exit)), (2, 1));
    });
}

impl Pipe {
    /// Sends a WebSocket frame. Its mask is zero, which changes nothing.
    async fn send_frame(&mut self, first: u8, payload: &str) {
        let length = 0x80 | u8::try_from(payload.len()).unwrap();
        let frame = [&[first, length, 0, 0, 0, 0], payload.as_bytes()].concat();
        self.writer.write_all(&frame).await.unwrap();
    }

    async fn expect_frame(&mut self, first: u8, payload: &[u8]) {
        let mut got = vec![0; 2 + payload.len()];
        self.reader.read_exact(&mut got).await.unwrap();
        let length = u8::try_from(payload.len()).unwrap();
        assert_eq!(
            got.escape_ascii().to_string(),
            [&[first, length], payload].concat().escape_ascii().to_string()
        );
    }
}

/// Returns a session that has joined, over a pipe that holds `room` bytes.
async fn join(pair: &Pair, id: u64, name: &str, room: usize) -> Pipe {
    let mut pipe = Pipe::to(&pair.courier, id, room);
    pipe.send(&format!("{name}\n")).await;
    let confirmation = "connection_confirmation | You are now connected to the server";
    pipe.expect(&format!("server | {name} | {confirmation}\n")).await;
    pipe
}

#[test]
fn sessions_that_leave_do_not_end_a_wait_of_broadcasts() {
    const MIB: usize = 1024 * 1024;
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        let mut config = Config::default();
        (config.flood.message_rate, config.flood.byte_rate) = (0, 0);
        config.limits.outbox_bytes = 64 * 1024;
        config.limits.slow_reader_grace = Duration::from_mins(10);
        config.limits.slow_reader_wait = Duration::from_millis(200);
        let (notify, _events) = unbounded_channel();
        let pair = Pair::start(&config, &notify);
        let _victim = join(&pair, 1, "victim", 1024).await;
        let mut sender = join(&pair, 2, "sender", MIB).await;
        let mut feeder = join(&pair, 3, "feeder", MIB).await;
        let mut hearer = join(&pair, 4, "hearer", MIB).await;
        let mut leavers = Vec::new();
        for id in 10..20 {
            leavers.push(join(&pair, id, &format!("leaver{id}"), 1024).await);
            // Fills more than half of the leaver's outbox.
            let text = "x".repeat(900);
            feeder.send(&format!("/msg leaver{id} {text}\n").repeat(40)).await;
        }
        let text = "x".repeat(900);
        let progress = format!("sender | all clients | broadcast_not_me | {text}\n").repeat(4);
        sender.send(&format!("/others {text}\n").repeat(4)).await;
        hearer.expect(&progress).await;
        feeder.send(&format!("/msg victim {text}\n").repeat(100)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        sender.send("/others hi\n").await;
        for leaver in &mut leavers {
            tokio::time::sleep(Duration::from_millis(40)).await;
            leaver.send("/exit\n").await;
        }
        assert_eq!(pair.metrics.ended(CloseReason::SlowReader), 1);
        hearer.expect("sender | all clients | broadcast_not_me | hi\n").await;
    });
}

#[test]
fn what_is_queued_for_sessions_that_have_left_costs_no_other_session_its_place() {
    const MIB: usize = 1024 * 1024;
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        let mut config = Config::default();
        (config.flood.message_rate, config.flood.byte_rate) = (0, 0);
        config.limits.outboxes_bytes = MIB;
        config.limits.slow_reader_grace = Duration::from_mins(10);
        let (notify, _events) = unbounded_channel();
        let pair = Pair::start(&config, &notify);
        let memory = || pair.metrics.outboxes_bytes().load(Ordering::Relaxed);
        let settle = || tokio::time::sleep(Duration::from_millis(1));
        let mut phone = join(&pair, 1, "phone", 1024).await;
        let mut feeder = join(&pair, 2, "feeder", MIB).await;
        let text = "x".repeat(900);
        for id in 10..12 {
            let mut leaver = join(&pair, id, &format!("leaver{id}"), 1024).await;
            feeder.send(&format!("/msg leaver{id} {text}\n").repeat(400)).await;
            settle().await;
            leaver.send("/exit\n").await;
            settle().await;
            // The client's end stays open and reads nothing.
            std::mem::forget(leaver);
        }
        assert!(memory() > 700_000, "{}", memory());
        feeder.send(&format!("/msg phone {text}\n").repeat(350)).await;
        settle().await;
        assert!(memory() < 400_000, "{}", memory());
        for _ in 0..350 {
            phone.expect(&format!("feeder | phone | private_message | {text}\n")).await;
        }
        assert_eq!(pair.metrics.ended(CloseReason::OutboxFull), 0);
    });
}

#[test]
fn outboxes_that_fill_right_after_others_were_freed_are_freed_as_well() {
    const MIB: usize = 1024 * 1024;
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        let mut config = Config::default();
        (config.flood.message_rate, config.flood.byte_rate) = (0, 0);
        config.limits.outboxes_bytes = MIB;
        config.limits.slow_reader_grace = Duration::from_mins(10);
        let (notify, _events) = unbounded_channel();
        let pair = Pair::start(&config, &notify);
        let memory = || usize::try_from(pair.metrics.outboxes_bytes().load(Ordering::Relaxed)).unwrap();
        let ended = || pair.metrics.ended(CloseReason::OutboxFull);
        let mut feeder = join(&pair, 1, "feeder", MIB).await;
        let mut slow = Vec::new();
        for id in 10..13 {
            slow.push(join(&pair, id, &format!("slow{id}"), 1024).await);
        }
        let text = "x".repeat(900);
        for id in 10..13 {
            feeder.send(&format!("/msg slow{id} {text}\n").repeat(700)).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(ended() == 1 && memory() > MIB, "{} of {}", ended(), memory());
        // Nothing more is sent.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(ended() == 2 && memory() <= MIB, "{} of {}", ended(), memory());
    });
}

#[test]
fn a_websocket_that_answers_no_ping_is_ended_after_two_and_its_name_is_free() {
    const TEXT: u8 = 0x81;
    const CLOSE: u8 = 0x88;
    const PING: u8 = 0x89;
    const PONG: u8 = 0x8a;
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        let (notify, _events) = unbounded_channel();
        let pair = Pair::start(&Config::default(), &notify);
        let websocket = WireFormat::WebSocket { read: BytesMut::new() };
        let mut alan = Pipe::with_format(websocket, &pair.courier, 1, 1024);
        alan.send_frame(TEXT, "alan").await;
        let confirmation = b"server | alan | connection_confirmation | You are now connected to the server";
        alan.expect_frame(TEXT, confirmation).await;
        for _ in 0..5 {
            alan.expect_frame(PING, b"").await;
            alan.send_frame(PONG, "").await;
        }
        let answered = Instant::now();
        alan.expect_frame(PING, b"").await;
        alan.expect_frame(PING, b"").await;
        // 1011: internal error (RFC 6455, section 7.4.1).
        alan.expect_frame(CLOSE, &1011_u16.to_be_bytes()).await;
        assert_eq!(answered.elapsed().as_secs(), 90);
        assert_eq!(pair.metrics.ended(CloseReason::Broken), 1);
        let mut next = Pipe::to(&pair.courier, 2, 1024);
        next.send("alan\n").await;
        next.expect("server | alan | connection_confirmation | You are now connected to the server\n").await;
    });
}
