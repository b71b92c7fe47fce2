//! Tests how long connections last, by a simulated clock.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use actix::{Actor, Context, Handler};
use arauto_rtsp::{Key, StreamId};
use slog::{Discard, o};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{
    super::fake::{LISTEN, PUBLISH},
    *,
};
use crate::{
    config::{Config, InForce},
    server::{
        admission::bans::Barrier,
        audio::{
            RelayContext, RelayToRegistry,
            messages::OpenStream,
            stream::{Carried, DatagramKind},
            streams::{RelayStreams, SharedStreams},
        },
        messages::{StreamBegan, StreamEnded},
    },
};

const STREAM: StreamId = StreamId(0x7f3a);
const SDP: &str =
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 14\r\n";

/// A registry that ignores all messages.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<StreamBegan> for Nobody {
    type Result = ();

    fn handle(&mut self, _: StreamBegan, _: &mut Context<Self>) {}
}

impl Handler<StreamEnded> for Nobody {
    type Result = ();

    fn handle(&mut self, _: StreamEnded, _: &mut Context<Self>) {}
}

fn streams() -> SharedStreams {
    let (config, log) = (InForce::new(Config::default()), Logger::root(Discard, o!()));
    let registry = RelayToRegistry::from(Nobody.start());
    let context = RelayContext { registry, barrier: Barrier::default(), config, counters: Arc::default() };
    let mut streams = RelayStreams::new(context, log);
    let key: Key = PUBLISH.parse().unwrap();
    streams.open(OpenStream { stream: STREAM, key, stats: Arc::default(), file: "song.mp3".into() });
    streams.admit(STREAM, LISTEN.parse().unwrap());
    Rc::new(RefCell::new(streams))
}

/// A client whose connection is a pipe.
fn connect(streams: &SharedStreams) -> DuplexStream {
    let (near, far) = duplex(4_096);
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let outgoing = Rc::<Outgoing>::default();
    let access = StreamAccess::new(Rc::clone(streams), Rc::clone(&outgoing), at(1554), at(40_000), false);
    actix_rt::spawn(async move {
        serve(far, outgoing, access, |_| (), &Logger::root(Discard, o!())).await;
    });
    near
}

async fn ask(pipe: &mut DuplexStream, key: &str, method: &str, more: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "{method} rtsp://h/7f3a?key={key} RTSP/1.0\r\nCSeq: 1\r\n{more}Content-Length: {length}\r\n\r\n"
    );
    pipe.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(pipe.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"RTSP/1.0 200 OK\r\n"), "{}", answer.escape_ascii());
}

/// A publisher of a stream that has begun.
async fn publisher(streams: &SharedStreams) -> DuplexStream {
    let mut pipe = connect(streams);
    ask(&mut pipe, PUBLISH, "ANNOUNCE", "Content-Type: application/sdp\r\n", SDP).await;
    ask(&mut pipe, PUBLISH, "SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").await;
    ask(&mut pipe, PUBLISH, "RECORD", "", "").await;
    hear(streams);
    pipe
}

/// A datagram of the publisher that did not come by its connection.
fn hear(streams: &SharedStreams) {
    let mut streams = streams.borrow_mut();
    let stream = streams.named(STREAM).unwrap();
    let sound = [&[0x80, 14, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &[0; 104]].concat();
    assert_ne!(stream.hear_connection(DatagramKind::Sound, &sound, Instant::now()), Carried::TooFast);
    stream.has_begun = true;
}

/// Reads to the end of the connection, and returns how long that took.
async fn end_of(pipe: &mut DuplexStream) -> Duration {
    let begin = Instant::now();
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).await.unwrap();
    begin.elapsed()
}

fn by_a_clock_of_its_own(test: impl AsyncFnOnce()) {
    actix_rt::System::new().block_on(async {
        tokio::time::pause();
        test().await;
    });
}

#[test]
fn who_publishes_or_listens_by_udp_may_be_silent_for_hours() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let mut publisher = publisher(&streams).await;
        let mut listener = connect(&streams);
        ask(&mut listener, LISTEN, "SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").await;
        ask(&mut listener, LISTEN, "PLAY", "", "").await;
        tokio::time::sleep(Duration::from_hours(5)).await;
        // Both are still answered.
        ask(&mut publisher, PUBLISH, "OPTIONS", "", "").await;
        ask(&mut listener, LISTEN, "OPTIONS", "", "").await;
    });
}

#[test]
fn a_paused_player_misses_sound_and_is_kept() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let _publisher = publisher(&streams).await;
        let [mut player, mut gone] = [listener(&streams).await, listener(&streams).await];
        let begin = Instant::now();
        let mut sent = 0;
        // The players read nothing and send nothing.
        while begin.elapsed() < MAX_PAUSE.mul_f64(0.9) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            hear(&streams);
            sent += 1;
        }
        let mut bytes = Vec::new();
        while let Ok(read) = tokio::time::timeout(Duration::from_millis(10), player.read_u8()).await {
            bytes.push(read.unwrap());
        }
        // The player receives complete datagrams, but less than half of all.
        assert!(bytes.len() < sent * 120 / 2 && bytes.ends_with(&[0; 104]), "{} of {sent}", bytes.len());
        hear(&streams);
        let mut frame = [0; 120];
        player.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[..4], [b'$', 0, 0, 116]);
        ask(&mut player, LISTEN, "GET_PARAMETER", "", "").await;
        assert!(streams.borrow_mut().named(STREAM).unwrap().listeners.len() == 2);
        tokio::time::sleep(MAX_PAUSE.mul_f64(0.2)).await;
        assert!(streams.borrow_mut().named(STREAM).unwrap().listeners.len() == 1);
        let mut rest = Vec::new();
        gone.read_to_end(&mut rest).await.unwrap();
    });
}

