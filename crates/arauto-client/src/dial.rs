//! [`Dialer`]: connects to a server, by TCP or TLS, and says what is dangerous about the connection.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arauto_settings::escape::Escaped;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{
    Password, Target, Targets,
    ports::PortSet,
    tls::{Tls, TlsOptions},
};

/// Time limit of a connection attempt: all addresses of the host, the TLS handshake and the server's first bytes
/// together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for each address, in place of [`CONNECT_TIMEOUT`], if there are several: the next one may answer at once.
pub const NEXT_ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

/// Keepalive: idle time before the first probe, interval, number of probes. A server whose machine lost power is
/// noticed within 15 + 3 × 5 = 30 s.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// How long the server's machine may acknowledge nothing of the data sent, or have no room for it
/// (`TCP_USER_TIMEOUT`, RFC 5482). Without this limit, Linux repeats unacknowledged data for about 16 minutes, and
/// keepalive probes only connections on which nothing is unacknowledged.
pub const NO_ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

/// A bidirectional byte stream to the server: TCP or TLS over TCP.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    /// The connection could not be made.
    #[error("cannot connect to {target}: {why}")]
    Failed {
        /// Host and port, escaped for printing.
        target: String,
        /// The system's error.
        why: io::Error,
    },
    /// No program listens at the port.
    #[error(
        "cannot connect to {target}: {why}; no server listens there: is it running (arauto serve), and is this its port?"
    )]
    Refused {
        /// Host and port, escaped for printing.
        target: String,
        /// The system's error.
        why: io::Error,
    },
    /// The connection was not made in time.
    #[error("cannot connect to {target}: no answer within {} s", within.as_secs())]
    Silence {
        /// Host and port, escaped for printing.
        target: String,
        /// The time limit.
        within: Duration,
    },
    /// The connection was made, but the server sent nothing in time.
    #[error("{target} accepted the connection and sent nothing within {} s: {hint}", within.as_secs())]
    Mute {
        /// Host and port, escaped for printing.
        target: String,
        /// The time limit.
        within: Duration,
        /// Advice for the user.
        hint: &'static str,
    },
    /// The TLS handshake failed.
    #[error("TLS with {target} failed: {why}")]
    Tls {
        /// Host and port, escaped for printing.
        target: String,
        /// Reason and advice, escaped for printing.
        why: String,
    },
    /// None of several addresses could be connected to. Holds the error of each, in the order in which they were tried.
    #[error("none of the {} addresses lets this client connect: {}", .0.len(), in_turn(.0))]
    NoneOf(Vec<NoConnection>),
}

fn in_turn(errors: &[NoConnection]) -> String {
    errors.iter().map(NoConnection::to_string).collect::<Vec<_>>().join("; ")
}

/// A connection to another port of a server, with the addresses of its two ends.
pub struct Reached {
    /// The byte stream.
    pub stream: Box<dyn Stream>,
    /// This machine's address and port.
    pub local: SocketAddr,
    /// The server's address and port.
    pub peer: SocketAddr,
}

/// Makes connections to one server, or to the servers of a cluster, any number of times, and holds the password for it.
#[derive(Clone, Debug)]
pub struct Dialer {
    targets: Targets,
    /// How many addresses were tried so far, in turn. Clones share it: they concern the same server.
    tried: Arc<AtomicUsize>,
    tls: Option<Tls>,
    password: Option<Arc<Password>>,
    audio: Audio,
    /// See [`NO_ANSWER_TIMEOUT`].
    no_answer: Duration,
}

/// Ports at which the server's audio may be, and whether it may be unencrypted although the server was joined by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Audio {
    ports: PortSet,
    allow_plain: bool,
}

