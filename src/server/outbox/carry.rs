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

use super::{Due, Outbox, at_once};

/// Empties an outbox as its socket and its kind allow. If the session ends meanwhile, shuts the connection's sending
/// side when all is written, or gives up at the deadline.
///
/// # Errors
/// If writing fails, or with [`io::ErrorKind::TimedOut`] at the deadline.
pub async fn carry(outbox: &RefCell<Outbox>) -> io::Result<()> {
    let outcome = loop {
        let (due, deadline) = {
            let mut outbox = outbox.borrow_mut();
            outbox.come_to_the_point();
            let due = outbox.due();
            if due == Due::Never {
                if outbox.deadline.is_none() {
                    outbox.carried = false;
                    return Ok(());
                }
                break shut(&mut outbox);
            }
            (due, outbox.deadline)
        };
        let step = async {
            if let Due::At(due) = due {
                sleep_until(due).await;
            }
            poll_fn(|cx| poll_step(outbox, deadline, cx)).await
        };
        let written = match deadline {
            None => step.await,
            Some(deadline) => match timeout_at(deadline, step).await {
                Ok(written) => written,
                Err(late) => break Err(late.into()),
            },
        };
        if written.is_err() {
            break written;
        }
    };
    let mut outbox = outbox.borrow_mut();
    outbox.give_up();
    // Unless the session has ended, another task is to say so once it does.
    outbox.carried = outbox.is_closing();
    outcome
}

/// One write, or an end of waiting because a deadline came up or nothing is left to write.
fn poll_step(outbox: &RefCell<Outbox>, known: Option<Instant>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut outbox = outbox.borrow_mut();
    // Meanwhile dropped, because the receiver is jammed: its last words are still to come.
    if outbox.deadline != known || outbox.queue.is_empty() {
        return Poll::Ready(Ok(()));
    }
    let polled = outbox.poll_write(cx);
    if polled.is_pending() {
        outbox.waiting = Some(cx.waker().clone());
    }
    polled
}

/// Shuts the sending side. The kernel does that without waiting; a stream that needs longer is cut.
fn shut(outbox: &mut Outbox) -> io::Result<()> {
    let Some(writer) = &mut outbox.writer else { return Ok(()) };
    at_once(|cx| match Pin::new(&mut *writer).poll_shutdown(cx) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Ok(()),
    })
}
