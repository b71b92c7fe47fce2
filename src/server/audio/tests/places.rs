//! Tests of the limits on connections and listeners, and of the eviction of idle connections.

use std::{
    io::{Read, Write},
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::SystemTime,
};

use arauto_protocol::Target;

use super::{
    super::connection_limiter::MAX_UNAUTHENTICATED,
    hostile::{begun, goes_through},
    *,
};
use crate::server::{
    admission::bans::{Ban, Bans},
    audio::messages::ShutStream,
};

#[test]
fn places_are_bounded() {
    let rig = Rig::with(Media { listeners: 2, ..Media::default() });
    let (publisher, from, to, mut ear, listen) = begun(&rig);
    Client::to(&publisher.url).announce().expect(455);
    // A listener that never plays counts as well, until it leaves.
    let mut idle = Client::to(&listen);
    let frames = "Transport: RTP/AVP/TCP;unicast\r\n";
    idle.ask("SETUP", frames, "").expect(200);
    Client::to(&listen).ask("SETUP", frames, "").expect(453);
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::Full);
    drop(idle);
    let mut next = Client::to(&listen);
    until(|| (next.ask("SETUP", frames, "").status == 200).then_some(()));
    goes_through(&from, to, &mut ear, 1);
}

#[test]
fn one_key_does_not_take_all_places() {
    let rig = Rig::with(Media { listeners: 10, listeners_per_key: 2, ..Media::default() });
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let by_http = rig.subscribe(&listen).unwrap();
    let frames = "Transport: RTP/AVP/TCP;unicast\r\n";
    let mut late = Client::to(&listen);
    late.ask("SETUP", frames, "").expect(453);
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::KeyFull);
    // Another key has a limit of its own.
    let key = Key::random().unwrap();
    rig.audio.relay.admit.do_send(AdmitListener { stream: SONG, key });
    let other = format!("{}?key={}", listen.split_once('?').unwrap().0, key.reveal());
    Client::to(&other).ask("SETUP", frames, "").expect(200);
    assert!(rig.subscribe(&other).is_ok());
    // A listener that leaves, by HTTP or by RTSP, frees its place. A client that repeats SETUP keeps its own.
    drop(by_http);
    late.ask("SETUP", frames, "").expect(200);
    late.ask("SETUP", frames, "").expect(200);
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::KeyFull);
    goes_through(&from, to, &mut ear, 1);
    drop(late);
    until(|| rig.subscribe(&listen).ok());
}

/// The most connections from one address that have shown no key.
const SHARE: usize = MAX_UNAUTHENTICATED / 2;

#[test]
fn a_banned_address_neither_listens_nor_publishes() {
    let rig = Rig::new();
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let (publish, ..) = rig.open(StreamId(1));
    let [mut early, mut late] = [Client::to(&listen), Client::to(&publish)];
    for client in [&mut early, &mut late] {
        client.ask("OPTIONS", "", "").expect(200);
    }
    let mut bans = Bans::default();
    for target in ["127.0.0.0/8", "192.0.2.0/24"] {
        let target = Target::parse(target, 489).unwrap();
        bans.add(Ban { target, until: None, by: "".into(), reason: "".into() }, SystemTime::now()).unwrap();
    }
    rig.bans.store(Arc::new(bans));
    // Connections from before the ban are refused as well.
    early.ask("SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").expect(403);
    late.announce().expect(403);
    assert_eq!(Client::to(&listen).rest(), b"RTSP/1.0 403 Forbidden\r\n\r\n");
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::Banned);
    // A stream that already plays continues.
    goes_through(&from, to, &mut ear, 1);
    rig.bans.store(Arc::default());
    early.ask("SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").expect(200);
}

