//! [`StreamAccess`]: the backend of a real connection, which connects its session with the streams.

mod udp;

use std::{net::SocketAddr, rc::Rc};

use arauto_rtsp::{Description, Key, StreamId};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use super::{
    super::{
        http_listeners::Audience,
        keys::NoHold,
        listener::{StreamListener, UdpDestination, Way},
        outgoing::Outgoing,
        ports::PortPair,
        rewrite::HeaderRewrite,
        shares::Caller,
        source::Source,
        stream::{DatagramKind, Publisher},
        streams::{AddressFull, Handle, SharedStreams},
        udp_reader,
    },
    backend::{Start, StreamBackend, StreamRefusal},
    transport::{Given, PeerInfo, Transport},
};
use crate::server::common::{peer::is_on_this_machine, stream_stats::StreamEnd};

/// A connection's access to the streams.
pub struct StreamAccess {
    streams: SharedStreams,
    outgoing: Rc<Outgoing>,
    /// The server's end of the connection.
    local: SocketAddr,
    /// The client's end.
    peer: SocketAddr,
    is_secure: bool,
    part: Part,
    /// The channels of audio and reports, if these are interleaved.
    channels: Option<(u8, u8)>,
    /// The UDP sockets for parts that are not relayed. They are never read.
    unread: Option<PortPair>,
}

/// The connection's part in a stream.
enum Part {
    Nobody,
    /// The stream, and the number of the announcement. The sockets are read until the guard is dropped.
    Publisher(Handle, u64, Option<DropGuard>),
    Listener(Handle, u64),
}

impl StreamAccess {
    /// A new connection.
    pub fn new(
        streams: SharedStreams,
        outgoing: Rc<Outgoing>,
        local: SocketAddr,
        peer: SocketAddr,
        is_secure: bool,
    ) -> Self {
        Self { streams, outgoing, local, peer, is_secure, part: Part::Nobody, channels: None, unread: None }
    }

    fn caller(&self) -> Caller {
        let ip = self.peer.ip().to_canonical();
        Caller { ip, is_on_this_machine: is_on_this_machine(ip, self.local.ip()) }
    }

    /// Processes a datagram that arrived between the requests.
    pub fn hear(&mut self, channel: u8, bytes: &[u8]) {
        let kind = match self.channels {
            Some((sound, _)) if sound == channel => DatagramKind::Sound,
            Some((_, reports)) if reports == channel => DatagramKind::Report,
            _ => return,
        };
        let mut streams = self.streams.borrow_mut();
        let now = Instant::now();
        match self.part {
            Part::Publisher(handle, ..) => streams.hear_connection(handle, kind, bytes, now),
            Part::Listener(handle, number) if kind == DatagramKind::Report => {
                let Some(stream) = streams.get(handle) else { return };
                let Some(listener) = stream.listeners.get_mut(&number) else { return };
                let reports = listener.hear(bytes, now);
                streams.counters.count_reports(reports);
            }
            Part::Listener(..) | Part::Nobody => {}
        }
    }

    /// Gives up the connection's part. If it is the publisher of a stream that has begun, the stream ends for this
    /// reason.
    pub fn part(&mut self, why: StreamEnd) {
        (self.channels, self.unread) = (None, None);
        match std::mem::replace(&mut self.part, Part::Nobody) {
            Part::Nobody => {}
            Part::Listener(handle, number) => {
                let mut streams = self.streams.borrow_mut();
                let Some(stream) = streams.get(handle) else { return };
                if let Some(listener) = stream.listeners.remove(&number) {
                    stream.bid_farewell(&listener);
                    stream.wanted = Instant::now();
                }
                stream.show_listeners();
                streams.show();
            }
            Part::Publisher(handle, number, guard) => {
                // Datagrams that arrived before the end are relayed.
                let pair = self.publisher_pair(handle, number);
                if let Some(pair) = pair {
                    udp_reader::take(&self.streams, handle, DatagramKind::Sound, &pair);
                }
                drop(guard);
                let mut streams = self.streams.borrow_mut();
                let Some(stream) = streams.get(handle) else { return };
                if stream.publisher.as_ref().is_none_or(|publisher| publisher.number != number) {
                    return;
                }
                if stream.has_begun {
                    streams.end(handle, why);
                } else {
                    // The publisher may try again, with another transport.
                    stream.publisher = None;
                    stream.audience = None;
                }
            }
        }
    }

    fn publisher_pair(&self, handle: Handle, number: u64) -> Option<Rc<PortPair>> {
        let mut streams = self.streams.borrow_mut();
        let publisher =
            streams.get(handle)?.publisher.as_ref().filter(|publisher| publisher.number == number)?;
        publisher.pair.clone()
    }
}

impl Drop for StreamAccess {
    fn drop(&mut self) {
        self.part(StreamEnd::Gone);
    }
}

