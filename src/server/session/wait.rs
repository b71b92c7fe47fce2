//! [`Wait`]: how long a session waits for an answer to the name request, or to the password request.

use std::{
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use actix::{ActorFuture, Context};
use tokio::time::{Sleep, sleep};

use super::Session;

/// Ends the session if no answer has come in time. Spawned on the session, and done as soon as another wait counts: an
/// actor remembers for as long as it lives that it was told to cancel something.
pub(super) struct Wait {
    number: u8,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Wait {
    /// Waits for so long, if [`Session::wait`] is this number until then.
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
