//! Tests with a relay that only records what it receives.

use std::{future::Future, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler};
use arauto_rtsp::{Key, StreamId};
use tokio::{
    io::DuplexStream,
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::*;
use crate::{
    config::Config,
    server::{
        audio::messages::{AdmitListener, OpenStream, ShutStream},
        common::stream_stats::{StreamEnd, StreamStats},
        messages::{StreamBegan, StreamEnded},
        pair::{Pair, Pipe, SupervisorEvent},
        registry::actor::Registry,
    },
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A message that the relay received.
#[derive(Debug)]
enum Told {
    Open(OpenStream),
    Admit(StreamId, Key),
    Shut(StreamId),
}

struct FakeRelay(UnboundedSender<Told>);

impl Actor for FakeRelay {
    type Context = Context<Self>;
}

impl Handler<OpenStream> for FakeRelay {
    type Result = ();

    fn handle(&mut self, open: OpenStream, _: &mut Context<Self>) {
        self.0.send(Told::Open(open)).unwrap();
    }
}

impl Handler<AdmitListener> for FakeRelay {
    type Result = ();

    fn handle(&mut self, AdmitListener { stream, key }: AdmitListener, _: &mut Context<Self>) {
        self.0.send(Told::Admit(stream, key)).unwrap();
    }
}

impl Handler<ShutStream> for FakeRelay {
    type Result = ();

    fn handle(&mut self, ShutStream { stream }: ShutStream, _: &mut Context<Self>) {
        self.0.send(Told::Shut(stream)).unwrap();
    }
}

/// A registry and a courier, a fake relay, and the number of users that joined.
struct World {
    pair: Pair,
    told: UnboundedReceiver<Told>,
    joined: u64,
    _events: UnboundedReceiver<SupervisorEvent>,
}

struct User {
    name: &'static str,
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: tokio::io::WriteHalf<DuplexStream>,
}

impl World {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::listening_at("0.0.0.0:1554", change)
    }

    fn listening_at(rtsp: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let (tell, told) = unbounded_channel();
        let relay = FakeRelay(tell).start();
        let relay = ToRelay {
            open: relay.clone().recipient(),
            admit: relay.clone().recipient(),
            shut: relay.recipient(),
        };
        // The address at which users of a pipe reach the server; see `Peer::elsewhere`.
        let (rtsp, http) = (vec![rtsp.parse().unwrap()], vec!["0.0.0.0:1280".parse().unwrap()]);
        let addresses = AdvertisedAddresses { rtsp, http, ..AdvertisedAddresses::default() };
        let (notify, events) = unbounded_channel();
        let pair = Pair::with(&config, Some(AudioHandle { relay, addresses }), &notify);
        Self { pair, told, joined: 0, _events: events }
    }

    async fn join(&mut self, name: &'static str) -> User {
        self.joined += 1;
        let Pipe { reader, writer } = Pipe::to(&self.pair.courier, self.joined, 64 * 1024);
        let mut user = User { name, reader: BufReader::new(reader), writer };
        user.send(name).await;
        user.expect(&format!(
            "server | {name} | connection_confirmation | You are now connected to the server"
        ))
        .await;
        user
    }

    fn registry(&self) -> &Addr<Registry> {
        &self.pair.registry
    }

    async fn opened(&mut self) -> OpenStream {
        match self.told.recv().await.unwrap() {
            Told::Open(open) => open,
            other => panic!("{other:?}"),
        }
    }

    async fn admitted(&mut self) -> (StreamId, String) {
        match self.told.recv().await.unwrap() {
            Told::Admit(stream, key) => (stream, key.reveal()),
            other => panic!("{other:?}"),
        }
    }

    async fn shut(&mut self) -> StreamId {
        match self.told.recv().await.unwrap() {
            Told::Shut(stream) => stream,
            other => panic!("{other:?}"),
        }
    }

    /// Has `asker` ask for a file of `publisher` that no client has asked for, and reports to the registry that it
    /// begins.
    async fn play(
        &mut self,
        publisher: &mut User,
        asker: &mut User,
        file: &str,
    ) -> (StreamId, Arc<StreamStats>) {
        asker.send(&format!("/play {} {file}", publisher.name)).await;
        let open = self.opened().await;
        let (stream, key) = (open.stream, open.key.reveal());
        let (from, to) = (asker.name, publisher.name);
        publisher
            .expect(&format!("{from} | {to} | publish | rtsp://192.0.2.254:1554/{stream}?key={key} {file}"))
            .await;
        self.registry().do_send(StreamBegan { stream });
        self.offered(publisher.name, asker, file).await;
        (stream, open.stats)
    }

    /// Expects that the next event is a new key for the relay, and an offer with that key for the asker. Returns the
    /// key.
    async fn offered(&mut self, publisher: &str, asker: &mut User, file: &str) -> String {
        let (stream, key) = self.admitted().await;
        let to = asker.name;
        asker
            .expect(&format!(
                "{publisher} | {to} | play | rtsp://192.0.2.254:1554/{stream}?key={key} \
                 http://192.0.2.254:1280/{stream}?key={key} {file}"
            ))
            .await;
        key
    }

    fn end(&self, stream: StreamId, why: StreamEnd) {
        self.registry().do_send(StreamEnded { stream, why });
    }
}

impl User {
    async fn send(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn expect(&mut self, line: &str) {
        let mut got = String::new();
        // The name request would come from a listener, which does not exist here.
        self.reader.read_line(&mut got).await.unwrap();
        assert_eq!(got, format!("{line}\n"));
    }

    async fn expect_nothing(&mut self) {
        let line = format!("{0} | {0} | echo | ?", self.name);
        self.send(&line).await;
        self.expect(&line).await;
    }
}

fn in_system<T>(run: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(async { timeout(DEADLINE, run).await.expect("an end in time") })
}

#[test]
fn everyone_who_asked_gets_a_key_of_his_own_when_it_begins_and_late_ones_at_once() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let (mut eva, mut leo) = (world.join("eva").await, world.join("leo").await);
        rui.send("/play ana song.mp3").await;
        let OpenStream { stream, key, file, .. } = world.opened().await;
        assert_eq!(&*file, "song.mp3");
        ana.expect(&format!(
            "rui | ana | publish | rtsp://192.0.2.254:1554/{stream}?key={} song.mp3",
            key.reveal()
        ))
        .await;
        eva.send("/play ana song.mp3").await;
        eva.expect_nothing().await;
        world.registry().do_send(StreamBegan { stream });
        let mut keys = vec![key.reveal()];
        for user in [&mut rui, &mut eva] {
            keys.push(world.offered("ana", user, "song.mp3").await);
        }
        leo.send("/play ana song.mp3").await;
        keys.push(world.offered("ana", &mut leo, "song.mp3").await);
        // A repeated request gets the same key.
        rui.send("/play ana song.mp3").await;
        rui.expect(&format!(
            "ana | rui | play | rtsp://192.0.2.254:1554/{stream}?key={0} http://192.0.2.254:1280/{stream}?key={0} song.mp3",
            keys[1]
        ))
        .await;
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 4);
        world.end(stream, StreamEnd::Finished);
        for user in [&mut rui, &mut eva, &mut leo] {
            user.expect(&format!("server | {} | stop | ana: song.mp3 ended", user.name)).await;
        }
        ana.expect_nothing().await;
        assert!(world.told.try_recv().is_err(), "the relay knows that it is over");
    });
}

