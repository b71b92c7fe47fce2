//! [`Vigil`]: reports the death of an actor that the server cannot run without.

use tokio::sync::mpsc::UnboundedSender;

/// Event for the task that supervises the server.
#[derive(Debug)]
pub enum Notice {
    /// The Registry has begun to shut the server down.
    Closing,
    /// This actor is gone. Before shutdown, that is a fault: messages to it would be lost.
    Gone(&'static str),
}

/// Guard held by an actor. Dropping it, also by a panic, sends [`Notice::Gone`].
#[derive(Debug)]
pub struct Vigil {
    part: &'static str,
    notices: UnboundedSender<Notice>,
}

impl Vigil {
    /// Creates the guard of the actor named `part`.
    #[must_use]
    pub fn new(part: &'static str, notices: UnboundedSender<Notice>) -> Self {
        Self { part, notices }
    }

    /// Tells the supervising task that shutdown has begun.
    pub fn announce_closing(&self) {
        // Sending fails only after the supervising task has ended.
        let _ = self.notices.send(Notice::Closing);
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        let _ = self.notices.send(Notice::Gone(self.part));
    }
}
