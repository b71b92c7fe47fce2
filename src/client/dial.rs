//! [`Dialer`]: the way to a server.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{
    Password, Target,
    ports::PortSet,
    tls::{Tls, TlsOptions},
};
use crate::escape::Escaped;

/// How long a connection may take to be made, for all of a host's addresses together, TLS and the server's first words
/// included.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// After how much silence the kernel asks whether the server is still there, and how often, so that a server that lost its
/// power is noticed in half a minute.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// How long the server's machine may acknowledge nothing of what was sent, or have no room for it
/// (`TCP_USER_TIMEOUT`, RFC 5482). Without it, Linux repeats unacknowledged data for about 16 minutes, and asks by
/// keepalive only where nothing is unacknowledged.
pub const NO_ANSWER: Duration = Duration::from_secs(25);

/// A connection, whatever is between.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    /// It could not be made.
    #[error("cannot connect to {target}: {why}")]
    Failed {
        /// Where to, fit for printing.
        target: String,
        /// What the system says.
        why: io::Error,
    },
    /// No program listens there.
    #[error(
        "cannot connect to {target}: {why}; no server listens there: is it running (arauto serve), and is this its port?"
    )]
    Refused {
        /// Where to, fit for printing.
        target: String,
        /// What the system says.
        why: io::Error,
    },
    /// Nobody answered.
    #[error("cannot connect to {target}: no answer within {} s", CONNECT_WITHIN.as_secs())]
    Silence {
        /// Where to, fit for printing.
        target: String,
    },
    /// Someone took the connection, and said nothing.
    #[error("{target} took the connection and said nothing within {} s: {hint}", CONNECT_WITHIN.as_secs())]
    Mute {
        /// Where to, fit for printing.
        target: String,
        /// What may help.
        hint: &'static str,
    },
    /// TLS could not be agreed on.
    #[error("no TLS with {target}: {why}")]
    Tls {
        /// Where to, fit for printing.
        target: String,
        /// Why, and what to do, fit for printing.
        why: String,
    },
}

/// A connection to another port of a server, and its two ends.
pub struct Reached {
    /// What goes through it.
    pub stream: Box<dyn Stream>,
    /// Ours.
    pub local: SocketAddr,
    /// The server's.
    pub peer: SocketAddr,
}

/// The way to one server, as often as it is needed, and the password for it.
#[derive(Clone, Debug)]
pub struct Dialer {
    target: Target,
    tls: Option<Tls>,
    password: Option<Arc<Password>>,
    audio: Audio,
    /// See [`NO_ANSWER`].
    no_answer: Duration,
}

/// At which ports of the server its audio may be, and whether it may be unencrypted where the server was joined by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Audio {
    ports: PortSet,
    allow_plain: bool,
}

impl Dialer {
    /// The way to this server, unencrypted.
    #[must_use]
    pub fn new(target: Target) -> Self {
        let audio = Audio { ports: PortSet::all(), allow_plain: false };
        Self { target, tls: None, password: None, audio, no_answer: NO_ANSWER }
    }

    /// The same, encrypted.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The same, with the password to give if one is asked for.
    #[must_use]
    pub fn with_password(self, password: Password) -> Self {
        Self { password: Some(Arc::new(password)), ..self }
    }

    /// The same, waiting longer than [`NO_ANSWER`] for a server that has no room for what is sent.
    #[must_use]
    pub fn with_no_answer(self, longer: Duration) -> Self {
        Self { no_answer: self.no_answer.max(longer), ..self }
    }

    /// The same, with audio at these ports only. `allow_plain`: unencrypted, too, where the server was joined by TLS.
    #[must_use]
    pub fn with_audio(self, ports: PortSet, allow_plain: bool) -> Self {
        Self { audio: Audio { ports, allow_plain }, ..self }
    }

    /// Whether audio may be at this port of the server.
    #[must_use]
    pub fn is_audio_port(&self, port: u16) -> bool {
        self.audio.ports.contains(port)
    }

    /// At which ports audio may be.
    #[must_use]
    pub fn audio_ports(&self) -> &PortSet {
        &self.audio.ports
    }

    /// Whether audio, and the key to it, may be unencrypted: not where the server was joined by TLS, unless that is allowed or
    /// nothing leaves this machine.
    #[must_use]
    pub fn may_be_plain(&self) -> bool {
        self.tls.is_none() || self.audio.allow_plain || self.is_here()
    }

    /// Which server.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The password to give if one is asked for.
    #[must_use]
    pub fn password(&self) -> Option<&Password> {
        self.password.as_deref()
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether any certificate is accepted (`--insecure`): whoever is on the way can read and change everything. To be
    /// shown for as long as it lasts.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::is_insecure)
    }

