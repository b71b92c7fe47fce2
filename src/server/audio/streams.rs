//! [`RelayStreams`]: all streams, by number. The tasks of the relay's thread share them; none holds the borrow across
//! an await.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc, sync::Arc, time::SystemTime};

use arauto_rtsp::{Key, StreamId};
use slog::{Logger, debug, warn};
use tokio::time::Instant;

use super::{
    RelayContext, RelayToRegistry,
    keys::NoHold,
    listener::Way,
    messages::OpenStream,
    outgoing::End,
    ports::PortAllocator,
    rtsp::MAX_PAUSE,
    shares::{Caller, Share, Shares},
    stream::{Carried, DatagramKind, RelayStream},
};
use crate::{
    config::InForce,
    server::{
        admission::bans::Barrier,
        common::stream_stats::StreamEnd,
        http::subscribe::{SubscribeError, Subscription},
        messages::{StreamBegan, StreamEnded},
        metrics::audio::Counters,
    },
};

/// The streams as the tasks of the relay's thread share them.
pub type SharedStreams = Rc<RefCell<RelayStreams>>;

/// Identifies one stream, also when a later stream has the same `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// The stream's number in addresses.
    pub id: StreamId,
    /// The stream's unique number.
    pub serial: u64,
}

/// Error of [`RelayStreams::share`]: the address has as many listeners as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressFull;

/// All streams.
pub struct RelayStreams {
    all: BTreeMap<StreamId, RelayStream>,
    /// The last number that [`Self::number`] returned.
    numbers: u64,
    registry: RelayToRegistry,
    barrier: Barrier,
    shares: Shares,
    /// The current configuration.
    pub config: InForce,
    /// The UDP ports.
    pub ports: PortAllocator,
    /// The counters of audio.
    pub counters: Arc<Counters>,
    /// The server's log.
    pub log: Logger,
}

impl RelayStreams {
    /// Creates an empty set of streams.
    pub fn new(context: RelayContext, log: Logger) -> Self {
        let RelayContext { registry, barrier, config, counters } = context;
        let ports = PortAllocator::new(config.get().media.udp_ports.clone());
        Self {
            all: BTreeMap::new(),
            numbers: 0,
            registry,
            barrier,
            shares: Shares::default(),
            config,
            ports,
            counters,
            log,
        }
    }

    /// Returns a number that is unique among streams, publishers and listeners.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Opens a stream whose publisher is being asked to publish.
    pub fn open(&mut self, OpenStream { stream, key, stats, file }: OpenStream) {
        let most = {
            let media = &self.config.get().media;
            media.streams + media.waiting
        };
        // The registry enforces the same limit before it asks a client to publish.
        if self.all.len() >= most || self.all.contains_key(&stream) {
            warn!(self.log, "stream not opened: too many streams"; "stream" => %stream, "streams" => self.all.len());
            return;
        }
        let serial = self.number();
        let counters = Arc::clone(&self.counters);
        self.all.insert(stream, RelayStream::new(stream, serial, key, stats, file, counters));
    }

    /// Admits one more listener, with this key.
    pub fn admit(&mut self, stream: StreamId, key: Key) {
        if let Some(stream) = self.all.get_mut(&stream)
            && !stream.listen_keys.admit(key)
        {
            warn!(self.log, "listener not admitted: too many listeners for this stream"; "stream" => %stream.id);
        }
    }

    /// The stream with this number.
    pub fn named(&mut self, id: StreamId) -> Option<&mut RelayStream> {
        self.all.get_mut(&id)
    }

    /// The stream of this handle, unless it has ended.
    pub fn get(&mut self, handle: Handle) -> Option<&mut RelayStream> {
        self.all.get_mut(&handle.id).filter(|stream| stream.serial == handle.serial)
    }

    /// Ends a stream on behalf of the registry.
    pub fn shut(&mut self, id: StreamId) {
        if let Some(mut stream) = self.all.remove(&id) {
            debug!(self.log, "stream closed"; "stream" => %id);
            stream.end(End::Over).say_later();
            self.show();
        }
    }

    /// Ends a stream on behalf of the relay, and tells the registry.
    pub fn end(&mut self, handle: Handle, why: StreamEnd) {
        if self.get(handle).is_none() {
            return;
        }
        let Some(mut stream) = self.all.remove(&handle.id) else { return };
        debug!(self.log, "stream ended in the relay"; "stream" => %handle.id, "why" => ?why, "elapsed" => ?stream.stats.elapsed());
        stream.end(End::Over).say_later();
        if stream.has_begun {
            self.registry.ended.do_send(StreamEnded { stream: handle.id, why });
        }
        self.show();
    }

    /// Ends all streams.
    pub fn close(&mut self) {
        for stream in self.all.values_mut() {
            stream.end(End::Over).say();
        }
        self.all.clear();
        self.show();
    }