impl StreamBackend for StreamAccess {
    fn peer_info(&self) -> PeerInfo {
        PeerInfo { ip: self.peer.ip(), is_secure: self.is_secure }
    }

    fn knows(&mut self, stream: StreamId, key: &Key) -> bool {
        let mut streams = self.streams.borrow_mut();
        let Some(stream) = streams.named(stream) else { return false };
        if stream.listen_keys.knows(key) {
            // The client is about to listen, so each of its requests postpones the end of a stream without listeners.
            stream.wanted = Instant::now();
            return true;
        }
        stream.publish_key == *key
    }

    fn announce(
        &mut self,
        stream: StreamId,
        key: &Key,
        description: Description,
    ) -> Result<(), StreamRefusal> {
        let mut streams = self.streams.borrow_mut();
        // The address may have been banned after it connected.
        if streams.is_banned(self.peer.ip()) {
            return Err(StreamRefusal::Banned);
        }
        let number = streams.number();
        let stream = streams.named(stream).ok_or(StreamRefusal::Unknown)?;
        if stream.publish_key != *key {
            return Err(StreamRefusal::WrongKey);
        }
        if stream.publisher.is_some() {
            return Err(StreamRefusal::Taken);
        }
        if let Some(length) = description.length {
            stream.stats.set_length(length);
        }
        stream.audience = Some(Audience::new(description.format));
        stream.publisher = Some(Publisher {
            number,
            description,
            source: None,
            ip: self.peer.ip(),
            from: [None; 2],
            pair: None,
            outgoing: Rc::clone(&self.outgoing),
        });
        self.part = Part::Publisher(Handle { id: stream.id, serial: stream.serial }, number, None);
        Ok(())
    }

    fn describe(&mut self, stream: StreamId, key: &Key) -> Result<Vec<u8>, StreamRefusal> {
        let mut streams = self.streams.borrow_mut();
        let stream = streams.named(stream).ok_or(StreamRefusal::Unknown)?;
        if !stream.listen_keys.knows(key) {
            return Err(StreamRefusal::WrongKey);
        }
        let publisher =
            stream.publisher.as_ref().filter(|_| stream.has_begun).ok_or(StreamRefusal::Unknown)?;
        let Description { format, length, .. } = publisher.description;
        let description = Description::new(format, &*stream.file, length);
        Ok(description.to_sdp(self.local.ip(), stream.serial))
    }

    fn set_up_publisher(&mut self, way: Transport) -> Result<Given, StreamRefusal> {
        let Part::Publisher(handle, _, guard) = &mut self.part else { return Err(StreamRefusal::Unknown) };
        let mut streams = self.streams.borrow_mut();
        let ports = streams.ports.clone();
        let stream = streams.get(*handle).ok_or(StreamRefusal::Unknown)?;
        let Some(publisher) = &mut stream.publisher else { return Err(StreamRefusal::Unknown) };
        *guard = None;
        (publisher.pair, publisher.from, self.channels) = (None, [None; 2], None);
        let mut server_port = 0;
        match way {
            Transport::Interleaved { rtp, rtcp } => self.channels = Some((rtp, rtcp)),
            Transport::Udp { .. } => {
                let pair = Rc::new(ports.take(self.local).map_err(|_| StreamRefusal::NoPorts)?);
                server_port = pair.port;
                publisher.pair = Some(Rc::clone(&pair));
                let over = stream.over.child_token();
                *guard = Some(over.clone().drop_guard());
                udp::spawn_reader(&self.streams, *handle, pair, over);
            }
        }
        Ok(Given { way, server_port, ssrc: None })
    }

    fn set_up_passed_over(&mut self, way: Transport) -> Result<Given, StreamRefusal> {
        let Part::Publisher(..) = self.part else { return Err(StreamRefusal::Unknown) };
        let server_port = match way {
            // Datagrams on channels other than the audio's are ignored.
            Transport::Interleaved { .. } => 0,
            Transport::Udp { .. } => {
                let ports = self.streams.borrow().ports.clone();
                let unread = match self.unread.take() {
                    Some(unread) => unread,
                    None => ports.take_unread(self.local).map_err(|_| StreamRefusal::NoPorts)?,
                };
                self.unread.insert(unread).port
            }
        };
        Ok(Given { way, server_port, ssrc: None })
    }

