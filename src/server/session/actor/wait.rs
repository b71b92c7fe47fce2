//! [`Wait`]: bounds the time that a session waits for the answer to the name request or the password request.

use std::{
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use actix::{ActorFuture, Context};
use tokio::time::{Sleep, sleep};

use super::Session;

/// Ends the session if no answer comes in time. Spawned as a task of the session, and done as soon as another wait
/// counts. The task is not cancelled by its handle, because an actor keeps every such cancellation for as long as it
/// lives.
pub(super) struct Wait {
    number: u8,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Wait {
    /// Waits for `timeout`, as long as [`Session::wait`] is this number.
    pub fn new(number: u8, timeout: Duration) -> Self {
        Self { number, timeout, sleep: Box::pin(sleep(timeout)) }
    }
}

impl ActorFuture<Session> for Wait {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        session: &mut Session,
        _: &mut Context<Session>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        if session.wait == self.number {
            ready!(self.sleep.as_mut().poll(cx));
            session.out_of_time(self.timeout);
        }
        Poll::Ready(())
    }
}
