//! [`Taken`]: all that is listened on, and [`Addresses`]: where that is.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use slog::{Logger, info, warn};
use socket2::SockRef;

use super::{
    house::ServeError,
    listener::{self, Listener},
    media::Door,
    speaks::Speaks,
    tls::credentials::Credentials,
};
use crate::config::{Config, Media, Monitoring, Web};

/// Where a server listens; where port 0 was asked for, as the system chose.
#[derive(Debug, Default)]
pub struct Addresses {
    /// For messages in plain text.
    pub plain: Vec<SocketAddr>,
    /// Those were passed by someone else, who decides whether one for IPv6 takes IPv4 too.
    plain_is_passed: bool,
    /// The same over TLS.
    pub tls: Vec<SocketAddr>,
    /// For the page.
    pub web: Vec<SocketAddr>,
    /// The same over TLS.
    pub secure_web: Vec<SocketAddr>,
    /// For audio, by RTSP.
    pub media: Vec<SocketAddr>,
    /// The same over TLS.
    pub secure_media: Vec<SocketAddr>,
    /// For those who watch.
    pub monitoring: Vec<SocketAddr>,
}

/// Sockets that nobody else has, and nobody is served at yet.
#[derive(Debug, Default)]
pub struct Taken {
    /// For messages and the page.
    pub listeners: Vec<Listener>,
    /// For audio.
    pub doors: Vec<Door>,
    /// For those who watch.
    pub monitoring: Vec<TcpListener>,
    /// Where all of these are.
    pub at: Addresses,
}

impl Taken {
    /// These addresses, for plain text.
    ///
    /// # Errors
    /// If one cannot be had.
    pub fn for_messages(addresses: &[SocketAddr]) -> Result<Self, ServeError> {
        let mut taken = Self::default();
        taken.at.plain = take_all(addresses, Speaks::Messages, None, &mut taken.listeners)?;
        Ok(taken)
    }

    /// The same of sockets that someone else listens on, too.
    ///
    /// # Errors
    /// If the system refuses what they need.
    pub fn over(passed: Vec<TcpListener>) -> Result<Self, ServeError> {
        let mut taken = Self::default();
        taken.at.plain_is_passed = true;
        for socket in passed {
            listener::prepare(&SockRef::from(&socket))?;
            taken.at.plain.push(socket.local_addr()?);
            let listener = Listener { socket, is_passed: true, speaks: Speaks::Messages, credentials: None };
            taken.listeners.push(listener);
        }
        Ok(taken)
    }

    /// All other addresses that are set.
    ///
    /// # Errors
    /// If one cannot be had that somebody asked for.
    pub fn take_others(
        &mut self,
        config: &Config,
        secure: Option<&Credentials>,
        log: &Logger,
    ) -> Result<(), ServeError> {
        let Self { listeners, doors, monitoring, at } = self;
        at.tls = take_all(&config.tls.listen, Speaks::Messages, secure, listeners)?;
        at.web = match take_all(&config.web.listen, Speaks::Http, None, listeners) {
            Err(error) if is_by_default(&error, &config.web, &Web::default()) => {
                warn!(log, "no page: its default address is taken; set web.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.media = match take_doors(&config.media.listen, None, doors) {
            Err(error) if is_by_default(&error, &config.media, &Media::default()) => {
                warn!(log, "no audio: its default address is taken; set media.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.secure_media = take_doors(&config.media.tls_listen, secure, doors)?;
        *monitoring = match config.monitoring.listen.iter().map(|address| bind(*address)).collect() {
            Err(error) if is_by_default(&error, &config.monitoring, &Monitoring::default()) => {
                warn!(log, "no monitoring: its default address is taken; set monitoring.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.monitoring = monitoring.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        at.secure_web = take_all(&config.web.tls_listen, Speaks::Http, secure, listeners)?;
        Ok(())
    }
}

impl Addresses {
    /// Tells the log.
    pub fn log(&self, log: &Logger) {
        for address in &self.plain {
            info!(log, "listening"; "address" => %address);
        }
        for address in &self.tls {
            info!(log, "listening for tls"; "address" => %address);
        }
        for (scheme, addresses) in [("http", &self.web), ("https", &self.secure_web)] {
            for address in addresses {
                info!(log, "the page is at"; "url" => format_args!("{scheme}://{address}/"));
            }
        }
        for (scheme, addresses) in [("rtsp", &self.media), ("rtsps", &self.secure_media)] {
            for address in addresses {
                info!(log, "audio is at"; "url" => format_args!("{scheme}://{address}/"));
            }
        }
        for address in &self.monitoring {
            info!(log, "monitoring is at"; "url" => format_args!("http://{address}/metrics"));
        }
    }
}

impl Addresses {
    /// Says which addresses take IPv6 alone, though they look like all addresses there are: that depends on the program, and
    /// many take IPv4 too. Here each address means one family, so that `0.0.0.0` and `[::]` can stand side by side.
    pub fn log_missing_ipv4(&self, log: &Logger) {
        let plain = if self.plain_is_passed { &[][..] } else { &self.plain };
        for (setting, addresses) in [
            ("server.listen", plain),
            ("tls.listen", &self.tls),
            ("web.listen", &self.web),
            ("web.tls_listen", &self.secure_web),
            ("media.listen", &self.media),
            ("media.tls_listen", &self.secure_media),
            ("monitoring.listen", &self.monitoring),
        ] {
            for address in
                addresses.iter().filter(|address| address.is_ipv6() && address.ip().is_unspecified())
            {
                let port = address.port();
                if !addresses.iter().any(|other| other.is_ipv4() && other.port() == port) {
                    info!(
                        log,
                        "this address takes IPv6 alone; for IPv4, add another";
                        "setting" => setting, "address" => %address, "add" => format_args!("0.0.0.0:{port}")
                    );
                }
            }
        }
    }
}

/// Takes an address.
fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    listener::bind(address).map_err(|error| ServeError::Bind { address, error })
}

/// Whether all that went wrong is that an address is taken which nobody asked for: it is the default, and a second server
/// on a machine is no mistake.
fn is_by_default<T: PartialEq>(error: &ServeError, settings: &T, defaults: &T) -> bool {
    settings == defaults
        && matches!(error, ServeError::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
}

/// Takes addresses. Returns them as the system has them.
fn take_all(
    addresses: &[SocketAddr],
    speaks: Speaks,
    credentials: Option<&Credentials>,
    listeners: &mut Vec<Listener>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        listeners.push(Listener { socket, is_passed: false, speaks, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
}

/// Takes addresses for audio. Returns them as the system has them.
fn take_doors(
    addresses: &[SocketAddr],
    credentials: Option<&Credentials>,
    doors: &mut Vec<Door>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        doors.push(Door { socket, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
}
