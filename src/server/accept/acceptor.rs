//! [`Acceptor`]: accepts connections, refuses those beyond the limits, and hands the others to the couriers in turn.

use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix::Addr;
use arauto_protocol::{Line, reply};
use slog::{Logger, debug, info, warn};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::socket::BACKLOG;
use crate::{
    accounts::Directory,
    config::InForce,
    server::{
        admission::bans::Barrier,
        common::{
            close::{CLOSE_TIMEOUT, CloseReason},
            listener_protocol::ListenerProtocol,
            peer::Peer,
            session_ref::SessionId,
        },
        courier::{
            Courier,
            messages::{Adopt, Secure},
        },
        http::unavailable,
        metrics::Metrics,
        net::{
            connection::see_out,
            incoming::Incoming,
            tls::{credentials::Credentials, handshake::handshake},
        },
    },
};

mod admission;

pub use admission::{Limiters, MAX_HTTP_FILES, SharedLimiters};

/// A listening socket and the protocol of its connections.
#[derive(Debug)]
pub struct Listener {
    /// The listening socket.
    pub socket: TcpListener,
    /// The service manager passed the socket and keeps listening: connections that wait when the server ends are left
    /// for the next server.
    pub is_passed: bool,
    /// The protocol of its connections.
    pub protocol: ListenerProtocol,
    /// Present if connections speak TLS; their handshakes are answered with it.
    pub credentials: Option<Credentials>,
}

/// Refused connections that are kept open at a time until they close. Each holds an open file for at most 1 s, or 4 s
/// over TLS.
pub const MAX_REFUSALS: usize = 64;

/// Accepts or refuses connections and gives them to couriers. Clones share the numbering and the limits.
#[derive(Clone)]
pub struct Acceptor {
    /// The couriers, by worker.
    pub couriers: Vec<Addr<Courier>>,
    /// The bans, for checking addresses.
    pub barrier: Barrier,
    /// A permit for each of `limits.max_sessions`.
    pub places: Arc<Semaphore>,
    /// A permit for each connection that may be on trial for a place reserved for accounts.
    pub trials: Arc<Semaphore>,
    /// The accounts that places are reserved for.
    pub accounts: Directory,
    /// A permit for each open file of HTTP connections.
    pub pages: Arc<Semaphore>,
    /// Maximum number of sessions.
    pub max_sessions: usize,
    /// Cancelled to stop accepting.
    pub stop: CancellationToken,
    /// Longest message, in bytes; bounds the line of a refusal.
    pub message_bytes: usize,
    /// The configuration in force.
    pub config: InForce,
    /// The last session number given.
    pub numbers: Arc<AtomicU64>,
    /// A permit for each refused connection that is kept open.
    pub refusals: Arc<Semaphore>,
    /// Counts connections and refusals.
    pub metrics: Arc<Metrics>,
    /// The server's log.
    pub log: Logger,
}

impl Acceptor {
    /// Accepts connections until `stop` is cancelled. Unless the socket was passed, connections that are established in
    /// the kernel by then are accepted as well, so that they are sent `server closed`: closing the socket would reset
    /// them.
    pub async fn accept_all(self, listener: Listener, limiters: SharedLimiters) -> io::Result<()> {
        let Listener { socket, is_passed, protocol, credentials } = listener;
        let receive = |socket: TcpStream, from| {
            let peer = Peer::of(&socket, from, self.config.get().server.local_connections);
            let secure = credentials.as_ref().map(|credentials| Secure(credentials.get()));
            self.receive(socket, peer, protocol, secure, &limiters);
        };
        let report = |error: &io::Error| {
            warn!(self.log, "cannot accept connections; retrying"; "error" => %error);
        };
        let mut incoming = Incoming::new(socket, &self.log)?;
        while let Some((socket, from)) = self.stop.run_until_cancelled(incoming.next(report)).await {
            // An error concerns this connection alone, which is closed.
            if let Ok(socket) = socket.into_std() {
                receive(socket, from);
            }
        }
        if !is_passed {
            for (_, (socket, from)) in (0..BACKLOG).zip(incoming.into_waiting()?) {
                // Accepted sockets do not inherit this option.
                socket.set_nonblocking(true)?;
                receive(socket, from);
            }
        }
        Ok(())
    }

    /// Admits a connection, sends the name request and hands the connection to a courier, or refuses it. The name
    /// request is sent here so that it does not wait for the courier's thread; it needs no reactor, because a new
    /// socket has room for it. Over TLS, the courier sends it after the handshake.
    fn receive(
        &self,
        mut socket: TcpStream,
        peer: Peer,
        protocol: ListenerProtocol,
        secure: Option<Secure>,
        limiters: &SharedLimiters,
    ) {
        self.metrics.count_connection(protocol, secure.is_some());
        let admitted = self.refuse_banned(peer).and_then(|()| match protocol {
            ListenerProtocol::Messages => self.admit(peer, limiters),
            ListenerProtocol::Http => self.admit_to_page(peer, limiters),
        });
        let permit = match admitted {
            Ok(admitted) => admitted,
            Err((line, reason)) => {
                self.log_refused(peer, reason, limiters);
                let words = match protocol {
                    ListenerProtocol::Messages => line.as_bytes().to_vec(),
                    ListenerProtocol::Http => unavailable(why(&line)).into_bytes(),
                };
                return self.refuse(socket, secure, words);
            }
        };
        if secure.is_none()
            && protocol == ListenerProtocol::Messages
            && let Err(error) = socket.write_all(reply::name_request().as_bytes())
        {
            debug!(self.log, "connection closed before the first message"; "peer" => %peer, "error" => %error);
            return;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let sessions = self.max_sessions - self.places.available_permits();
        let spread_above = self.config.get().server.spread_above;
        let turn = turn_of(number, sessions, spread_above, self.couriers.len());
        self.couriers[turn].do_send(Adopt { socket, peer, id: SessionId(number), permit, protocol, secure });
    }

    fn log_refused(&self, peer: Peer, reason: CloseReason, limiters: &SharedLimiters) {
        self.metrics.count_end(reason);
        match limiters.sessions.borrow_mut().log_refusal(Instant::now()) {
            Some(0) => info!(self.log, "refused"; "peer" => %peer, "reason" => reason),
            Some(unlogged) => {
                info!(self.log, "refused"; "peer" => %peer, "reason" => reason, "unlogged_before" => unlogged);
            }
            None => {}
        }
    }

    /// Sends the reason of a refusal and closes the connection.
    fn refuse(&self, mut socket: TcpStream, secure: Option<Secure>, words: Vec<u8>) {
        if secure.is_none() {
            // A new socket has room for a line; if the write fails, the peer is gone.
            let _ = socket.write_all(&words);
        }
        // Without a permit the socket is dropped at once: in a flood, a reset may reach some peers before they read the
        // reason.
        if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            actix_rt::spawn(async move {
                match secure {
                    None => see_out_plain(socket).await,
                    Some(secure) => see_out_secure(socket, secure, &words).await,
                }
                drop(permit);
            });
        }
    }
}