#[test]
fn one_address_does_not_take_all_places() {
    let mut config = Config::default();
    config.media.listeners_per_address = 2;
    // Otherwise connections within this machine are exempt.
    config.flood.loopback = true;
    let rig = Rig::at(config, None);
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let frames = "Transport: RTP/AVP/TCP;unicast\r\n";
    let mut second = Client::to(&listen);
    second.ask("SETUP", frames, "").expect(200);
    let mut third = Client::to(&listen);
    third.ask("SETUP", frames, "").expect(453);
    // The limit counts the listeners of all streams together.
    let (publish, other, _) = rig.open(StreamId(1));
    let mut publisher = Client::to(&publish);
    publisher.publish();
    publisher.send_frame(0, &rtp(7, 0, "first"));
    rig.expect(Told::Began(StreamId(1)));
    Client::to(&other).ask("SETUP", frames, "").expect(453);
    // Another address has a limit of its own, also of two.
    let by_http = [rig.subscribe(&listen).unwrap(), rig.subscribe(&listen).unwrap()];
    assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::AddressFull);
    drop(by_http);
    second.ask("TEARDOWN", "", "").expect(200);
    third.ask("SETUP", frames, "").expect(200);
    goes_through(&from, to, &mut ear, 1);
    until(|| rig.subscribe(&listen).ok());
}

/// The peer of a connection that a proxy on this machine forwards.
fn proxied() -> Peer {
    let mut peer = Peer::at(Ipv4Addr::LOCALHOST.into());
    peer.is_local = true;
    peer.proxied(false)
}

#[test]
fn clients_of_a_proxy_share_no_places_of_an_address() {
    let mut config = Config::default();
    config.media.listeners_per_address = 1;
    for loopback in [false, true] {
        config.flood.loopback = loopback;
        let rig = Rig::at(config.clone(), None);
        let (publish, listen, _) = rig.open(SONG);
        let mut publisher = Client::to(&publish);
        publisher.publish();
        publisher.send_frame(0, &rtp(7, 0, "first"));
        rig.expect(Told::Began(SONG));
        let _first = rig.subscribe_from(&listen, proxied()).unwrap();
        let second = rig.subscribe_from(&listen, proxied());
        let status = Client::to(&listen).ask("SETUP", "Transport: RTP/AVP/TCP;unicast\r\n", "").status;
        if loopback {
            assert_eq!((second.unwrap_err(), status), (SubscribeError::AddressFull, 453));
        } else {
            assert_eq!((second.is_ok(), status), (true, 200));
            // The limit applies to each address of another machine.
            let _other = rig.subscribe(&listen).unwrap();
            assert_eq!(rig.subscribe(&listen).unwrap_err(), SubscribeError::AddressFull);
        }
    }
}

#[test]
fn connections_without_a_key_give_way_oldest_first() {
    let rig = Rig::new();
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let mut early = Client::to(&listen);
    early.ask("OPTIONS", "", "").expect(200);
    let mut crowd: Vec<_> = (0..SHARE + 2).map(|_| Client::to(&listen)).collect();
    // The first two were evicted, and receive the response after a moment.
    for first in &mut crowd[..2] {
        assert_eq!(first.rest(), b"RTSP/1.0 503 Service Unavailable\r\n\r\n");
    }
    crowd.last_mut().unwrap().ask_at("*", "OPTIONS", "", "").expect(200);
    // A client that showed its key, with whatever request, keeps its connection.
    early.ask("DESCRIBE", "", "").expect(200);
    goes_through(&from, to, &mut ear, 1);
}

