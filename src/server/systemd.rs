//! What the server and its service manager tell each other: listening sockets, and how far it is.
//!
//! Any manager that speaks systemd's two protocols will do: `LISTEN_FDS` (`sd_listen_fds(3)`) and `NOTIFY_SOCKET`
//! (`sd_notify(3)`). Without them nothing here does anything.

use std::{io, net::TcpListener, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use slog::{Logger, warn};
use socket2::SockRef;

/// How much longer than its own drain timeout the manager is asked to wait for the server.
const SLACK: Duration = Duration::from_secs(5);

/// Why a descriptor that was passed cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("descriptor {number} of LISTEN_FDS is not a listening TCP socket{}", reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
pub struct NotListening {
    /// Its number.
    pub number: usize,
    /// What the system says, if it does.
    pub reason: Option<io::Error>,
}

/// Takes the listening sockets that the manager passed (socket activation), and their variables out of the environment.
///
/// To be called once, before there are threads: it changes the environment.
///
/// # Errors
/// If one of them is something else.
pub fn passed_listeners() -> Result<Vec<TcpListener>, NotListening> {
    /// The first descriptor that is passed.
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

/// The server listens, or has read its settings again.
pub fn ready(log: &Logger) {
    tell(&[NotifyState::Ready], log);
}

/// The server has read its settings again, or has refused them: `status` says which, for `systemctl status`.
pub fn reloaded(status: &str, log: &Logger) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)], log);
}

/// The server reads its settings again; [`reloaded`] says when it has.
pub fn reloading(log: &Logger) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now], log),
        Err(error) => warn!(log, "cannot tell the service manager"; "error" => %error),
    }
}

/// The server ends, which takes so long at the most.
pub fn stopping(within: Duration, log: &Logger) {
    let timeout = u32::try_from((within + SLACK).as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(timeout)], log);
}

fn tell(states: &[NotifyState<'_>], log: &Logger) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(log, "cannot tell the service manager"; "error" => %error);
    }
}
