//! [`StreamBackend`]: the streams, as an RTSP session accesses them. Tests give the session a backend without IO.

use std::time::Duration;

use arauto_rtsp::{Description, Key, StreamId};

use super::transport::{Given, PeerInfo, Transport};

/// Why a backend refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRefusal {
    /// The stream does not exist, or has not begun.
    Unknown,
    /// The key is not valid for the stream.
    WrongKey,
    /// The stream has a publisher.
    Taken,
    /// The listeners have reached `media.listeners`, `media.listeners_per_key` or `media.listeners_per_address`.
    Full,
    /// No UDP ports are available.
    NoPorts,
    /// The client's ports must not be sent to.
    BadPorts,
    /// An operator has banned the address.
    Banned,
}

/// The position at which a listener starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// How much of the stream has been played.
    pub elapsed: Duration,
    /// The next datagram's sequence number, and the latest timestamp, both as this listener receives them. `None`
    /// before the first datagram.
    pub next: Option<(u16, u32)>,
}

/// The streams, as a session accesses them.
pub trait StreamBackend {
    /// The properties of the connection that restrict its transports.
    fn peer_info(&self) -> PeerInfo;
    /// Whether this key authorizes publishing the stream, or listening to it.
    fn knows(&mut self, stream: StreamId, key: &Key) -> bool;
    /// Makes this connection the stream's publisher.
    ///
    /// # Errors
    /// If the address is banned, the stream is unknown, the key does not authorize publishing, or the stream has a
    /// publisher.
    fn announce(
        &mut self,
        stream: StreamId,
        key: &Key,
        description: Description,
    ) -> Result<(), StreamRefusal>;
    /// Returns the stream's description in SDP.
    ///
    /// # Errors
    /// If the stream is unknown or has not begun, or if the key does not authorize listening.
    fn describe(&mut self, stream: StreamId, key: &Key) -> Result<Vec<u8>, StreamRefusal>;
    /// Sets up the publisher's transport.
    ///
    /// # Errors
    /// If no ports are available, or if the stream is over.
    fn set_up_publisher(&mut self, way: Transport) -> Result<Given, StreamRefusal>;
    /// Sets up a transport for an announced part that is not relayed. RTSP has no response that refuses only that part.
    ///
    /// # Errors
    /// If no ports are available.
    fn set_up_passed_over(&mut self, way: Transport) -> Result<Given, StreamRefusal>;
    /// Sets up a listener's transport.
    ///
    /// # Errors
    /// If the address is banned, the stream is unknown or has not begun, the key does not authorize listening, a limit
    /// is reached, or the client's ports must not be sent to.
    fn set_up_listener(
        &mut self,
        stream: StreamId,
        key: &Key,
        way: Transport,
    ) -> Result<Given, StreamRefusal>;
    /// Starts publishing.
    ///
    /// # Errors
    /// If the stream is over.
    fn record(&mut self) -> Result<(), StreamRefusal>;
    /// Starts playing.
    ///
    /// # Errors
    /// If the stream is over.
    fn play(&mut self) -> Result<Start, StreamRefusal>;
    /// Pauses the listener, or the publisher, which sends nothing then.
    fn pause(&mut self);
    /// Notes that the client is present. Called for each request.
    fn keep_alive(&mut self);
    /// Undoes the announcement or the setup, at the client's request.
    fn leave(&mut self);
}
