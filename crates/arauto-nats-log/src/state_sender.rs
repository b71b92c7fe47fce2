//! [`StateTransfer`]: sends the state to a node that joins, without holding up what is appended meanwhile.

use std::time::Duration;

use arauto_cluster::{Instance, transfer::chunks};
use async_nats::{Client, connection::State};
use bytes::Bytes;
use tokio::{sync::mpsc, task, time::timeout};

use crate::room::Reserved;

/// States that are being sent at a time.
pub const MAX_TRANSFERS: usize = 4;

/// Encoded chunks that wait for the connection.
const MAX_WAITING_CHUNKS: usize = 4;

/// From the time at which a chunk is handed to the client to the time at which it has to be written.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(5);

/// A state that is to be sent.
pub struct StateTransfer {
    /// The subject of the chunks.
    pub subject: String,
    /// The instance that sends.
    pub donor: Instance,
    /// The position as of which the state is.
    pub position: u64,
    /// The state.
    pub bytes: Vec<u8>,
    /// The room that the state takes among the commands.
    pub reserved: Reserved,
}

impl StateTransfer {
    /// Sends the state. Ends early if the connection breaks: the joiner asks again.
    pub async fn run(self, client: Client) {
        let Self { subject, donor, position, bytes, reserved } = self;
        let (encoded, mut waiting) = mpsc::channel(MAX_WAITING_CHUNKS);
        // The hash of a state of 256 MiB takes a third of a second.
        task::spawn_blocking(move || {
            let _reserved = reserved;
            for chunk in chunks(donor, position, &bytes) {
                if encoded.blocking_send(Bytes::from(chunk.encode())).is_err() {
                    return;
                }
            }
        });
        while let Some(chunk) = waiting.recv().await {
            // Flushed one by one, so that a frame waits for one chunk at most.
            let written = async {
                client.publish(subject.clone(), chunk).await.is_ok() && client.flush().await.is_ok()
            };
            let is_written = timeout(CHUNK_TIMEOUT, written).await;
            if is_written != Ok(true) || client.connection_state() != State::Connected {
                return;
            }
        }
    }
}
