//! Tests of an outbox over a real TLS connection whose sockets have small buffers.

use std::{
    cell::RefCell,
    io::Read,
    net::{TcpListener, TcpStream},
    rc::Rc,
    sync::{Arc, mpsc},
    time::Duration,
};

use arauto_protocol::{Line, Message};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::ServerName,
};
use slog::{Discard, Logger, o};
use socket2::{Domain, SockRef, Socket, Type};
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout},
};

use super::{credentials, handshake::handshake, stream::halves};
use crate::{
    config::Tls,
    server::{
        admission::address_limiter::SessionPermit,
        delivery::outbox::{Bounds, Flushed, Outbox, at_once, flush_task},
    },
};

const DEADLINE: Duration = Duration::from_secs(20);
/// Requested size of socket buffers, about the least that the kernel allows.
const ROOM: usize = 4096;

fn line(number: usize) -> Line {
    let data = format!("{number} {}", "x".repeat(900));
    Line::lossy(&Message { sender: "a", destination: "b", operation: "echo", data: &data })
}

fn certificate() -> (TempDir, Tls, RootCertStore) {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
        ..Tls::default()
    };
    std::fs::write(&tls.certificate, cert.pem()).unwrap();
    std::fs::write(&tls.key, signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    (folder, tls, roots)
}

/// Performs the handshake, reads nothing until `go` permits it, then reads all these lines.
fn client(socket: TcpStream, config: Arc<ClientConfig>, lines: usize, go: &mpsc::Receiver<()>) {
    let session = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    go.recv().unwrap();
    for number in 0..lines {
        let expected = line(number);
        let mut got = vec![0; expected.as_bytes().len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got == expected.as_bytes(), "line {number} of {lines}");
    }
}

/// Writes `lines` lines to a client that reads only when all are written as far as they go.
async fn write_to_someone_who_pauses(lines: usize, tls: &Tls, roots: RootCertStore) {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(ROOM).unwrap();
    socket.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (tell, go) = mpsc::channel();
    let (finish, finished) = oneshot::channel();
    std::thread::spawn(move || {
        client(socket.into(), Arc::new(config), lines, &go);
        finish.send(()).unwrap();
    });

    let (accepted, _) = listener.accept().unwrap();
    SockRef::from(&accepted).set_send_buffer_size(ROOM).unwrap();
    accepted.set_nonblocking(true).unwrap();
    let loaded = credentials::load(tls, &Logger::root(Discard, o!())).unwrap();
    let credentials = credentials::Credentials::new(loaded).get();
    let stream = handshake(accepted, credentials, Instant::now() + DEADLINE).await.unwrap();
    let (_receiver, sender) = halves(stream);
    let bounds = Bounds { limit: 1 << 20, grace: DEADLINE, gap: Duration::ZERO };
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let permit = Rc::new(SessionPermit::with_place(place, None));
    let outbox = Rc::new(RefCell::new(Outbox::new(Box::new(sender), Rc::new(bounds), permit)));
    for number in 0..lines {
        at_once(|cx| outbox.borrow_mut().send_line(&line(number), cx)).unwrap();
        if outbox.borrow_mut().wants_flush_task() {
            let outbox = Rc::clone(&outbox);
            actix_rt::spawn(async move { while flush_task(&outbox).await.unwrap() != Flushed::All {} });
        }
    }
    tell.send(()).unwrap();
    // No further write can push out what was left behind.
    timeout(DEADLINE, finished).await.expect("all that was written to be read").unwrap();
}

#[test]
fn what_tls_took_and_the_socket_did_not_is_not_left_behind() {
    actix_rt::System::new().block_on(async {
        let (_folder, tls, roots) = certificate();
        // TLS takes up to 64 KiB more than the socket: some of these amounts end within them.
        for lines in (1..200).step_by(16) {
            write_to_someone_who_pauses(lines, &tls, roots.clone()).await;
        }
    });
}
