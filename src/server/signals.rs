//! What signals do: SIGTERM and SIGINT end the server, SIGHUP reloads, SIGUSR1 has what is counted logged.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use actix_rt::signal::unix::{SignalKind, signal};
use slog::{Logger, info};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{reload::Reloader, tally::Tally};

/// Catches them from here on. Returns those that end the server, by name.
///
/// # Errors
/// If the system refuses.
pub fn catch(reloader: Reloader, tally: Arc<Tally>, log: &Logger) -> io::Result<UnboundedReceiver<String>> {
    let (notify, stops) = unbounded_channel();
    let mut hangups = signal(SignalKind::hangup())?;
    let ends = notify.clone();
    let had_terminal = io::stdin().is_terminal();
    actix_rt::spawn(async move {
        while hangups.recv().await.is_some() {
            // A terminal that was closed is no terminal any more: then the signal means what it meant first.
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
            info!(log, "counters"; &*tally);
        }
    });
    for (kind, name) in [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT")] {
        let mut caught = signal(kind)?;
        let notify = notify.clone();
        actix_rt::spawn(async move {
            while caught.recv().await.is_some() && notify.send(name.to_owned()).is_ok() {}
        });
    }
    Ok(stops)
}
