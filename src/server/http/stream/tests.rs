//! Tests over real sockets, with a relay that gives what a test hands to it.

use std::{cell::RefCell, future::Future, rc::Rc, time::Duration};

use actix::{Actor, Context as ActorContext, Handler};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{advance, pause, resume, timeout},
};
use tokio_util::either::Either;

use super::*;
use crate::{
    config::{Config, InForce},
    server::{
        admission::address_limiter::SessionPermit,
        common::{peer::Peer, session_ref::SessionId},
        http::{CONNECTION_TIMEOUT, Http, HttpConnection},
    },
};

/// Part of this time passes at once, when a test advances the clock.
const DEADLINE: Duration = Duration::from_secs(2 * CONNECTION_TIMEOUT.as_secs() + 40);
const KEY: &str = "00112233445566778899aabbccddeeff";

struct FakeRelay(UnboundedSender<Subscribe>);

impl Actor for FakeRelay {
    type Context = ActorContext<Self>;
}

impl Handler<Subscribe> for FakeRelay {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut ActorContext<Self>) {
        self.0.send(subscribe).unwrap();
    }
}

struct World {
    http: Http,
    listener: TcpListener,
    requests: UnboundedReceiver<Subscribe>,
    places: Arc<Semaphore>,
    /// Numbers of the connections that have a listener's place.
    on_listening: Rc<RefCell<Vec<u64>>>,
    /// A permit for each page.
    pages: Arc<Semaphore>,
    connections: u64,
}

impl World {
    async fn new(places: usize) -> Self {
        let (tell, requests) = unbounded_channel();
        let places = Arc::new(Semaphore::new(places));
        let for_all =
            HttpAudio { subscribe: FakeRelay(tell).start().recipient(), places: Arc::clone(&places) };
        let (admissions, _) = unbounded_channel();
        let http = Http::new(InForce::new(Config::default()), admissions, Some(for_all), |_, _, _| {});
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pages = Arc::new(Semaphore::new(16));
        Self { http, listener, requests, places, on_listening: Rc::default(), pages, connections: 0 }
    }

