//! [`flush_task`]: the task that empties an outbox whose socket did not take everything at once.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::AsyncWrite,
    time::{Instant, sleep_until, timeout_at},
};

use super::{Due, Outbox};
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

/// Empties an outbox as fast as its socket and its kind allow. If the session ends meanwhile, shuts the connection's
/// sending side once all is written, or gives up at the deadline.
///
/// # Errors
/// If a write fails, or with [`io::ErrorKind::TimedOut`] at the deadline.
pub async fn flush_task(outbox: &RefCell<Outbox>) -> io::Result<Flushed> {
    let outcome = loop {
        let (due, times) = {
            let mut outbox = outbox.borrow_mut();
            outbox.trim_to_last();
            if let Some(level) = outbox.watermark.take_fall() {
                return Ok(Flushed::Change(level));
            }
            let due = outbox.due();
            if due == Due::Never && outbox.deadline.is_none() {
                outbox.has_flush_task = false;
                return Ok(Flushed::All);
            }
            (
                due,
                Times {
                    deadline: outbox.deadline,
                    stuck: outbox.watermark.stuck_at(due, outbox.bounds.grace),
                },
            )
        };
        if let Some(deadline) = times.deadline.filter(|_| due == Due::Never) {
            break shut(outbox, deadline).await.map(|()| Flushed::All);
        }
        let step = async {
            if let Due::At(due) = due {
                sleep_until(due).await;
            }
            poll_fn(|cx| poll_step(outbox, times, due, cx)).await
        };
        let written = match times.first() {
            None => step.await,
            Some(first) => match timeout_at(first, step).await {
                Ok(written) => written,
                Err(late) if times.deadline.is_some() => break Err(late.into()),
                Err(_) if has_moved(outbox) => Ok(()),
                Err(_) => return Ok(Flushed::Stuck),
            },
        };
        if let Err(error) = written {
            break Err(error);
        }
    };
    let mut outbox = outbox.borrow_mut();
    outbox.give_up();
    // Unless the session has ended, a new task has to report its end later, so the outbox counts as without a task.
    outbox.has_flush_task = outbox.is_closing();
    outcome
}

fn has_moved(outbox: &RefCell<Outbox>) -> bool {
    let Outbox { watermark, writer, .. } = &mut *outbox.borrow_mut();
    watermark.has_moved(writer.as_deref())
}

/// The times that bound one step.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Times {
    /// All has to be written by then.
    deadline: Option<Instant>,
    /// The outbox is stuck from then on.
    stuck: Option<Instant>,
}

impl Times {
    /// The earliest bound. Once the session ends, only its deadline counts: no sender waits for the outbox any more.
    fn first(self) -> Option<Instant> {
        self.deadline.or(self.stuck)
    }
}

/// Does one write. Returns early if the times changed or the queue became empty.
fn poll_step(outbox: &RefCell<Outbox>, known: Times, due: Due, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut outbox = outbox.borrow_mut();
    let times =
        Times { deadline: outbox.deadline, stuck: outbox.watermark.stuck_at(due, outbox.bounds.grace) };
    // The queue was dropped meanwhile because the receiver is evicted; its last words are yet to be queued.
    if times != known || outbox.due() == Due::Never {
        return Poll::Ready(Ok(()));
    }
    let polled = outbox.poll_write(cx);
    if polled.is_pending() {
        outbox.waiting = Some(cx.waker().clone());
        let Outbox { watermark, writer, .. } = &mut *outbox;
        watermark.begin_wait(writer.as_deref());
    }
    polled
}

/// Shuts the sending side. The kernel does that without waiting; TLS first sends a closing alert, which may have to
/// wait for the socket.
async fn shut(outbox: &RefCell<Outbox>, deadline: Instant) -> io::Result<()> {
    let shut = poll_fn(|cx| match &mut outbox.borrow_mut().writer {
        None => Poll::Ready(Ok(())),
        Some(writer) => Pin::new(writer).poll_shutdown(cx),
    });
    timeout_at(deadline, shut).await?
}