#[test]
fn who_pauses_has_the_time_it_was_told_from_the_last_request_on() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let mut publisher = publisher(&streams).await;
        ask(&mut publisher, PUBLISH, "PAUSE", "", "").await;
        for _ in 0..3 {
            tokio::time::sleep(SESSION_TIMEOUT.mul_f64(0.9)).await;
            ask(&mut publisher, PUBLISH, "GET_PARAMETER", "", "").await;
        }
        ask(&mut publisher, PUBLISH, "RECORD", "", "").await;
        ask(&mut publisher, PUBLISH, "PAUSE", "", "").await;
        let lasted = end_of(&mut publisher).await;
        assert!(lasted >= SESSION_TIMEOUT && lasted < SESSION_TIMEOUT + Duration::from_secs(1), "{lasted:?}");
    });
}

#[test]
fn silence_ends_no_publisher_that_has_paused() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let silence = Config::default().media.silence_timeout;
        let is_there_after_silence = async || {
            tokio::time::sleep(silence).await;
            streams.borrow_mut().tick(Instant::now(), SystemTime::now());
            streams.borrow_mut().named(STREAM).is_some()
        };
        let mut publisher = publisher(&streams).await;
        let _listener = listener(&streams).await;
        ask(&mut publisher, PUBLISH, "PAUSE", "", "").await;
        assert!(is_there_after_silence().await);
        assert!(is_there_after_silence().await);
        ask(&mut publisher, PUBLISH, "RECORD", "", "").await;
        // The silence counts from here.
        streams.borrow_mut().tick(Instant::now(), SystemTime::now());
        assert!(streams.borrow_mut().named(STREAM).is_some());
        assert!(!is_there_after_silence().await);
    });
}

#[test]
fn a_paused_listener_is_not_counted() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let counted = || streams.borrow().counters.counts().listeners;
        let _publisher = publisher(&streams).await;
        let mut listener = listener(&streams).await;
        assert_eq!(counted(), 1);
        ask(&mut listener, LISTEN, "PAUSE", "", "").await;
        assert_eq!(counted(), 0);
        ask(&mut listener, LISTEN, "PLAY", "", "").await;
        assert_eq!(counted(), 1);
    });
}

#[test]
fn who_sets_up_nothing_has_little_time() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let mut stranger = connect(&streams);
        let lasted = end_of(&mut stranger).await;
        assert!(lasted >= SETUP_TIMEOUT && lasted < SETUP_TIMEOUT + Duration::from_secs(1), "{lasted:?}");
    });
}

/// Reads until the RTCP BYE of the stream's end has come, interleaved on channel 1.
async fn read_bye(pipe: &mut DuplexStream) {
    let mut bytes = Vec::new();
    while !bytes.windows(2).any(|two| two == [0x81, 203]) {
        bytes.push(pipe.read_u8().await.unwrap());
    }
    // The rest of the BYE: its length in words, and the source.
    pipe.read_exact(&mut [0; 6]).await.unwrap();
}

async fn listener(streams: &SharedStreams) -> DuplexStream {
    let mut pipe = connect(streams);
    ask(&mut pipe, LISTEN, "SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").await;
    ask(&mut pipe, LISTEN, "PLAY", "", "").await;
    pipe
}

#[test]
fn a_listener_has_time_for_its_teardown_after_the_end() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let mut publisher = publisher(&streams).await;
        let [mut slow, mut silent] = [listener(&streams).await, listener(&streams).await];
        let ended = Instant::now();
        ask(&mut publisher, PUBLISH, "TEARDOWN", "", "").await;
        read_bye(&mut slow).await;
        read_bye(&mut silent).await;
        assert_eq!(streams.borrow_mut().named(STREAM).map(|stream| stream.id), None);
        // A player first plays what it has buffered, and may send other requests before TEARDOWN.
        tokio::time::sleep(TEARDOWN_TIMEOUT.mul_f64(0.8)).await;
        ask(&mut slow, LISTEN, "PAUSE", "", "").await;
        ask(&mut slow, LISTEN, "TEARDOWN", "", "").await;
        end_of(&mut slow).await;
        assert!(ended.elapsed() <= TEARDOWN_TIMEOUT + Duration::from_secs(1), "{:?}", ended.elapsed());
        end_of(&mut silent).await;
        assert!(ended.elapsed() <= TEARDOWN_TIMEOUT + Duration::from_secs(1), "{:?}", ended.elapsed());
    });
}

#[test]
fn a_publisher_whose_stream_was_ended_is_closed_at_once() {
    by_a_clock_of_its_own(async || {
        let streams = streams();
        let mut publisher = publisher(&streams).await;
        streams.borrow_mut().shut(STREAM);
        let lasted = end_of(&mut publisher).await;
        assert!(lasted < Duration::from_secs(1), "{lasted:?}");
    });
}