    /// Serves a connection that has sent this request. Both of its sockets have small buffers.
    async fn ask(&mut self, request: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = socket.connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = self.listener.accept().await.unwrap();
        socket2::SockRef::from(&stream).set_send_buffer_size(4096).unwrap();
        self.connections += 1;
        let id = self.connections;
        let connection = HttpConnection::new(Either::Left(stream), SessionId(id), Peer::elsewhere());
        let (http, on_listening) = (self.http.clone(), Rc::clone(&self.on_listening));
        let place = Arc::clone(&self.pages).try_acquire_owned().unwrap();
        actix_rt::spawn(async move {
            let _ = http
                .serve(connection, SessionPermit::with_place(place, None), || {
                    on_listening.borrow_mut().push(id);
                })
                .await;
        });
        client.write_all(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        client
    }

    /// Serves a connection that the relay lets listen, by a channel with room for `room` chunks.
    async fn listen(&mut self, room: usize) -> (TcpStream, mpsc::Sender<Bytes>) {
        let client = self.ask(&format!("GET /7f3a?key={KEY}")).await;
        let (give, bytes) = mpsc::channel(room);
        self.answer(Ok(Subscription { content_type: "audio/mpeg", bytes })).await;
        (client, give)
    }

    async fn answer(&mut self, answer: Result<Subscription, SubscribeError>) {
        let subscribe = self.requests.recv().await.unwrap();
        assert_eq!((subscribe.stream, subscribe.key.reveal()), (StreamId(0x7f3a), KEY.to_owned()));
        subscribe.answer.send(answer).unwrap();
    }
}

fn in_system<T>(run: impl Future<Output = T>) -> T {
    in_system_within(DEADLINE, run)
}

fn in_system_within<T>(deadline: Duration, run: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(async { timeout(deadline, run).await.expect("an end in time") })
}

async fn until(client: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

async fn all(mut client: TcpStream) -> String {
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    read
}

/// The status line, the headers without those that every response has, and the body.
fn parts(answer: &str) -> (&str, Vec<&str>, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (first, headers) = head.split_once("\r\n").unwrap();
    let of_every_answer = [
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cross-origin-",
        "permissions-policy",
        "date",
    ];
    let mut headers: Vec<_> = headers
        .lines()
        .filter(|header| !of_every_answer.iter().any(|name| header.starts_with(name)))
        .collect();
    headers.sort_unstable();
    assert!(head.contains("\r\nx-content-type-options: nosniff"), "{head}");
    (first, headers, body)
}

#[test]
fn a_stream_begins_at_once_and_lasts_longer_than_a_visit() {
    in_system(async {
        let mut world = World::new(1).await;
        let (mut client, give) = world.listen(4).await;
        give.send(Bytes::from_static(b"one")).await.unwrap();
        let head = until(&mut client, "\r\n\r\n").await;
        let (first, headers, _) = parts(&head);
        assert_eq!(first, "HTTP/1.1 200 OK");
        assert_eq!(
            headers,
            [
                "accept-ranges: none",
                "cache-control: no-store",
                "connection: close",
                "content-type: audio/mpeg",
                "transfer-encoding: chunked",
            ]
        );
        assert_eq!(until(&mut client, "\r\none\r\n").await, "3\r\none\r\n");
        assert_eq!(*world.on_listening.borrow(), [1]);
        assert_eq!(world.pages.available_permits(), 16, "it takes no place of a page's");
        assert_eq!(world.places.available_permits(), 0);
        pause();
        advance(2 * CONNECTION_TIMEOUT).await;
        resume();
        give.send(Bytes::from_static(b"")).await.unwrap();
        give.send(Bytes::from_static(b"more")).await.unwrap();
        assert_eq!(until(&mut client, "\r\nmore\r\n").await, "4\r\nmore\r\n");
        drop(give);
        assert_eq!(all(client).await, "0\r\n\r\n");
        assert_eq!(world.places.available_permits(), 1);
    });
}

#[test]
fn a_paused_listener_is_kept() {
    // Most of this time passes at once.
    in_system_within(3 * MAX_PAUSE, async {
        let mut world = World::new(1).await;
        let (mut client, give) = world.listen(4).await;
        // More than the two kernels and the HTTP library take.
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        while timeout(Duration::from_millis(200), give.send(chunk.clone())).await.is_ok() {}
        pause();
        advance(MAX_PAUSE.mul_f64(0.9)).await;
        resume();
        // A listener that reads again gets the stream again.
        let mut bytes = vec![0; 16 * 1024];
        until_sent(&mut client, &give, &mut bytes).await;
        // A listener that does not read for longer is disconnected.
        while timeout(Duration::from_millis(200), give.send(chunk.clone())).await.is_ok() {}
        pause();
        advance(MAX_PAUSE + Duration::from_secs(1)).await;
        resume();
        give.closed().await;
    });
}

/// Reads until the relay can give more.
async fn until_sent(client: &mut TcpStream, give: &mpsc::Sender<Bytes>, bytes: &mut [u8]) {
    while give.capacity() == 0 {
        assert_ne!(client.read(bytes).await.unwrap(), 0);
    }
}

#[test]
fn who_asks_for_a_page_has_no_such_time() {
    in_system(async {
        let mut world = World::new(1).await;
        let client = world.ask(&format!("GET /7f3a?key={KEY}")).await;
        let subscribe = world.requests.recv().await.unwrap();
        pause();
        advance(CONNECTION_TIMEOUT + Duration::from_secs(1)).await;
        resume();
        assert_eq!(all(client).await, "");
        assert!(subscribe.answer.is_closed() && world.on_listening.borrow().is_empty());
    });
}

#[test]
fn whatever_part_is_asked_for_the_whole_comes() {
    in_system(async {
        let mut world = World::new(1).await;
        let request = format!("GET /7f3a?x=1&key={KEY} HTTP/1.1\r\nRange: bytes=100-200\r\nX-Is:");
        let mut client = world.ask(&request).await;
        let (give, bytes) = mpsc::channel(1);
        world.answer(Ok(Subscription { content_type: "audio/ogg", bytes })).await;
        give.send(Bytes::from_static(b"all")).await.unwrap();
        let head = until(&mut client, "3\r\nall\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("accept-ranges: none"), "{head}");
    });
}

#[test]
fn the_head_alone() {
    in_system(async {
        let mut world = World::new(1).await;
        let client = world.ask(&format!("HEAD /7f3a?key={KEY}")).await;
        let (_give, bytes) = mpsc::channel(1);
        world.answer(Ok(Subscription { content_type: "audio/ogg", bytes })).await;
        let answer = all(client).await;
        let (first, headers, body) = parts(&answer);
        assert_eq!((first, body), ("HTTP/1.1 200 OK", ""));
        assert_eq!(
            headers,
            [
                "accept-ranges: none",
                "cache-control: no-store",
                "connection: close",
                "content-type: audio/ogg"
            ]
        );
    });
}

#[test]
fn why_there_is_nothing_to_hear_is_said() {
    in_system(async {
        let mut world = World::new(1).await;
        let nothing = "Nothing is played at this address, or not any more, or not for you. Ask for it: /play ana song.mp3\n";
        for (answer, status, words) in [
            (SubscribeError::Unknown, "404 Not Found", nothing),
            (
                SubscribeError::NotYet,
                "503 Service Unavailable",
                "This is not played yet. Try again in a moment.\n",
            ),
            (
                SubscribeError::KeyFull,
                "503 Service Unavailable",
                "As many listen with this address as may. Stop one of them, or ask for an address of your own: \
                 /play ana song.mp3\n",
            ),
            (SubscribeError::Banned, "403 Forbidden", "An operator keeps your address out.\n"),
            (
                SubscribeError::AddressFull,
                "503 Service Unavailable",
                "As many listen from your address as may. Try again when one of them has stopped.\n",
            ),
            (
                SubscribeError::Full,
                "503 Service Unavailable",
                "As many listen to this as may. Try again when somebody has stopped.\n",
            ),
        ] {
            let client =
                world.ask(&format!("GET /7f3a?key={KEY} HTTP/1.1\r\nConnection: close\r\nX-Is:")).await;
            world.answer(Err(answer)).await;
            let answer = all(client).await;
            let (first, _, body) = parts(&answer);
            assert_eq!((first, body), (&*format!("HTTP/1.1 {status}"), words));
        }
        for path in ["/7f3a", "/7f3a?key=", &format!("/7f3a?key={}", &KEY[1..]), "/7f3a?Key=x"] {
            let client = world.ask(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\nX-Is:")).await;
            let answer = all(client).await;
            assert_eq!(parts(&answer).2, nothing, "{path}");
        }
        let client = world.ask("GET /7F3A?key=x HTTP/1.1\r\nConnection: close\r\nX-Is:").await;
        assert!(all(client).await.contains("There is nothing at this address."));
        assert!(world.requests.try_recv().is_err());
    });
}

#[test]
fn as_many_listen_as_there_are_places() {
    in_system(async {
        let mut world = World::new(1).await;
        let (_first, _give) = world.listen(1).await;
        let client = world.ask(&format!("GET /7f3a?key={KEY} HTTP/1.1\r\nConnection: close\r\nX-Is:")).await;
        let answer = all(client).await;
        let (first, _, body) = parts(&answer);
        assert_eq!(first, "HTTP/1.1 503 Service Unavailable");
        assert_eq!(body, "As many listen by HTTP as may. Try again when somebody has stopped.\n");
    });
}

/// For a listener that does not read, little is kept, and it is disconnected after `MAX_PAUSE`. Another listener hears
/// everything meanwhile.
#[test]
fn who_does_not_read_costs_little_and_is_cut() {
    const CHUNK: &[u8] = &[b'x'; 1000];
    // Most of this time passes at once.
    in_system_within(3 * MAX_PAUSE, async {
        let mut world = World::new(2).await;
        let (_silent, to_silent) = world.listen(4).await;
        let (mut reader, to_reader) = world.listen(4).await;
        until(&mut reader, "\r\n\r\n").await;
        let (mut taken, mut refused) = (0, 0);
        while refused < 50 {
            match to_silent.try_send(Bytes::from_static(CHUNK)) {
                Ok(()) => (taken, refused) = (taken + 1, 0),
                Err(_) => refused += 1,
            }
            to_reader.send(Bytes::from_static(CHUNK)).await.unwrap();
            let mut chunk = [0; "3e8\r\n".len() + CHUNK.len() + 2];
            reader.read_exact(&mut chunk).await.unwrap();
        }
        assert!(taken < 120, "{taken} chunks were taken");
        pause();
        advance(MAX_PAUSE + Duration::from_secs(1)).await;
        resume();
        to_silent.closed().await;
        assert_eq!(world.places.available_permits(), 1);
        assert!(!to_reader.is_closed());
    });
}
