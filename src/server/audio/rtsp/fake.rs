//! [`FakeBackend`]: a backend with one stream that only records calls, for tests and for the fuzz target.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use arauto_rtsp::{Description, Key, StreamId};

use super::{
    backend::{Start, StreamBackend, StreamRefusal},
    transport::{Given, PeerInfo, Transport},
};

/// The only stream.
pub const STREAM: StreamId = StreamId(0x7f3a);
/// The key that authorizes publishing it.
pub const PUBLISH: &str = "00112233445566778899aabbccddeeff";
/// The key that authorizes listening to it.
pub const LISTEN: &str = "ffeeddccbbaa99887766554433221100";

/// The state that the calls lead to.
#[derive(Debug, Default)]
pub struct FakeBackend {
    /// Whether the stream is announced.
    pub is_announced: bool,
    /// The publisher's transport, from SETUP on.
    pub publisher: Option<Transport>,
    /// The listener's transport, from SETUP on.
    pub listener: Option<Transport>,
    /// Whether the publisher records.
    pub is_recording: bool,
    /// Whether the listener plays.
    pub is_playing: bool,
    /// If set, the refusal of every call.
    pub refuses: Option<StreamRefusal>,
}

fn check(stream: StreamId, key: &Key, known: &str) -> Result<(), StreamRefusal> {
    if stream != STREAM {
        return Err(StreamRefusal::Unknown);
    }
    if known.parse() == Ok(*key) { Ok(()) } else { Err(StreamRefusal::WrongKey) }
}

impl StreamBackend for FakeBackend {
    fn peer_info(&self) -> PeerInfo {
        PeerInfo { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), is_secure: false }
    }

    fn knows(&mut self, stream: StreamId, key: &Key) -> bool {
        [PUBLISH, LISTEN].iter().any(|known| check(stream, key, known).is_ok())
    }

    fn announce(&mut self, stream: StreamId, key: &Key, _: Description) -> Result<(), StreamRefusal> {
        check(stream, key, PUBLISH)?;
        self.refuses.map_or(Ok(()), Err)?;
        assert!(!self.is_announced && self.listener.is_none(), "one part at a time");
        self.is_announced = true;
        Ok(())
    }

    fn describe(&mut self, stream: StreamId, key: &Key) -> Result<Vec<u8>, StreamRefusal> {
        check(stream, key, LISTEN)?;
        self.refuses.map_or(Ok(()), Err)?;
        Ok(b"v=0\r\n".to_vec())
    }

    fn set_up_publisher(&mut self, way: Transport) -> Result<Given, StreamRefusal> {
        self.refuses.map_or(Ok(()), Err)?;
        assert!(!self.is_recording, "nothing is set up while it goes");
        assert!(self.is_announced, "announced before");
        self.publisher = Some(way);
        Ok(Given { way, server_port: 30_000, ssrc: None })
    }

    fn set_up_passed_over(&mut self, way: Transport) -> Result<Given, StreamRefusal> {
        self.refuses.map_or(Ok(()), Err)?;
        assert!(!self.is_recording && self.is_announced, "announced before, and nothing goes");
        Ok(Given { way, server_port: 30_002, ssrc: None })
    }

    fn set_up_listener(
        &mut self,
        stream: StreamId,
        key: &Key,
        way: Transport,
    ) -> Result<Given, StreamRefusal> {
        check(stream, key, LISTEN)?;
        self.refuses.map_or(Ok(()), Err)?;
        assert!(!self.is_announced && !self.is_playing, "one part at a time");
        self.listener = Some(way);
        Ok(Given { way, server_port: 30_000, ssrc: Some(7) })
    }

    fn record(&mut self) -> Result<(), StreamRefusal> {
        self.refuses.map_or(Ok(()), Err)?;
        assert!(self.publisher.is_some(), "set up before");
        self.is_recording = true;
        Ok(())
    }

    fn play(&mut self) -> Result<Start, StreamRefusal> {
        self.refuses.map_or(Ok(()), Err)?;
        assert!(self.listener.is_some(), "set up before");
        self.is_playing = true;
        Ok(Start { elapsed: Duration::from_millis(72_300), next: Some((1, 2)) })
    }

    fn pause(&mut self) {
        assert!(self.listener.is_some() || self.publisher.is_some(), "set up before");
        (self.is_playing, self.is_recording) = (false, false);
    }

    fn keep_alive(&mut self) {}

    fn leave(&mut self) {
        *self = Self { refuses: self.refuses, ..Self::default() };
    }
}
