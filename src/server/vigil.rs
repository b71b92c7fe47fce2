//! [`Vigil`]: notices the death of an actor that the server cannot live without.

use tokio::sync::mpsc::UnboundedSender;

/// What the server's own task is told.
#[derive(Debug)]
pub enum Notice {
    /// The Registry has begun to end everything.
    Closing,
    /// This part is gone. Before the end, that is a fault: whoever sent it messages would be deaf from here on.
    Gone(&'static str),
}

/// Held by an actor; dropping it, be it by a panic, is noticed.
#[derive(Debug)]
pub struct Vigil {
    part: &'static str,
    notices: UnboundedSender<Notice>,
}

impl Vigil {
    /// Watches over `part`.
    #[must_use]
    pub fn new(part: &'static str, notices: UnboundedSender<Notice>) -> Self {
        Self { part, notices }
    }

    /// Tells the server's own task that the end has begun.
    pub fn announce_closing(&self) {
        // Nobody listening means that it is already over.
        let _ = self.notices.send(Notice::Closing);
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        let _ = self.notices.send(Notice::Gone(self.part));
    }
}
