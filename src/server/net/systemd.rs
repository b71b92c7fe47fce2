//! The interface to the service manager: receives listening sockets and reports the server's state.
//!
//! Any manager works that speaks systemd's two protocols: `LISTEN_FDS` (`sd_listen_fds(3)`) and `NOTIFY_SOCKET`
//! (`sd_notify(3)`). Without these variables, nothing here has an effect.

use std::{io, net::TcpListener, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use slog::{Logger, warn};
use socket2::SockRef;

/// Time that the manager is asked to wait for the server beyond the server's drain timeout.
const SLACK: Duration = Duration::from_secs(5);

/// Error for a passed descriptor that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("descriptor {number} of LISTEN_FDS is not a listening TCP socket{}", reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
pub struct NotListening {
    /// Number of the descriptor.
    pub number: usize,
    /// The system's error, if there is one.
    pub reason: Option<io::Error>,
}

/// Takes the listening sockets that the manager passed (socket activation), and removes their variables from the
/// environment.
///
/// Call this once, before there are threads: it changes the environment.
///
/// # Errors
/// If a passed descriptor is not a listening TCP socket.
pub fn passed_listeners() -> Result<Vec<TcpListener>, NotListening> {
    /// Number of the first passed descriptor.
    const FIRST: usize = 3;
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|place| {
            let refused = |reason| NotListening { number: FIRST + place, reason };
            let listener = passed
                .take_tcp_listener(place)
                .map_err(|error| refused(Some(error)))?
                .ok_or(refused(None))?;
            match SockRef::from(&listener).is_listener() {
                Ok(true) => Ok(listener),
                Ok(false) => Err(refused(None)),
                Err(error) => Err(refused(Some(error))),
            }
        })
        .collect()
}

/// Tells the manager that the server listens.
pub fn ready(log: &Logger) {
    tell(&[NotifyState::Ready], log);
}

/// Tells the manager that the server has reloaded its settings or refused them. `status`, which `systemctl status`
/// shows, says which.
pub fn reloaded(status: &str, log: &Logger) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)], log);
}

/// Tells the manager that the server reloads its settings; [`reloaded`] reports the result.
pub fn reloading(log: &Logger) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now], log),
        Err(error) => warn!(log, "cannot notify the service manager"; "error" => %error),
    }
}

/// Tells the manager that shutdown has begun and asks it to wait for at most `within` plus 5 s.
pub fn stopping(within: Duration, log: &Logger) {
    let timeout = u32::try_from((within + SLACK).as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(timeout)], log);
}

fn tell(states: &[NotifyState<'_>], log: &Logger) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(log, "cannot notify the service manager"; "error" => %error);
    }
}