impl Dialer {
    /// Returns a dialer for unencrypted connections to this server, with audio at any port.
    #[must_use]
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            tried: Arc::default(),
            tls: None,
            password: None,
            audio: Audio { ports: PortSet::all(), allow_plain: false },
            no_answer: NO_ANSWER_TIMEOUT,
        }
    }

    /// Encrypts connections with TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sets the password to give if the server asks for one.
    #[must_use]
    pub fn with_password(self, password: Password) -> Self {
        Self { password: Some(Arc::new(password)), ..self }
    }

    /// Waits this long, if it exceeds [`NO_ANSWER_TIMEOUT`], for a server that has no room for the data sent.
    #[must_use]
    pub fn with_no_answer(self, longer: Duration) -> Self {
        Self { no_answer: self.no_answer.max(longer), ..self }
    }

    /// Restricts audio to these ports. `allow_plain` allows unencrypted audio from a server that was joined by TLS.
    #[must_use]
    pub fn with_audio(self, ports: PortSet, allow_plain: bool) -> Self {
        Self { audio: Audio { ports, allow_plain }, ..self }
    }

    /// Whether audio may be at this port of the server.
    #[must_use]
    pub fn is_audio_port(&self, port: u16) -> bool {
        self.audio.ports.contains(port)
    }

    /// Returns the ports at which audio may be.
    #[must_use]
    pub fn audio_ports(&self) -> &PortSet {
        &self.audio.ports
    }

    /// Whether audio, and its key, may be unencrypted. For a server joined by TLS, this needs `allow_plain` or a
    /// server on this machine.
    #[must_use]
    pub fn may_be_plain(&self) -> bool {
        self.tls.is_none() || self.audio.allow_plain || is_here(&self.target())
    }

    /// Returns the host and port that were connected to last; before that, the first ones.
    #[must_use]
    pub fn target(&self) -> Target {
        self.at_turn(self.tried.load(Ordering::Relaxed).saturating_sub(1)).clone()
    }

    /// Returns the number of addresses of the server.
    #[must_use]
    pub fn address_count(&self) -> usize {
        self.targets.as_slice().len()
    }

    /// Returns the password to give if the server asks for one.
    #[must_use]
    pub fn password(&self) -> Option<&Password> {
        self.password.as_deref()
    }

    /// Whether connections use TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether any certificate is accepted (`--insecure`), so that an attacker on the network path can read and
    /// change everything. User interfaces show this for as long as the connection lasts.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::is_insecure)
    }

    /// Whether the network path can read what is sent: the connection to one of the addresses leaves this machine
    /// unencrypted.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.tls.is_none() && !self.targets.as_slice().iter().all(is_here)
    }

    /// Returns a warning to show before the user gives a password, if the connection is exposed.
    #[must_use]
    pub fn exposure(&self) -> Option<&'static str> {
        const EXPOSURE: &str =
            "a password would cross the network unencrypted, readable to anyone on the way; use --tls";
        self.is_exposed().then_some(EXPOSURE)
    }

    /// Returns the warnings to show before the first connection, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_insecure() {
            warnings.push(
                "--insecure accepts any certificate: an attacker on the network can read and change everything, including passwords"
                    .to_owned(),
            );
        }
        if let Some(tls) = &self.tls {
            warnings.extend_from_slice(tls.warnings());
        }
        if let Some(password) = &self.password {
            warnings.extend(password.warning());
            warnings.extend(self.exposure().map(str::to_owned));
        }
        warnings
    }

    /// Connects, and waits for the server's first bytes. Of several addresses, each is tried once, beginning with the one
    /// after the last that was tried: after a cut, or a refusal, another one is the better choice.
    ///
    /// # Errors
    /// If no connection succeeds within [`CONNECT_TIMEOUT`], or, for each of several addresses, [`NEXT_ADDRESS_TIMEOUT`].
    pub async fn dial(&self) -> Result<Box<dyn Stream>, NoConnection> {
        let mut errors = Vec::new();
        for _ in 0..self.address_count() {
            let turn = self.tried.fetch_add(1, Ordering::Relaxed);
            match self.dial_one(self.at_turn(turn)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => errors.push(error),
            }
        }
        match errors.pop() {
            Some(error) if errors.is_empty() => Err(error),
            last => Err(NoConnection::NoneOf(errors.into_iter().chain(last).collect())),
        }
    }

    /// The address whose turn it is after this many.
    fn at_turn(&self, turn: usize) -> &Target {
        let targets = self.targets.as_slice();
        &targets[turn % targets.len()]
    }

    async fn dial_one(&self, to: &Target) -> Result<Box<dyn Stream>, NoConnection> {
        let mut is_there = false;
        let target = || Escaped(to).to_string();
        let within = if self.address_count() == 1 { CONNECT_TIMEOUT } else { NEXT_ADDRESS_TIMEOUT };
        let done = timeout(within, self.connect(to, &mut is_there)).await;
        match done {
            Ok(done) => done,
            Err(_) if is_there => Err(NoConnection::Mute { target: target(), within, hint: self.hint() }),
            Err(_) => Err(NoConnection::Silence { target: target(), within }),
        }
    }

    /// Connects to another port of the same host, where another protocol is spoken. `is_encrypted`: by TLS, with the
    /// dialer's trust, or with the system's if the dialer has none.
    ///
    /// # Errors
    /// If the connection fails, or takes longer than [`CONNECT_TIMEOUT`].
    pub async fn reach(&self, port: u16, is_encrypted: bool) -> Result<Reached, NoConnection> {
        let target = Target { port, ..self.target() };
        let shown = || Escaped(&target).to_string();
        let failed = |why| NoConnection::Failed { target: shown(), why };
        let no_tls = |why| NoConnection::Tls { target: shown(), why };
        let reaching = async {
            let tcp = connect(&target, self.no_answer).await.map_err(failed)?;
            let (local, peer) = (tcp.local_addr().map_err(failed)?, tcp.peer_addr().map_err(failed)?);
            if !is_encrypted {
                return Ok(Reached { stream: Box::new(tcp), local, peer });
            }
            let tls = match &self.tls {
                Some(tls) => tls.clone(),
                None => Tls::new(&TlsOptions { tls: true, ..TlsOptions::default() })
                    .map_err(|error| no_tls(error.to_string()))?,
            };
            let name = Tls::name(&target.host).map_err(no_tls)?;
            let stream = tls.shake_hands(name, tcp).await.map_err(no_tls)?;
            Ok(Reached { stream: Box::new(stream), local, peer })
        };
        timeout(CONNECT_TIMEOUT, reaching)
            .await
            .unwrap_or_else(|_| Err(NoConnection::Silence { target: shown(), within: CONNECT_TIMEOUT }))
    }

    /// Sets `is_there` once there is a TCP connection.
    async fn connect(&self, to: &Target, is_there: &mut bool) -> Result<Box<dyn Stream>, NoConnection> {
        let target = || Escaped(to).to_string();
        let failed = |why: io::Error| match why.kind() {
            io::ErrorKind::ConnectionRefused => NoConnection::Refused { target: target(), why },
            _ => NoConnection::Failed { target: target(), why },
        };
        let no_tls = |why| NoConnection::Tls { target: target(), why };
        let Some(tls) = &self.tls else {
            let tcp = connect(to, self.no_answer).await.map_err(failed)?;
            *is_there = true;
            return spoken(tcp).await.map_err(failed);
        };
        let name = Tls::name(&to.host).map_err(no_tls)?;
        let tcp = connect(to, self.no_answer).await.map_err(failed)?;
        *is_there = true;
        let stream = tls.shake_hands(name, tcp).await.map_err(no_tls)?;
        // The server's verdict on the client's certificate arrives after the handshake.
        spoken(stream).await.map_err(|error| no_tls(tls.words(&error)))
    }

    /// Returns advice for a connection on which the server sends nothing.
    fn hint(&self) -> &'static str {
        match self.tls {
            None => {
                "it may be the port for TLS (--tls), for the page or for audio, or no TR2.23 server; the usual port for messages is 1234"
            }
            Some(_) => {
                "it may be the port without TLS, for the page or for audio, or no TR2.23 server; the usual port for messages is 1235"
            }
        }
    }
}

/// Whether the server is on this machine, judged by the host name or address that the user gave.
fn is_here(target: &Target) -> bool {
    let host = target.host.as_str();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

async fn connect(target: &Target, no_answer: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    // These options are improvements only; the connection works without them.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(&stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(no_answer));
    Ok(stream)
}

/// Waits for the server's first bytes or the end of the stream. A server of this protocol speaks first.
async fn spoken<S: Stream + 'static>(stream: S) -> io::Result<Box<dyn Stream>> {
    let mut stream = BufReader::new(stream);
    stream.fill_buf().await?;
    Ok(Box::new(stream))
}

#[cfg(test)]
mod tests;
