//! [`ExitGuard`]: reports the death of an actor that the server cannot run without.

use tokio::sync::mpsc::UnboundedSender;

/// Event for the task that supervises the server.
#[derive(Debug)]
pub enum SupervisorEvent {
    /// The Registry has begun to shut the server down.
    Closing,
    /// The Registry lets clients in: its node has a place in the cluster.
    Serving,
    /// The Registry lets no clients in: its node has lost touch with the cluster.
    CutOff,
    /// The node cannot have a place in the cluster, for this reason.
    Refused(String),
    /// This actor is gone. Before shutdown, that is a fault: messages to it would be lost.
    Gone(&'static str),
}

/// Guard held by an actor. Dropping it, also by a panic, sends [`SupervisorEvent::Gone`]. Sending must not wait there, so
/// the channel has no bound; it takes one event of each guard and one [`SupervisorEvent::Closing`].
#[derive(Debug)]
pub struct ExitGuard {
    part: &'static str,
    events: UnboundedSender<SupervisorEvent>,
}

impl ExitGuard {
    /// Creates the guard of the actor named `part`.
    #[must_use]
    pub fn new(part: &'static str, events: UnboundedSender<SupervisorEvent>) -> Self {
        Self { part, events }
    }

    /// Tells the supervising task.
    pub fn report(&self, event: SupervisorEvent) {
        // Sending fails only after the supervising task has ended.
        let _ = self.events.send(event);
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        let _ = self.events.send(SupervisorEvent::Gone(self.part));
    }
}
