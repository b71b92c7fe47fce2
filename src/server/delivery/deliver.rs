//! [`Deliver`]: the message by which the registry gives a courier a batch.

use std::sync::Arc;

use actix::Message;

use super::batch::{Edit, SharedBatch};

/// From the `Registry` to a `Courier`: deliver one batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// The lines for every member.
    pub shared: Arc<SharedBatch>,
    /// Where single sessions deviate from `shared`, ordered by slot.
    pub edits: Vec<Edit>,
}