    /// Handles the result of relaying a publisher's datagram.
    pub fn react(&mut self, handle: Handle, carried: Carried) {
        match carried {
            Carried::Done => {}
            Carried::Began => {
                debug!(self.log, "stream began in the relay"; "stream" => %handle.id);
                self.registry.began.do_send(StreamBegan { stream: handle.id });
                self.show();
            }
            Carried::TooFast => {
                warn!(self.log, "a publisher sends more than media.bit_rate allows"; "stream" => %handle.id);
                self.end(handle, StreamEnd::TooFast);
            }
        }
    }

    /// Processes a datagram from the publisher's connection.
    pub fn hear_connection(&mut self, handle: Handle, kind: DatagramKind, bytes: &[u8], now: Instant) {
        if let Some(stream) = self.get(handle) {
            let carried = stream.hear_connection(kind, bytes, now);
            self.react(handle, carried);
        }
    }

    /// Periodic work: ends streams and connections that are silent for too long, removes listeners that left, sends
    /// reports that are due.
    pub fn tick(&mut self, now: Instant, wall: SystemTime) {
        let config = self.config.get();
        let (silence, unheard) = (config.media.silence_timeout, config.media.unheard_timeout);
        let mut over = Vec::new();
        for stream in self.all.values_mut() {
            let handle = Handle { id: stream.id, serial: stream.serial };
            let source = stream.publisher.as_ref().and_then(|publisher| publisher.source.as_ref());
            if source.is_some_and(|source| source.is_silent(silence, now)) {
                over.push((handle, StreamEnd::Silent));
            }
            for listener in stream.listeners.values() {
                let is_gone = now.saturating_duration_since(listener.heard) >= MAX_PAUSE;
                if is_gone && matches!(listener.way, Way::Udp { .. }) {
                    listener.outgoing.end(End::Now);
                }
            }
            stream.report(now, wall);
            stream.show_idle(now);
            if let Some(audience) = &mut stream.audience {
                audience.sweep();
                stream.show_listeners();
            }
            if stream.unheard(now) >= unheard && !unheard.is_zero() {
                over.push((handle, StreamEnd::Unheard));
            }
        }
        // If a stream has several reasons to end, the first counts.
        for (handle, why) in over {
            self.end(handle, why);
        }
        self.show();
    }

    /// Whether an operator has banned this address.
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        let bans = self.barrier.load();
        !bans.is_empty() && bans.of_address(ip.to_canonical(), SystemTime::now()).is_some()
    }

    /// Counts one more listener of this address. Returns `None` if the address is exempt.
    ///
    /// # Errors
    /// If the address has `media.listeners_per_address` listeners.
    pub fn share(&mut self, caller: Caller) -> Result<Option<Share>, AddressFull> {
        let config = self.config.get();
        if !config.flood.governs(caller.is_on_this_machine) {
            return Ok(None);
        }
        self.shares.hold(caller.ip, config.media.listeners_per_address).map(Some).ok_or(AddressFull)
    }

    /// Adds a listener by HTTP.
    ///
    /// # Errors
    /// If the address is banned, the stream or the key is unknown, the stream has not begun, or a limit on listeners is
    /// reached.
    pub fn subscribe(
        &mut self,
        id: StreamId,
        key: &Key,
        caller: Caller,
    ) -> Result<Subscription, SubscribeError> {
        if self.is_banned(caller.ip) {
            return Err(SubscribeError::Banned);
        }
        let share = self.share(caller);
        let config = self.config.get();
        let (most, most_of_key) = (config.media.listeners, config.media.listeners_per_key);
        let stream = self
            .all
            .get_mut(&id)
            .filter(|stream| stream.listen_keys.knows(key))
            .ok_or(SubscribeError::Unknown)?;
        if !stream.has_begun {
            return Err(SubscribeError::NotYet);
        }
        if let Some(audience) = &mut stream.audience {
            audience.sweep();
        }
        if stream.listener_count() >= most {
            return Err(SubscribeError::Full);
        }
        let hold = stream.listen_keys.hold(key, most_of_key).map_err(|why| match why {
            NoHold::Unknown => SubscribeError::Unknown,
            NoHold::Full => SubscribeError::KeyFull,
        })?;
        let hold = hold.with(share.map_err(|AddressFull| SubscribeError::AddressFull)?);
        let (Some(audience), Some(publisher)) = (&mut stream.audience, &stream.publisher) else {
            return Err(SubscribeError::NotYet);
        };
        let content_type = publisher.description.format.content_type();
        let bytes = audience.add(getrandom::u32().unwrap_or_default(), hold);
        stream.show_listeners();
        self.show();
        Ok(Subscription { content_type, bytes })
    }

    /// Updates the numbers of streams and listeners in the counters.
    pub fn show(&self) {
        let streams = self.all.values().filter(|stream| stream.has_begun).count();
        let listeners = self.all.values().map(|stream| stream.stats.listeners()).sum();
        self.counters.set(streams, listeners);
    }
}