    fn set_up_listener(
        &mut self,
        stream: StreamId,
        key: &Key,
        way: Transport,
    ) -> Result<Given, StreamRefusal> {
        // A listener has one transport at a time.
        self.part(StreamEnd::Finished);
        let mut streams = self.streams.borrow_mut();
        if streams.is_banned(self.peer.ip()) {
            return Err(StreamRefusal::Banned);
        }
        let share = streams.share(self.caller());
        let config = streams.config.get();
        let (most, most_of_key) = (config.media.listeners, config.media.listeners_per_key);
        let (number, ports) = (streams.number(), streams.ports.clone());
        let stream = streams.named(stream).ok_or(StreamRefusal::Unknown)?;
        if !stream.listen_keys.knows(key) {
            return Err(StreamRefusal::WrongKey);
        }
        if !stream.has_begun {
            return Err(StreamRefusal::Unknown);
        }
        if let Some(audience) = &mut stream.audience {
            audience.sweep();
        }
        if stream.listener_count() >= most {
            return Err(StreamRefusal::Full);
        }
        let hold = stream.listen_keys.hold(key, most_of_key).map_err(|why| match why {
            NoHold::Unknown => StreamRefusal::WrongKey,
            NoHold::Full => StreamRefusal::Full,
        })?;
        let hold = hold.with(share.map_err(|AddressFull| StreamRefusal::Full)?);
        let rewrite = HeaderRewrite::random().map_err(|_| StreamRefusal::NoPorts)?;
        let (given, server_port) = match way {
            Transport::Interleaved { rtp, rtcp } => {
                self.channels = Some((rtp, rtcp));
                (Way::Interleaved { rtp, rtcp }, 0)
            }
            Transport::Udp { rtp, rtcp } => {
                let (rtp, rtcp) = self.places(rtp, rtcp, &ports)?;
                let pair = self.outlet(stream, &ports)?;
                let server_port = stream.outlets[pair].pair.port;
                (
                    Way::Udp { pair, rtp: UdpDestination::said(rtp), rtcp: UdpDestination::said(rtcp) },
                    server_port,
                )
            }
        };
        let listener = StreamListener::new(rewrite, given, Rc::clone(&self.outgoing), hold, Instant::now());
        stream.listeners.insert(number, listener);
        self.part = Part::Listener(Handle { id: stream.id, serial: stream.serial }, number);
        Ok(Given { way, server_port, ssrc: Some(rewrite.ssrc) })
    }

    fn record(&mut self) -> Result<(), StreamRefusal> {
        let Part::Publisher(handle, ..) = self.part else { return Err(StreamRefusal::Unknown) };
        let mut streams = self.streams.borrow_mut();
        let bit_rate = streams.config.get().media.bit_rate;
        let stream = streams.get(handle).ok_or(StreamRefusal::Unknown)?;
        let Some(publisher) = &mut stream.publisher else { return Err(StreamRefusal::Unknown) };
        let Description { format, payload_type, ref passed_over, .. } = publisher.description;
        let now = Instant::now();
        let source = || Source::new(format, payload_type, bit_rate, now);
        publisher.source.get_or_insert_with(source).resume(now);
        // The stream begins before its audio. If there is a picture, ffmpeg withholds 10 s of audio in case more
        // pictures follow, and clients that asked for the stream should not wait that long.
        if !passed_over.is_empty() {
            let carried = stream.begin(now);
            streams.react(handle, carried);
        }
        Ok(())
    }

    fn play(&mut self) -> Result<Start, StreamRefusal> {
        let Part::Listener(handle, number) = self.part else { return Err(StreamRefusal::Unknown) };
        let mut streams = self.streams.borrow_mut();
        let stream = streams.get(handle).ok_or(StreamRefusal::Unknown)?;
        let source = stream.publisher.as_ref().and_then(|publisher| publisher.source.as_ref());
        let elapsed = source.map(Source::elapsed).unwrap_or_default();
        let last = source.and_then(Source::last);
        let listener = stream.listeners.get_mut(&number).ok_or(StreamRefusal::Unknown)?;
        listener.is_playing = true;
        let rewrite = listener.rewrite;
        stream.show_listeners();
        streams.show();
        let next = last
            .map(|last| (rewrite.sequence(last.sequence.wrapping_add(1)), rewrite.timestamp(last.timestamp)));
        Ok(Start { elapsed, next })
    }

    fn pause(&mut self) {
        let mut streams = self.streams.borrow_mut();
        match self.part {
            Part::Nobody => {}
            Part::Publisher(handle, ..) => {
                let publisher = streams.get(handle).and_then(|stream| stream.publisher.as_mut());
                if let Some(source) = publisher.and_then(|publisher| publisher.source.as_mut()) {
                    source.pause();
                }
            }
            Part::Listener(handle, number) => {
                let Some(stream) = streams.get(handle) else { return };
                if let Some(listener) = stream.listeners.get_mut(&number) {
                    listener.is_playing = false;
                }
                stream.show_listeners();
                streams.show();
            }
        }
    }

    fn keep_alive(&mut self) {
        let Part::Listener(handle, number) = self.part else { return };
        let mut streams = self.streams.borrow_mut();
        let listener = streams.get(handle).and_then(|stream| stream.listeners.get_mut(&number));
        if let Some(listener) = listener {
            listener.heard = Instant::now();
        }
    }

    fn leave(&mut self) {
        self.part(StreamEnd::Finished);
    }
}
