//! [`BoundSockets`]: all sockets that the server binds at start, and [`BoundAddresses`]: the addresses that they have.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use slog::{Logger, info, warn};
use socket2::SockRef;

use super::{acceptor::Listener, socket};
use crate::{
    config::{Config, Media, Monitoring, Web},
    server::{
        audio::RtspListener, common::listener_protocol::ListenerProtocol, net::tls::credentials::Credentials,
        serve_error::ServeError,
    },
};

/// The addresses that the server listens on. Where the configuration gives port 0, these hold the port that the system
/// chose.
#[derive(Debug, Default)]
pub struct BoundAddresses {
    /// TR2.23 in plain text.
    pub plain: Vec<SocketAddr>,
    /// The `plain` sockets were passed by another process, which decides whether an IPv6 socket also accepts IPv4.
    plain_is_passed: bool,
    /// TR2.23 over TLS.
    pub tls: Vec<SocketAddr>,
    /// The page by HTTP.
    pub web: Vec<SocketAddr>,
    /// The page by HTTPS.
    pub secure_web: Vec<SocketAddr>,
    /// Audio by RTSP.
    pub media: Vec<SocketAddr>,
    /// Audio by RTSP over TLS.
    pub secure_media: Vec<SocketAddr>,
    /// Monitoring by HTTP.
    pub monitoring: Vec<SocketAddr>,
}

/// Listening sockets that no task accepts from yet.
#[derive(Debug, Default)]
pub struct BoundSockets {
    /// For TR2.23 and the page.
    pub listeners: Vec<Listener>,
    /// For audio.
    pub rtsp_listeners: Vec<RtspListener>,
    /// For monitoring.
    pub monitoring: Vec<TcpListener>,
    /// The addresses of all these sockets.
    pub at: BoundAddresses,
}

impl BoundSockets {
    /// Binds `addresses` for TR2.23 in plain text.
    ///
    /// # Errors
    /// If an address cannot be bound.
    pub fn for_messages(addresses: &[SocketAddr]) -> Result<Self, ServeError> {
        let mut taken = Self::default();
        taken.at.plain = take_all(addresses, ListenerProtocol::Messages, None, &mut taken.listeners)?;
        Ok(taken)
    }

    /// Uses sockets passed by another process, which listens on them too, for TR2.23 in plain text.
    ///
    /// # Errors
    /// If the system refuses a socket option, or does not tell a socket's address.
    pub fn over(passed: Vec<TcpListener>) -> Result<Self, ServeError> {
        let mut taken = Self::default();
        taken.at.plain_is_passed = true;
        for socket in passed {
            socket::prepare(&SockRef::from(&socket))?;
            taken.at.plain.push(socket.local_addr()?);
            let listener =
                Listener { socket, is_passed: true, protocol: ListenerProtocol::Messages, credentials: None };
            taken.listeners.push(listener);
        }
        Ok(taken)
    }

    /// Binds all other addresses of the configuration. The page, audio and monitoring are left out with a warning if
    /// their settings are the defaults and the address is in use.
    ///
    /// # Errors
    /// If an address cannot be bound, except in that case.
    pub fn take_others(
        &mut self,
        config: &Config,
        secure: Option<&Credentials>,
        log: &Logger,
    ) -> Result<(), ServeError> {
        let Self { listeners, rtsp_listeners, monitoring, at } = self;
        at.tls = take_all(&config.tls.listen, ListenerProtocol::Messages, secure, listeners)?;
        at.web = match take_all(&config.web.listen, ListenerProtocol::Http, None, listeners) {
            Err(error) if is_by_default(&error, &config.web, &Web::default()) => {
                warn!(log, "page disabled: its default address is in use; set web.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.media = match take_rtsp_listeners(&config.media.listen, None, rtsp_listeners) {
            Err(error) if is_by_default(&error, &config.media, &Media::default()) => {
                warn!(log, "audio disabled: its default address is in use; set media.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.secure_media = take_rtsp_listeners(&config.media.tls_listen, secure, rtsp_listeners)?;
        *monitoring = match config.monitoring.listen.iter().map(|address| bind(*address)).collect() {
            Err(error) if is_by_default(&error, &config.monitoring, &Monitoring::default()) => {
                warn!(log, "monitoring disabled: its default address is in use; set monitoring.listen"; "error" => %error);
                Vec::new()
            }
            taken => taken?,
        };
        at.monitoring = monitoring.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        at.secure_web = take_all(&config.web.tls_listen, ListenerProtocol::Http, secure, listeners)?;
        Ok(())
    }
}

impl BoundAddresses {
    /// Logs each address.
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

impl BoundAddresses {
    /// Logs each unspecified IPv6 address (`[::]`) that has no IPv4 counterpart on its port. Other programs often
    /// accept IPv4 on such an address too. Here each address stands for one family, so that `0.0.0.0` and `[::]` can be
    /// given side by side.
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
                        "this address accepts only IPv6; for IPv4, add another";
                        "setting" => setting, "address" => %address, "add" => format_args!("0.0.0.0:{port}")
                    );
                }
            }
        }
    }
}

/// Binds one address and listens on it.
fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    socket::bind(address).map_err(|error| ServeError::Bind { address, error })
}

/// Whether the error only says that a default address is in use. The operator did not ask for that address, and a
/// second server on the same machine is legitimate.
fn is_by_default<T: PartialEq>(error: &ServeError, settings: &T, defaults: &T) -> bool {
    settings == defaults
        && matches!(error, ServeError::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
}

/// Binds addresses, appends their sockets to `listeners`, and returns the addresses as the system reports them.
fn take_all(
    addresses: &[SocketAddr],
    protocol: ListenerProtocol,
    credentials: Option<&Credentials>,
    listeners: &mut Vec<Listener>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        listeners.push(Listener { socket, is_passed: false, protocol, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
}

/// Binds addresses for audio, appends their sockets to `rtsp_listeners`, and returns the addresses as the system
/// reports them.
fn take_rtsp_listeners(
    addresses: &[SocketAddr],
    credentials: Option<&Credentials>,
    rtsp_listeners: &mut Vec<RtspListener>,
) -> Result<Vec<SocketAddr>, ServeError> {
    let take = |&address: &SocketAddr| {
        let socket = bind(address)?;
        let taken = socket.local_addr()?;
        rtsp_listeners.push(RtspListener { socket, credentials: credentials.cloned() });
        Ok(taken)
    };
    addresses.iter().map(take).collect()
}
