//! The messages that the [`Relay`](super::relay::Relay) receives from the registry.

use std::sync::Arc;

use actix::{Message, Recipient};
use arauto_rtsp::{Key, StreamId};

use crate::server::common::stream_stats::StreamStats;

/// From the `Registry` to the `Relay`: a client is asked to publish a stream, and may do so with this key.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct OpenStream {
    /// The number of the stream.
    pub stream: StreamId,
    /// Admits the publisher, once.
    pub key: Key,
    /// Statistics that the relay writes and `list_streams` shows.
    pub stats: Arc<StreamStats>,
    /// The name of the file to play, as `list_files` writes it.
    pub file: Arc<str>,
}

/// From the `Registry` to the `Relay`: one more client may listen to a stream. Sent before the message that gives the
/// client the key.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AdmitListener {
    /// The stream.
    pub stream: StreamId,
    /// Admits the listener, any number of times until the stream ends.
    pub key: Key,
}

/// From the `Registry` to the `Relay`: a stream is over, or no client waits for it any more. The relay does not
/// answer with `StreamEnded`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ShutStream {
    /// The stream.
    pub stream: StreamId,
}

/// The messages that the `Registry` can send to the `Relay`, without knowing its type.
#[derive(Clone)]
pub struct ToRelay {
    /// A client is asked to publish.
    pub open: Recipient<OpenStream>,
    /// A client may listen.
    pub admit: Recipient<AdmitListener>,
    /// A stream is over.
    pub shut: Recipient<ShutStream>,
}
