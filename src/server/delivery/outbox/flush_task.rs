//! [`flush_task`]: the task that empties an outbox whose socket did not take everything at once.

use std::{cell::RefCell, future::poll_fn, io};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Outbox;
use crate::server::common::fill_level::FillLevel;

/// The reason for which [`flush_task`] returned.
#[derive(Debug, PartialEq, Eq)]
pub enum Flushed {
    /// All is written; if the session has ended, the sending side is shut.
    All,
    /// The outbox fell to this level. The caller has to call [`flush_task`] again.
    Change(FillLevel),
    /// The outbox is stuck: its peer has taken nothing for the grace period. The caller has to call [`flush_task`]
    /// again.
    Stuck,
}

/// The next thing that the task has to do.
pub enum Step {
    /// Report that the outbox fell to this level.
    Report(FillLevel),
    /// Write something within these times.
    Write(Times),
    /// Shut the sending side by this time: the session has ended, and all is written.
    Shut(Instant),
    /// Stop, as all is written.
    Stop,
}

/// The times that bound one write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The end of the gap before a message to an unframed client.
    pub not_before: Option<Instant>,
    /// All has to be written by then, because the session has ended.
    pub deadline: Option<Instant>,
    /// The outbox is stuck from then on.
    pub stuck: Option<Instant>,
}

/// Empties an outbox as fast as its socket and its kind allow. If the session ends meanwhile, shuts the connection's
/// sending side once all is written, or gives up at the deadline.
///
/// # Errors
/// If a write fails, or with [`io::ErrorKind::TimedOut`] at the deadline.
pub async fn flush_task(outbox: &RefCell<Outbox>) -> io::Result<Flushed> {
    let outcome = loop {
        let step = outbox.borrow_mut().next_step();
        let times = match step {
            Step::Report(level) => return Ok(Flushed::Change(level)),
            Step::Stop => return Ok(Flushed::All),
            Step::Shut(deadline) => {
                let shut = poll_fn(|cx| outbox.borrow_mut().poll_shutdown(cx));
                break timeout_at(deadline, shut).await.unwrap_or_else(|late| Err(late.into()));
            }
            Step::Write(times) => times,
        };
        let write = async {
            if let Some(start) = times.not_before {
                sleep_until(start).await;
            }
            poll_fn(|cx| outbox.borrow_mut().poll_step(times, cx)).await
        };
        // Once the session has ended, only its deadline counts: no sender waits for the outbox any more.
        let written = match times.deadline.or(times.stuck) {
            None => write.await,
            Some(limit) => match timeout_at(limit, write).await {
                Ok(written) => written,
                Err(late) if times.deadline.is_some() => Err(late.into()),
                Err(_) if outbox.borrow_mut().has_moved() => Ok(()),
                Err(_) => return Ok(Flushed::Stuck),
            },
        };
        if written.is_err() {
            break written;
        }
    };
    outbox.borrow_mut().give_up();
    outcome.map(|()| Flushed::All)
}
