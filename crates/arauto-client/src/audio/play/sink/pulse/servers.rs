//! [`Named`]: which sound servers the environment and PulseAudio's own settings name, as `libpulse` reads them.
//!
//! Forms of an address, the precedence of settings, and the sockets that are tried without any are those of
//! `pulse-client.conf(5)` and of PulseAudio's `pa_parse_address` and `pa_context_connect`. Properties of an X11 server
//! are not read.

use std::{
    fmt,
    io::{self, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::PathBuf,
    thread,
    time::Duration,
};

use super::config::{Environment, PulseConfig};

/// Default TCP port of PulseAudio.
const PORT: u16 = 4713;
/// Address of a sound server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket of this machine.
    Unix(PathBuf),
    /// A host and port, and the address families to use.
    Tcp { host: String, port: u16, family: Family },
}

/// Address families of a host to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Any,
    V4,
    V6,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "tcp:{host}:{port}"),
        }
    }
}

/// Reason why no sound server can be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The user's settings name an address that is not supported.
    #[error("{by} names {address}")]
    Unsupported {
        /// The variable or setting that names it.
        by: String,
        /// The address.
        address: UnsupportedAddress,
    },
    /// The user's settings name servers for other machines only.
    #[error("{by} names only servers for other machines: {servers}")]
    OtherMachines {
        /// The variable or setting that names them.
        by: String,
        /// The servers, as they are named.
        servers: String,
    },
    /// No server answers. Holds the last one tried.
    #[error("{}{address}: {why}", .by.as_ref().map(|by| format!("{by} names ")).unwrap_or_default())]
    Unreachable {
        /// The variable or setting that names it; `None` for a default socket.
        by: Option<String>,
        /// The address.
        address: Address,
        /// Reason.
        why: io::Error,
    },
    /// None of the default sockets exists.
    #[error("no PulseAudio or PipeWire is running")]
    NotRunning,
}

/// Error: an address of a form that is not supported, with its text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}, which is not supported here: write unix:PATH, tcp:HOST or tcp:HOST:PORT")]
pub struct UnsupportedAddress(String);

/// The servers to try, in order, with what is needed to use them.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// Addresses of the servers.
    pub addresses: Vec<Address>,
    /// The variable or setting that names them; `None` for the default sockets.
    pub by: Option<String>,
    /// The sink to play to; `None` for the server's default.
    pub sink: Option<String>,
    /// File of the secret that a user's programs show to the server.
    pub cookie: Option<PathBuf>,
}

impl Named {
    /// Reads the environment and the settings files.
    ///
    /// # Errors
    /// If a server is named in an unsupported form, or only for other machines.
    pub fn read(environment: &Environment) -> Result<Self, ServerError> {
        let settings = PulseConfig::read(environment);
        let text =
            |name: &str| (environment.variable)(name).map(|value| value.to_string_lossy().into_owned());
        let cookie = environment.path("PULSE_COOKIE").or_else(|| settings.cookie.clone().map(PathBuf::from));
        let folders = environment.settings_folders();
        let usual = || {
            let home = environment.path("HOME").map(|home| home.join(".pulse-cookie"));
            let all = folders.iter().map(|folder| folder.join("cookie")).chain(home);
            all.into_iter().find(|path| path.exists())
        };
        let sink = text("PULSE_SINK").or(settings.sink);
        let variable = text("PULSE_SERVER").filter(|servers| !servers.trim().is_empty());
        let (servers, by) = match (variable, settings.server) {
            (Some(servers), _) => (servers, "PULSE_SERVER".to_owned()),
            (None, Some(servers)) => (servers, format!("default-server in {}", settings.file)),
            (None, None) => {
                let addresses = usual_sockets(environment, &folders, settings.tries_localhost);
                return Ok(Self { addresses, by: None, sink, cookie: cookie.or_else(usual) });
            }
        };
        let addresses = match parse_list(&servers, environment.machine_id.as_deref()) {
            Ok(addresses) if addresses.is_empty() => return Err(ServerError::OtherMachines { by, servers }),
            Ok(addresses) => addresses,
            Err(address) => return Err(ServerError::Unsupported { by, address }),
        };
        Ok(Self { addresses, by: Some(by), sink, cookie: cookie.or_else(usual) })
    }