#[test]
fn why_it_ended_is_told() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        for (why, words) in [
            (StreamEnd::Finished, ""),
            (StreamEnd::Gone, ": the connection to ana broke"),
            (StreamEnd::Silent, ": ana sent nothing for 15s"),
            (StreamEnd::TooFast, ": it had more than 4000000 bits a second, which is the most"),
        ] {
            let (stream, _) = world.play(&mut ana, &mut rui, "song.mp3").await;
            world.end(stream, why);
            rui.expect(&format!("server | rui | stop | ana: song.mp3 ended{words}")).await;
        }
    });
}

#[test]
fn who_gives_way_is_told() {
    in_system(async {
        let mut world = World::new(|config| (config.media.streams, config.media.waiting) = (3, 2));
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let mut eva = world.join("eva").await;
        let mut asked = Vec::new();
        for file in ["1.mp3", "2.mp3"] {
            rui.send(&format!("/play ana {file}")).await;
            asked.push(world.opened().await);
        }
        eva.send("/play eva song.mp3").await;
        rui.expect(
            "server | rui | play | ana: 1.mp3 does not play: ana had not started, and its place went to another request (at most 2 may wait)",
        )
        .await;
        assert_eq!(world.shut().await, asked[0].stream);
        let song = world.opened().await;
        for OpenStream { stream, key, file, .. } in &asked {
            let address = format!("rtsp://192.0.2.254:1554/{stream}?key={}", key.reveal());
            ana.expect(&format!("rui | ana | publish | {address} {file}")).await;
        }
        // Two streams that are on and one that is yet to begin are the most there may be.
        let second = asked[1].stream;
        world.registry().do_send(StreamBegan { stream: second });
        world.offered("ana", &mut rui, "2.mp3").await;
        let (third, stats) = world.play(&mut ana, &mut rui, "3.mp3").await;
        for stats in [&asked[1].stats, &stats] {
            stats.set_listeners(1);
        }
        let address = format!("rtsp://192.0.2.254:1554/{}?key={}", song.stream, song.key.reveal());
        eva.expect(&format!("eva | eva | publish | {address} song.mp3")).await;
        world.registry().do_send(StreamBegan { stream: song.stream });
        world.offered("eva", &mut eva, "song.mp3").await;
        song.stats.set_listeners(1);
        let mut leo = world.join("leo").await;
        leo.send("/play leo song.mp3").await;
        assert_eq!(world.shut().await, second);
        world.opened().await;
        let ended = "stop | ana: 2.mp3 ended: its place went to another file (at most 3 play at once)";
        ana.expect(&format!("server | ana | {ended}")).await;
        rui.expect(&format!("server | rui | {ended}")).await;
        assert_ne!(third, second);
    });
}

