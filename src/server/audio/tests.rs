//! Tests of the relay over real sockets, with a registry and clients of their own.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use actix::{Context, Handler};
use actix_rt::Arbiter;
use arauto_rtsp::{Key, StreamId};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use slog::{Discard, o};
use tokio::sync::{mpsc::unbounded_channel, oneshot};

use super::{
    messages::{AdmitListener, OpenStream},
    *,
};
use crate::{
    config::{Config, Media, Tls},
    server::{
        common::{
            peer::Peer,
            stream_stats::{StreamEnd, StreamStats},
        },
        http::subscribe::{SubscribeError, Subscription},
        metrics::audio::AudioCounts,
        net::tls::credentials,
    },
};

mod client;
mod hostile;
mod places;
mod relaying;

use client::{Client, rtp};

const DEADLINE: Duration = Duration::from_secs(20);
const SONG: StreamId = StreamId(0x7f3a);

/// A message that the registry received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Began(StreamId),
    Ended(StreamId, StreamEnd),
}

/// A registry that passes its messages to the test.
struct Ear(mpsc::Sender<Told>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<StreamBegan> for Ear {
    type Result = ();

    fn handle(&mut self, StreamBegan { stream }: StreamBegan, _: &mut Context<Self>) {
        self.0.send(Told::Began(stream)).unwrap();
    }
}

impl Handler<StreamEnded> for Ear {
    type Result = ();

    fn handle(&mut self, StreamEnded { stream, why }: StreamEnded, _: &mut Context<Self>) {
        self.0.send(Told::Ended(stream, why)).unwrap();
    }
}

/// A relay at an address of its own, until it is dropped.
struct Rig {
    audio: Audio,
    counters: Arc<Counters>,
    bans: Barrier,
    told: mpsc::Receiver<Told>,
    stop: Option<oneshot::Sender<()>>,
    system: Option<JoinHandle<()>>,
    certificate: Option<CertificateDer<'static>>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Media::default())
    }

    /// Uses these settings, except the addresses.
    fn with(media: Media) -> Self {
        Self::at(Config { media, ..Config::default() }, None)
    }

    /// Listens with TLS, with a certificate in this folder.
    fn secure(folder: &Path) -> Self {
        Self::secure_with(folder, Media::default())
    }

    fn secure_with(folder: &Path, media: Media) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let tls = Tls { certificate: folder.join("cert.pem"), key: folder.join("key.pem"), ..Tls::default() };
        std::fs::write(&tls.certificate, cert.pem()).unwrap();
        std::fs::write(&tls.key, signing_key.serialize_pem()).unwrap();
        let loaded = credentials::load(&tls, &Logger::root(Discard, o!())).unwrap();
        let mut rig = Self::at(Config { media, ..Config::default() }, Some(Credentials::new(loaded)));
        rig.certificate = Some(cert.der().clone());
        rig
    }

    /// A client over TLS.
    fn secure_client(&self, url: &str) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone().unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(self.address()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let stream = StreamOwned::new(session, socket.try_clone().unwrap());
        Client::over(Box::new(stream), socket, url)
    }

    fn at(config: Config, credentials: Option<Credentials>) -> Self {
        let (tell, told) = mpsc::channel();
        let (give, given) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let system = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let (notify, _events) = unbounded_channel();
                let thread = Arbiter::new();
                let socket =
                    crate::server::accept::socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
                let params = RelayParams {
                    thread: thread.handle(),
                    addresses: vec![socket.local_addr().unwrap()],
                    secure_addresses: Vec::new(),
                    listeners: vec![RtspListener { socket, credentials }],
                };
                let config = InForce::new(config);
                let registry = RelayToRegistry::from(Ear(tell).start());
                let counters = Arc::<Counters>::default();
                let exit_guard = ExitGuard::new("relay", notify);
                let log = Logger::root(Discard, o!());
                let barrier = Barrier::default();
                let bans = Arc::clone(&barrier);
                let audio =
                    start(params, registry, barrier, &config, Arc::clone(&counters), exit_guard, &log);
                give.send((audio, counters, bans)).unwrap();
                let _ = stopped.await;
                thread.stop();
                thread.join().unwrap();
            });
        });
        let (audio, counters, bans) = given.recv_timeout(DEADLINE).unwrap();
        Self { audio, counters, bans, told, stop: Some(stop), system: Some(system), certificate: None }
    }

    fn address(&self) -> SocketAddr {
        self.audio.addresses[0]
    }

    /// Opens a stream with one listener's key. Returns the publisher's address and the listener's.
    fn open(&self, stream: StreamId) -> (String, String, Arc<StreamStats>) {
        let (publish, listen) = (Key::random().unwrap(), Key::random().unwrap());
        let stats = Arc::<StreamStats>::default();
        let open = OpenStream { stream, key: publish, stats: Arc::clone(&stats), file: "a song.mp3".into() };
        self.audio.relay.open.do_send(open);
        self.audio.relay.admit.do_send(AdmitListener { stream, key: listen });
        let address = |key: Key| format!("rtsp://{}/{stream}?key={}", self.address(), key.reveal());
        (address(publish), address(listen), stats)
    }

    fn expect(&self, told: Told) {
        assert_eq!(self.told.recv_timeout(DEADLINE), Ok(told));
    }

    /// Waits until the counters satisfy the condition.
    fn until(&self, is_so: impl Fn(&AudioCounts) -> bool) -> AudioCounts {
        until(|| Some(self.counters.counts()).filter(&is_so))
    }

    fn subscribe(&self, url: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_from(url, Peer::elsewhere())
    }

    fn subscribe_from(&self, url: &str, from: Peer) -> Result<Subscription, SubscribeError> {
        let (answer, mut answered) = oneshot::channel();
        let key = url.rsplit_once("key=").unwrap().1.parse().unwrap();
        self.audio.subscribe.do_send(Subscribe { stream: SONG, key, from, answer });
        until(|| answered.try_recv().ok())
    }
}

/// Polls until there is a value.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begin = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "it never came");
        std::thread::yield_now();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.system.take().unwrap().join().unwrap();
    }
}

#[test]
fn open_files_follow_the_configuration() {
    let sockets = |media: &Media| open_files(media) - connection_limiter::MAX_CONNECTIONS as u64;
    let media = Media { udp_ports: 1_024..=65_535, streams: 2, waiting: 1, ..Media::default() };
    // Two pairs for each of three publishers, and 16 for each of two streams that play.
    assert_eq!(sockets(&media), 2 * (2 * 3 + 16 * 2));
    assert_eq!(sockets(&Media { waiting: 4, ..media.clone() }), 2 * (2 * 6 + 16 * 2));
    assert_eq!(sockets(&Media { streams: 100, ..media.clone() }), 2 * (2 * 101 + 16 * 100));
    assert_eq!(sockets(&Media { udp_ports: 29_401..=29_405, ..media }), 4, "two pairs fit into the range");
    assert_eq!(sockets(&Media::default()), 1_000, "all ports of the range");
}