    /// Connects to the first server that answers.
    ///
    /// # Errors
    /// If none answers. The error holds the last one tried.
    pub fn connect(&self, within: Duration) -> Result<UnixStream, ServerError> {
        let mut failed = ServerError::NotRunning;
        for address in &self.addresses {
            match address.connect(within) {
                Ok(stream) => return Ok(stream),
                Err(why) => {
                    failed = ServerError::Unreachable { by: self.by.clone(), address: address.clone(), why };
                }
            }
        }
        Err(failed)
    }
}

/// Existing default sockets: those of this user, then of the system. Then localhost by TCP, if the settings allow it.
fn usual_sockets(environment: &Environment, folders: &[PathBuf], tries_localhost: bool) -> Vec<Address> {
    let runtime = environment.path("PULSE_RUNTIME_PATH");
    let by_session = environment.path("XDG_RUNTIME_DIR").or_else(|| {
        // A login session has the socket here, but a service or `su` does not set the variable.
        environment.user.map(|user| PathBuf::from(format!("/run/user/{user}")))
    });
    let by_machine = environment.machine_id.as_ref().map(|id| format!("{id}-runtime/native"));
    let by_machine = by_machine.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let sockets = runtime
        .iter()
        .flat_map(|path| [path.join("native"), path.join("pulse/native")])
        .chain(by_session.map(|path| path.join("pulse/native")))
        .chain(by_machine)
        .chain([PathBuf::from("/run/pulse/native"), PathBuf::from("/var/run/pulse/native")]);
    let there = sockets.filter(|path| path.exists()).map(Address::Unix);
    let localhost = [("127.0.0.1", Family::V4), ("::1", Family::V6)].map(|(host, family)| Address::Tcp {
        host: host.to_owned(),
        port: PORT,
        family,
    });
    there.chain(localhost.into_iter().filter(|_| tries_localhost)).collect()
}

/// Parses addresses separated by blanks. Leaves out those for other machines (`{id}ADDRESS`).
fn parse_list(text: &str, machine_id: Option<&str>) -> Result<Vec<Address>, UnsupportedAddress> {
    let mut addresses = Vec::new();
    for entry in text.split_whitespace() {
        let unsupported = || UnsupportedAddress(entry.to_owned());
        let address = match entry.strip_prefix('{') {
            None => entry,
            Some(rest) => {
                let (id, address) = rest.split_once('}').ok_or_else(unsupported)?;
                if Some(id) != machine_id {
                    continue;
                }
                address
            }
        };
        addresses.push(parse(address).ok_or_else(unsupported)?);
    }
    Ok(addresses)
}

/// `unix:PATH`, `/PATH`, `tcp:HOST`, `tcp4:HOST:PORT`, `tcp6:[ADDRESS]:PORT`, or a host without a prefix.
fn parse(text: &str) -> Option<Address> {
    let path = text.strip_prefix("unix:").or_else(|| Some(text).filter(|text| text.starts_with('/')));
    if let Some(path) = path {
        return (!path.is_empty()).then(|| Address::Unix(path.into()));
    }
    let (family, rest) = [("tcp:", Family::Any), ("tcp4:", Family::V4), ("tcp6:", Family::V6)]
        .into_iter()
        .find_map(|(prefix, family)| Some((family, text.strip_prefix(prefix)?)))
        .unwrap_or((Family::Any, text));
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        // An IPv6 address without brackets has no port.
        None if rest.matches(':').count() > 1 => (rest, None),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok().filter(|port| *port != 0))?;
    let fits = !host.is_empty() && !host.contains(['/', '{', '}']);
    fits.then(|| Address::Tcp { host: host.to_owned(), port, family })
}

