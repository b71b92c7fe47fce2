//! [`carry`]: the task that empties an outbox whose socket did not take everything at once.

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

use super::{Due, Level, Outbox};

/// Where [`carry`] has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Carried {
    /// All is written; if the session has ended, the sending side is shut.
    All,
    /// It has become less full: so full. To be called again.
    Change(Level),
    /// It is full, and its other end has taken nothing for the grace. To be called again.
    Stuck,
}

/// Empties an outbox as its socket and its kind allow. If the session ends meanwhile, shuts the connection's sending
/// side when all is written, or gives up at the deadline.
///
/// # Errors
/// If writing fails, or with [`io::ErrorKind::TimedOut`] at the deadline.
pub async fn carry(outbox: &RefCell<Outbox>) -> io::Result<Carried> {
    let outcome = loop {
        let (due, times) = {
            let mut outbox = outbox.borrow_mut();
            outbox.come_to_the_point();
            if let Some(level) = outbox.full.take_fall() {
                return Ok(Carried::Change(level));
            }
            let due = outbox.due();
            if due == Due::Never && outbox.deadline.is_none() {
                outbox.carried = false;
                return Ok(Carried::All);
            }
            (due, Times { deadline: outbox.deadline, stuck: outbox.full.stuck_at(due, outbox.bounds.grace) })
        };
        if let Some(deadline) = times.deadline.filter(|_| due == Due::Never) {
            break shut(outbox, deadline).await.map(|()| Carried::All);
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
                Err(_) => return Ok(Carried::Stuck),
            },
        };
        if let Err(error) = written {
            break Err(error);
        }
    };
    let mut outbox = outbox.borrow_mut();
    outbox.give_up();
    // Unless the session has ended, another task is to say so once it does.
    outbox.carried = outbox.is_closing();
    outcome
}

fn has_moved(outbox: &RefCell<Outbox>) -> bool {
    let Outbox { full, writer, .. } = &mut *outbox.borrow_mut();
    full.has_moved(writer.as_deref())
}

/// Until when a step may take.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Times {
    /// By then all has to be written.
    deadline: Option<Instant>,
    /// Then it is stuck.
    stuck: Option<Instant>,
}

impl Times {
    /// A session that ends has its deadline and nothing else: nobody is held back by it any more.
    fn first(self) -> Option<Instant> {
        self.deadline.or(self.stuck)
    }
}

/// One write, or an end of waiting because there are other times to wait until or nothing is left to write.
fn poll_step(outbox: &RefCell<Outbox>, known: Times, due: Due, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut outbox = outbox.borrow_mut();
    let times = Times { deadline: outbox.deadline, stuck: outbox.full.stuck_at(due, outbox.bounds.grace) };
    // Meanwhile dropped, because the receiver is jammed: its last words are still to come.
    if times != known || outbox.due() == Due::Never {
        return Poll::Ready(Ok(()));
    }
    let polled = outbox.poll_write(cx);
    if polled.is_pending() {
        outbox.waiting = Some(cx.waker().clone());
        let Outbox { full, writer, .. } = &mut *outbox;
        full.begin_wait(writer.as_deref());
    }
    polled
}

/// Shuts the sending side. The kernel does that without waiting; TLS has a last word to say, which may have to wait for
/// the socket.
async fn shut(outbox: &RefCell<Outbox>, deadline: Instant) -> io::Result<()> {
    let shut = poll_fn(|cx| match &mut outbox.borrow_mut().writer {
        None => Poll::Ready(Ok(())),
        Some(writer) => Pin::new(writer).poll_shutdown(cx),
    });
    timeout_at(deadline, shut).await?
}