    /// Whether all on the way can read what is sent: it leaves this machine, and is not encrypted.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.tls.is_none() && !self.is_here()
    }

    /// Whether the server is on this machine, by the name that the user gave.
    fn is_here(&self) -> bool {
        let host = self.target.host.as_str();
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// What should be said before a password is given.
    #[must_use]
    pub fn exposure(&self) -> Option<&'static str> {
        const EXPOSURE: &str =
            "a password would cross the network unencrypted, for all on the way to read; use --tls";
        self.is_exposed().then_some(EXPOSURE)
    }

    /// What should be said before the first connection, each a line.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_insecure() {
            warnings.push(
                "--insecure accepts any certificate: whoever is on the way can read and change everything, passwords among it"
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

    /// Connects, and waits for the server's first words.
    ///
    /// # Errors
    /// If that fails, or takes longer than [`CONNECT_WITHIN`].
    pub async fn dial(&self) -> Result<Box<dyn Stream>, NoConnection> {
        let mut is_there = false;
        let target = || Escaped(&self.target).to_string();
        let done = timeout(CONNECT_WITHIN, self.connect(&mut is_there)).await;
        match done {
            Ok(done) => done,
            Err(_) if is_there => Err(NoConnection::Mute { target: target(), hint: self.hint() }),
            Err(_) => Err(NoConnection::Silence { target: target() }),
        }
    }

    /// Connects to another port of the same machine, where another protocol is spoken. `is_encrypted`: by TLS, with the same
    /// trust; if the dialer has none, the system's.
    ///
    /// # Errors
    /// If that fails, or takes longer than [`CONNECT_WITHIN`].
    pub async fn reach(&self, port: u16, is_encrypted: bool) -> Result<Reached, NoConnection> {
        let target = Target { port, ..self.target.clone() };
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
        timeout(CONNECT_WITHIN, reaching)
            .await
            .unwrap_or_else(|_| Err(NoConnection::Silence { target: shown() }))
    }

    /// `is_there`: set once there is a TCP connection.
    async fn connect(&self, is_there: &mut bool) -> Result<Box<dyn Stream>, NoConnection> {
        let target = || Escaped(&self.target).to_string();
        let failed = |why: io::Error| match why.kind() {
            io::ErrorKind::ConnectionRefused => NoConnection::Refused { target: target(), why },
            _ => NoConnection::Failed { target: target(), why },
        };
        let no_tls = |why| NoConnection::Tls { target: target(), why };
        let Some(tls) = &self.tls else {
            let tcp = connect(&self.target, self.no_answer).await.map_err(failed)?;
            *is_there = true;
            return spoken(tcp).await.map_err(failed);
        };
        let name = Tls::name(&self.target.host).map_err(no_tls)?;
        let tcp = connect(&self.target, self.no_answer).await.map_err(failed)?;
        *is_there = true;
        let stream = tls.shake_hands(name, tcp).await.map_err(no_tls)?;
        // What the server thinks of our certificate comes after the handshake.
        spoken(stream).await.map_err(|error| no_tls(tls.words(&error)))
    }

    /// What may help where nothing is said.
    fn hint(&self) -> &'static str {
        match self.tls {
            None => {
                "it may be the port for TLS (--tls), the page's or audio's, or no server of this kind; messages are mostly at 1234"
            }
            Some(_) => {
                "it may be the port without TLS, the page's or audio's, or no server of this kind; messages are mostly at 1235"
            }
        }
    }
}

async fn connect(target: &Target, no_answer: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    // Each of these only makes it better.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(&stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(no_answer));
    Ok(stream)
}

/// Waits for the server's first words, or for its end: a server speaks first.
async fn spoken<S: Stream + 'static>(stream: S) -> io::Result<Box<dyn Stream>> {
    let mut stream = BufReader::new(stream);
    stream.fill_buf().await?;
    Ok(Box::new(stream))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::tls::TlsOptions;

    /// Nothing is said by a server that waits for TLS to begin, and by one that waits for anything else.
    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_is_not_waited_for_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
        let plain = Dialer::new(target.clone());
        let tls = Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
        let encrypted = Dialer::new(target.clone()).with_tls(tls);
        for (dialer, hint) in [
            (
                plain,
                "it may be the port for TLS (--tls), the page's or audio's, or no server of this kind; messages are mostly at 1234",
            ),
            (
                encrypted,
                "it may be the port without TLS, the page's or audio's, or no server of this kind; messages are mostly at 1235",
            ),
        ] {
            let Err(error) = dialer.dial().await else { panic!("a connection") };
            let said = format!("{target} took the connection and said nothing within 10 s: {hint}");
            assert_eq!(error.to_string(), said);
        }
    }

    #[test]
    fn what_leaves_this_machine_unencrypted_is_exposed() {
        for (host, exposed) in [
            ("127.0.0.1", false),
            ("127.1.2.3", false),
            ("[::1]", false),
            ("[::ffff:127.0.0.1]", false),
            ("LocalHost", false),
            ("192.0.2.1", true),
            ("localhost.example", true),
        ] {
            let dialer = Dialer::new(host.parse().unwrap());
            assert_eq!(dialer.is_exposed(), exposed, "{host}");
            let tls = Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
            assert!(!dialer.with_tls(tls).is_exposed(), "{host}");
        }
    }
}