/// A crowd of connections that each send the same bytes whenever they can: nothing, an endless request, requests
/// without a key, ...
struct Siege {
    stop: Arc<AtomicBool>,
    renewed: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Siege {
    /// Opens 600 connections from these addresses of this machine, by their last numbers, and reopens each that is
    /// closed. Returns once all are open: during that time, more new connections than one address may have can arrive
    /// at once.
    fn begin(at: SocketAddr, words: &'static [u8], from: RangeInclusive<u8>) -> Self {
        let (stop, renewed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (is_over, count) = (Arc::clone(&stop), Arc::clone(&renewed));
        let (first, addresses) = (*from.start(), from.len());
        let connect = move |number: usize| {
            let last = first + u8::try_from(number % addresses).unwrap();
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
            socket.connect(&at.into()).unwrap();
            socket.set_nonblocking(true).unwrap();
            TcpStream::from(socket)
        };
        let mut crowd: Vec<_> = (0..600).map(connect).collect();
        let thread = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                for (number, stream) in crowd.iter_mut().enumerate() {
                    let _ = stream.write(words);
                    let is_open = match stream.read(&mut [0; 512]) {
                        Ok(length) => length > 0,
                        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
                    };
                    if !is_open {
                        *stream = connect(number);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // The test is about places, not about processor time, which the other clients share with the crowd.
                let rest = if words.is_empty() { 50 } else { 250 };
                std::thread::park_timeout(Duration::from_millis(rest));
            }
        });
        Self { stop, renewed, thread: Some(thread) }
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Settings with which no stream ends by itself.
fn patient() -> Media {
    Media { silence_timeout: Duration::from_hours(1), unheard_timeout: Duration::ZERO, ..Media::default() }
}

/// Checks that listeners and publishers with a key connect while a crowd occupies all places that it can get.
fn gets_in_besides(words: &'static [u8], addresses: u8) {
    // With much input, a test's build is slow, so there are fewer tries.
    let tries = if words.is_empty() { 100 } else { 25 };
    let rig = Rig::with(patient());
    let (_publisher, from, to, mut ear, listen) = begun(&rig);
    let siege = Siege::begin(rig.address(), words, 1..=addresses);
    until(|| (siege.renewed.load(Ordering::Relaxed) > 100 || addresses > 1).then_some(()));
    for number in 0..tries {
        let mut player = Client::to(&listen);
        player.ask("DESCRIBE", "", "").expect(200);
        player.listen();
        let stream = StreamId(number);
        let (publish, ..) = rig.open(stream);
        Client::to(&publish).announce().expect(200);
        rig.audio.relay.shut.do_send(ShutStream { stream });
        goes_through(&from, to, &mut ear, number + 1);
    }
}

#[test]
fn silent_connections_keep_nobody_out_who_has_a_key() {
    gets_in_besides(b"", 1);
}

#[test]
fn silent_connections_of_many_addresses_do_not_either() {
    gets_in_besides(b"", 200);
}

#[test]
fn requests_without_end_do_not_either() {
    gets_in_besides(b"OPTIONS * RTSP/1.0\r\n", 1);
}

#[test]
fn requests_without_a_key_do_not_either() {
    gets_in_besides(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 1);
}

#[test]
fn silent_connections_and_broken_handshakes_keep_nobody_from_tls() {
    // Silent connections have the same address as the clients. Broken hellos are renewed hundreds at a time: during one
    // handshake, more new connections than an address's share can arrive, so they have another address.
    for (words, from) in [(&b""[..], 1), (b"\x16\x03\x01\x02\0", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let rig = Rig::secure_with(folder.path(), patient());
        let (publish, listen, _) = rig.open(SONG);
        let _siege = Siege::begin(rig.address(), words, from..=from);
        let mut publisher = rig.secure_client(&publish);
        publisher.publish();
        publisher.send_frame(0, &rtp(7, 0, "first"));
        rig.expect(Told::Began(SONG));
        for _ in 0..15 {
            rig.secure_client(&listen).ask("DESCRIBE", "", "").expect(200);
        }
    }
}

#[test]
fn a_stream_that_nobody_hears_is_ended() {
    let unheard = Duration::from_secs(1);
    let rig = Rig::with(Media { unheard_timeout: unheard, ..Media::default() });
    let (publish, listen, _) = rig.open(SONG);
    let mut publisher = Client::to(&publish);
    publisher.publish();
    publisher.send_frame(0, &rtp(7, 0, "first"));
    rig.expect(Told::Began(SONG));
    let goes_on_while = |rig: &Rig, busy: &mut dyn FnMut()| {
        let begin = std::time::Instant::now();
        while begin.elapsed() < 3 * unheard {
            busy();
            let told = rig.told.recv_timeout(Duration::from_millis(50));
            assert_eq!(told, Err(mpsc::RecvTimeoutError::Timeout));
        }
    };
    // The stream is kept up by a client that is about to listen, by one that is set up, by a listener, and by HTTP.
    let mut player = Client::to(&listen);
    goes_on_while(&rig, &mut || drop(player.ask("DESCRIBE", "", "").expect(200)));
    player.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "").expect(200);
    goes_on_while(&rig, &mut || ());
    player.ask("PLAY", "", "").expect(200);
    goes_on_while(&rig, &mut || ());
    let by_http = rig.subscribe(&listen).unwrap();
    player.ask("TEARDOWN", "", "").expect(200);
    goes_on_while(&rig, &mut || ());
    let left = std::time::Instant::now();
    drop(by_http);
    rig.expect(Told::Ended(SONG, StreamEnd::Unheard));
    assert!(left.elapsed() >= unheard, "{:?}", left.elapsed());
    // The publisher's connection is closed, so that it stops sending.
    assert_eq!(publisher.rest(), b"");
}