/// Index of the courier for a connection. With at most `spread_above` sessions it is the first, so that the other
/// workers need not wake; above that, each courier in turn.
fn turn_of(number: u64, sessions: usize, spread_above: usize, couriers: usize) -> usize {
    if sessions <= spread_above { 0 } else { usize::try_from(number).unwrap_or_default() % couriers }
}

/// DATA of a line.
fn why(line: &Line) -> &str {
    line.text().splitn(4, " | ").last().unwrap_or_default()
}

/// Closes a refused connection that was sent the reason already.
async fn see_out_plain(socket: TcpStream) {
    if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
        see_out(socket, &[]).await;
    }
}

/// Closes a refused connection that can be sent the reason only after a TLS handshake.
async fn see_out_secure(socket: TcpStream, Secure(config): Secure, words: &[u8]) {
    match handshake(socket, config, Instant::now() + CLOSE_TIMEOUT).await {
        Ok(stream) => see_out(stream, words).await,
        Err(failure) => {
            // The words go out in plain text. A peer that speaks TLS would take them for a broken record.
            let words = if failure.takes_plain_text() { words } else { &[] };
            if let Some(socket) = failure.socket {
                see_out(socket, words).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::Shutdown, rc::Rc};

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};

    use super::*;
    use crate::{accounts::AccountsFile, config::Config};

    /// Ends the server while a connection waits to be accepted.
    fn end_while_one_waits(listener: TcpListener, is_passed: bool) {
        listener.set_nonblocking(true).unwrap();
        let acceptor = Acceptor {
            couriers: Vec::new(),
            barrier: Barrier::default(),
            places: Arc::new(Semaphore::new(0)),
            trials: Arc::new(Semaphore::new(0)),
            accounts: Directory::new(AccountsFile::default()),
            pages: Arc::new(Semaphore::new(0)),
            max_sessions: 0,
            stop: CancellationToken::new(),
            message_bytes: 1024,
            config: InForce::new(Config::default()),
            numbers: Arc::default(),
            refusals: Arc::new(Semaphore::new(0)),
            metrics: Arc::default(),
            log: Logger::root(slog::Discard, slog::o!()),
        };
        acceptor.stop.cancel();
        let limiters = Rc::new(Limiters::new(Instant::now()));
        let accepting = acceptor.accept_all(
            Listener { socket: listener, is_passed, protocol: ListenerProtocol::Messages, credentials: None },
            limiters,
        );
        actix_rt::System::new().block_on(accepting).unwrap();
    }

    #[test]
    fn a_few_are_served_by_the_first_worker_and_more_by_all() {
        let turns = |spread_above| -> Vec<usize> {
            (1..).zip(1..=6).map(|(number, sessions)| turn_of(number, sessions, spread_above, 3)).collect()
        };
        assert_eq!(turns(2), [0, 0, 0, 1, 2, 0]);
        assert_eq!(turns(0), [1, 2, 0, 1, 2, 0]);
    }

    fn self_signed() -> Secure {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        Secure(Arc::new(config))
    }

    #[test]
    fn a_refused_peer_that_speaks_tls_gets_no_plain_text() {
        let words = b"server | client | connection_error | no\n";
        let answer_to = |sent: &[u8]| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.write_all(sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            accepted.set_nonblocking(true).unwrap();
            actix_rt::System::new().block_on(see_out_secure(accepted, self_signed(), words));
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).unwrap();
            answer
        };
        assert_eq!(answer_to(b"alan\n"), words);
        // The first is a handshake record with an unknown message; the second ends early.
        for spoken in [&b"\x16\x03\x01\x00\x04\xff\x00\x00\x00"[..], b"\x16\x03\x01\x02\x00\x01"] {
            let answer = answer_to(spoken);
            // An alert, or nothing.
            assert!(answer.first().is_none_or(|first| *first == 21), "{answer:?}");
            assert!(!answer.ends_with(words), "{answer:?}");
        }
    }

    #[test]
    fn who_waits_when_the_server_ends_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        end_while_one_waits(listener, false);
        let mut told = String::new();
        client.read_to_string(&mut told).unwrap();
        assert_eq!(told, "server | all clients | broadcast | server closed\n");
    }

    #[test]
    fn who_waits_at_a_passed_socket_waits_for_the_next_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        end_while_one_waits(listener.try_clone().unwrap(), true);
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from, client.local_addr().unwrap());
    }
}
