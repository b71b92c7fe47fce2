//! Signal handling: SIGTERM and SIGINT end the server, SIGHUP reloads the configuration, SIGUSR1 logs the counters.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::signal::unix::{SignalKind, signal};
use slog::{Logger, info};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{metrics::Metrics, reload::Reloader};

/// A signal that comes again within this time is the one before: `timeout`(1) signals a program and then its group, so
/// that the program is signalled twice.
const ECHO_TIME: Duration = Duration::from_millis(250);

/// Starts to catch signals. Returns a channel of the names of the signals that end the server. The channel stays short
/// without a bound: the supervisor reads each name at once, and exits after the second.
///
/// # Errors
/// If the system refuses to install a handler.
pub fn catch(
    reloader: Reloader,
    metrics: Arc<Metrics>,
    log: &Logger,
) -> io::Result<UnboundedReceiver<String>> {
    let (notify, stops) = unbounded_channel();
    let mut hangups = signal(SignalKind::hangup())?;
    let ends = notify.clone();
    let had_terminal = io::stdin().is_terminal();
    actix_rt::spawn(async move {
        while hangups.recv().await.is_some() {
            // If the server was started from a terminal that has been closed since, SIGHUP has its original meaning:
            // hangup.
            if had_terminal && !io::stdin().is_terminal() {
                let _ = ends.send("SIGHUP".to_owned());
            } else {
                reloader.reload().await;
            }
        }
    });
    let (mut wants, log) = (signal(SignalKind::user_defined1())?, log.clone());
    actix_rt::spawn(async move {
        while wants.recv().await.is_some() {
            info!(log, "counters"; &*metrics);
        }
    });
    for (kind, name) in [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT")] {
        let mut caught = signal(kind)?;
        let notify = notify.clone();
        actix_rt::spawn(async move {
            let mut last: Option<Instant> = None;
            while caught.recv().await.is_some() {
                let is_echo = last.replace(Instant::now()).is_some_and(|last| last.elapsed() < ECHO_TIME);
                if !is_echo && notify.send(name.to_owned()).is_err() {
                    return;
                }
            }
        });
    }
    Ok(stops)
}