impl Address {
    fn connect(&self, within: Duration) -> io::Result<UnixStream> {
        let (host, port, family) = match self {
            Self::Unix(path) => return UnixStream::connect(path),
            Self::Tcp { host, port, family } => (host, *port, *family),
        };
        let fits = |address: &SocketAddr| {
            matches!(
                (family, address.ip()),
                (Family::Any, _) | (Family::V4, IpAddr::V4(_)) | (Family::V6, IpAddr::V6(_))
            )
        };
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no such address");
        for address in (host.as_str(), port).to_socket_addrs()?.filter(fits) {
            match TcpStream::connect_timeout(&address, within) {
                Ok(stream) => return bridge(stream),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }
}

/// Bridges a TCP connection to a Unix socket, because the client library takes no other kind.
fn bridge(tcp: TcpStream) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    tcp.set_nodelay(true)?;
    let (tcp_in, theirs_out) = (tcp.try_clone()?, theirs.try_clone()?);
    let name = || thread::Builder::new().name("sound by tcp".to_owned());
    // Each thread stops at the end of its input, and then closes its output.
    name().spawn(move || {
        let _ = carry(&tcp_in, &theirs_out);
        let _ = theirs_out.shutdown(Shutdown::Both);
    })?;
    name().spawn(move || {
        let _ = carry(&theirs, &tcp);
        let _ = tcp.shutdown(Shutdown::Both);
    })?;
    Ok(ours)
}

fn carry(mut from: impl io::Read, mut to: impl Write) -> io::Result<u64> {
    io::copy(&mut from, &mut to)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn tcp(host: &str, port: u16, family: Family) -> Address {
        Address::Tcp { host: host.to_owned(), port, family }
    }

    fn unix(path: &str) -> Address {
        Address::Unix(path.into())
    }

    #[test]
    fn addresses_as_pactl_takes_them() {
        for (text, addresses) in [
            ("unix:/run/x", vec![unix("/run/x")]),
            ("/run/x", vec![unix("/run/x")]),
            ("tcp:127.0.0.1:4713", vec![tcp("127.0.0.1", 4713, Family::Any)]),
            ("tcp:sound.example", vec![tcp("sound.example", 4713, Family::Any)]),
            ("tcp4:h:1", vec![tcp("h", 1, Family::V4)]),
            ("tcp6:[::1]:2", vec![tcp("::1", 2, Family::V6)]),
            ("tcp6:::1", vec![tcp("::1", 4713, Family::V6)]),
            ("[::1]", vec![tcp("::1", 4713, Family::Any)]),
            ("localhost", vec![tcp("localhost", 4713, Family::Any)]),
            ("10.0.2.2:99", vec![tcp("10.0.2.2", 99, Family::Any)]),
            ("{me}unix:/a {other}tcp:b\ttcp:c", vec![unix("/a"), tcp("c", 4713, Family::Any)]),
            ("{other}unix:/a", vec![]),
        ] {
            assert_eq!(parse_list(text, Some("me")), Ok(addresses), "{text}");
        }
        for text in
            ["unix:", "tcp:", "tcp:h:x", "tcp:h:0", "tcp:h:65536", "{me", "[::1", "dbus:a/b", "h:1 unix:"]
        {
            let why = parse_list(text, Some("me")).unwrap_err().to_string();
            assert!(why.contains("not supported here"), "{text}: {why}");
        }
    }

    fn environment(variable: fn(&str) -> Option<OsString>) -> Environment {
        Environment {
            variable,
            machine_id: Some("me".to_owned()),
            user: Some(0),
            system_settings: "/no/file",
        }
    }

    #[test]
    fn what_names_a_server_is_told_when_it_fails() {
        let named =
            Named::read(&environment(|name| (name == "PULSE_SERVER").then(|| "/nowhere".into()))).unwrap();
        let why = named.connect(Duration::from_secs(1)).unwrap_err().to_string();
        assert_eq!(why, "PULSE_SERVER names unix:/nowhere: No such file or directory (os error 2)");
        let why = Named::read(&environment(|name| (name == "PULSE_SERVER").then(|| "{x}tcp:h".into())))
            .unwrap_err()
            .to_string();
        assert_eq!(why, "PULSE_SERVER names only servers for other machines: {x}tcp:h");
        let why = Named::read(&environment(|name| (name == "PULSE_SERVER").then(|| "tcp:".into())))
            .unwrap_err()
            .to_string();
        assert_eq!(
            why,
            "PULSE_SERVER names \"tcp:\", which is not supported here: write unix:PATH, tcp:HOST or tcp:HOST:PORT"
        );
    }

    /// Bytes sent at either end arrive at the other, and closing one end closes the other.
    #[test]
    fn a_connection_by_tcp_is_carried() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut here = tcp("127.0.0.1", port, Family::V4).connect(Duration::from_secs(5)).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        let mut bytes = [0; 3];
        here.write_all(b"out").unwrap();
        io::Read::read_exact(&mut there, &mut bytes).unwrap();
        there.write_all(b"ins").unwrap();
        io::Read::read_exact(&mut here, &mut bytes).unwrap();
        assert_eq!(&bytes, b"ins");
        drop(here);
        assert_eq!(io::Read::read(&mut there, &mut bytes).unwrap(), 0);
    }
}