#[test]
fn a_publisher_is_told_that_nobody_listened() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let (stream, _) = world.play(&mut ana, &mut rui, "song.mp3").await;
        world.end(stream, StreamEnd::Unheard);
        for user in [&mut ana, &mut rui] {
            let name = user.name;
            let ended = "ana: song.mp3 ended: nobody listened for 5s";
            user.expect(&format!("server | {name} | stop | {ended}")).await;
        }
        // Only once, if the publisher is one of the askers.
        ana.send("/play ana song.mp3").await;
        let OpenStream { stream, key, .. } = world.opened().await;
        let address = format!("rtsp://192.0.2.254:1554/{stream}?key={}", key.reveal());
        ana.expect(&format!("ana | ana | publish | {address} song.mp3")).await;
        world.registry().do_send(StreamBegan { stream });
        world.offered("ana", &mut ana, "song.mp3").await;
        world.end(stream, StreamEnd::Unheard);
        ana.expect("server | ana | stop | ana: song.mp3 ended: nobody listened for 5s").await;
        ana.expect_nothing().await;
    });
}

#[test]
fn what_is_on_is_listed_with_its_figures() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let (_, stats) = world.play(&mut ana, &mut rui, "song.mp3").await;
        stats.set_listeners(3);
        stats.set_elapsed(Duration::from_millis(72_900));
        world.play(&mut rui, &mut ana, "other.wav").await;
        stats.set_length(Duration::from_secs(220));
        rui.send("/play ana not yet.mp3").await;
        world.opened().await;
        rui.send("/streams").await;
        rui.expect("server | rui | list_streams | ana: song.mp3, 3 listening, 01:12 of 03:40").await;
        rui.expect("server | rui | list_streams | rui: other.wav, 0 listening, 00:00").await;
        rui.expect_nothing().await;
    });
}

#[test]
fn its_publisher_ends_it_and_nobody_else_but_an_operator() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let (stream, _) = world.play(&mut ana, &mut rui, "song.mp3").await;
        rui.send("/stop song.mp3").await;
        rui.expect(
            "server | rui | error_message | song.mp3 is played by ana: only ana or an operator can end it. To hear no more \
             of it, stop your player",
        )
        .await;
        ana.send("ana | server | stop | song.mp3").await;
        ana.expect("server | ana | stop | ana: song.mp3 ended").await;
        rui.expect("server | rui | stop | ana: song.mp3 ended").await;
        assert_eq!(world.shut().await, stream);
        // A later report of the relay no longer refers to any stream.
        world.end(stream, StreamEnd::Gone);
        rui.expect_nothing().await;
    });
}

#[test]
fn a_publisher_who_leaves_takes_his_streams_along() {
    in_system(async {
        let mut world = World::new(|_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        let (stream, _) = world.play(&mut ana, &mut rui, "song.mp3").await;
        drop(ana);
        rui.expect("server | rui | stop | ana: song.mp3 ended: ana has left").await;
        assert_eq!(world.shut().await, stream);
    });
}

#[test]
fn an_asker_who_leaves_is_forgotten_and_what_he_alone_waited_for_is_shut() {
    in_system(async {
        let mut world = World::new(|config| config.media.publish_timeout = Duration::from_mins(10));
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        rui.send("/play ana song.mp3").await;
        let stream = world.opened().await.stream;
        rui.send("/exit").await;
        assert_eq!(world.shut().await, stream);
        // The publisher had begun just then.
        world.registry().do_send(StreamBegan { stream });
        assert_eq!(world.shut().await, stream);
        ana.send("/streams").await;
        let mut asked = String::new();
        ana.reader.read_line(&mut asked).await.unwrap();
        assert!(asked.starts_with("rui | ana | publish | "), "{asked}");
        ana.expect("server | ana | list_streams | no streams").await;
    });
}

#[test]
fn nothing_in_time_is_told_and_the_relay_takes_nothing_more() {
    in_system(async {
        let mut world = World::new(|config| config.media.publish_timeout = Duration::from_millis(50));
        let (_ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        rui.send("/play ana song.mp3").await;
        let stream = world.opened().await.stream;
        rui.expect(
            "server | rui | play | ana: song.mp3 does not play: nothing came within 50ms. Does ana share files?",
        )
        .await;
        assert_eq!(world.shut().await, stream);
    });
}

#[test]
fn where_the_server_cannot_be_reached_it_is_said_what_to_set() {
    in_system(async {
        let mut world = World::listening_at("127.0.0.1:1554", |_| {});
        let (mut ana, mut rui) = (world.join("ana").await, world.join("rui").await);
        rui.send("/play ana song.mp3").await;
        rui.expect(
            "server | rui | play | The server does not listen for audio at the address where you reached it. Its operator \
             has to add that to media.listen, or set media.public_host",
        )
        .await;
        ana.expect_nothing().await;
    });
}
