//! [`RelayStream`]: one publisher and its listeners, and the relaying of datagrams between them.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arauto_rtsp::{Description, Key, StreamId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::farewell::Farewell;
use super::{
    fan_out::{self, Copy},
    http_listeners::Audience,
    keys::Keys,
    listener::{StreamListener, Way, frame},
    outgoing::{End, Outgoing},
    outlet::Outlet,
    ports::PortPair,
    reports,
    rewrite::{HeaderRewrite, Rtp},
    source::{NotRelayed, Source},
};
use crate::server::{common::stream_stats::StreamStats, metrics::audio::Counters};

/// A publisher that sent no audio for this long counts as paused.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The publisher of a stream.
#[derive(Debug)]
pub struct Publisher {
    /// Number of this announcement, which tells it from earlier ones.
    pub number: u64,
    /// The announced description.
    pub description: Description,
    /// The checks on its datagrams, from RECORD on.
    pub source: Option<Source>,
    /// The publisher's address.
    pub ip: IpAddr,
    /// The source addresses of audio and of reports by UDP, each known from its first datagram on.
    pub from: [Option<SocketAddr>; 2],
    /// The sockets that it sends to.
    pub pair: Option<Rc<PortPair>>,
    /// The queue of its connection.
    pub outgoing: Rc<Outgoing>,
}

/// A stream: its publisher, its listeners, and their keys.
#[derive(Debug)]
pub struct RelayStream {
    /// Its number in addresses.
    pub id: StreamId,
    /// Unique number, also among later streams with the same `id`.
    pub serial: u64,
    /// The key that authorizes its publisher.
    pub publish_key: Key,
    /// Its figures, which the registry reads.
    pub stats: Arc<StreamStats>,
    /// The name of the file that is played.
    pub file: Arc<str>,
    /// The publisher, from ANNOUNCE on.
    pub publisher: Option<Publisher>,
    /// Whether audio has arrived, or a report on it.
    pub has_begun: bool,
    /// When the stream began.
    begun: Instant,
    /// When the stream last had a listener, or a client last showed a key to listen with; if neither happened, when it
    /// began.
    pub wanted: Instant,
    /// Whether the stream had listeners at the last check.
    was_heard: bool,
    /// The listeners by RTSP.
    pub listeners: BTreeMap<u64, StreamListener>,
    /// The sockets that listeners are sent to from, one pair for each of the server's addresses.
    pub outlets: Vec<Rc<Outlet>>,
    /// The listeners by HTTP, from ANNOUNCE on.
    pub audience: Option<Audience>,
    /// Cancelled when the stream ends.
    pub over: CancellationToken,
    /// The keys that authorize its listeners.
    pub listen_keys: Keys,
    /// Reused buffer for the copies of one datagram.
    copies: Vec<Copy>,
    counters: Arc<Counters>,
}

/// The result of relaying a publisher's datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The datagram was relayed or dropped.
    Done,
    /// The datagram began the stream.
    Began,
    /// The datagram exceeded the rate.
    TooFast,
}

/// The kind of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    /// Audio (RTP).
    Sound,
    /// A report (RTCP).
    Report,
}

impl RelayStream {
    /// A stream whose publisher has been asked to publish.
    pub fn new(
        id: StreamId,
        serial: u64,
        publish_key: Key,
        stats: Arc<StreamStats>,
        file: Arc<str>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            id,
            serial,
            publish_key,
            stats,
            file,
            publisher: None,
            has_begun: false,
            begun: Instant::now(),
            wanted: Instant::now(),
            was_heard: false,
            listeners: BTreeMap::new(),
            outlets: Vec::new(),
            audience: None,
            over: CancellationToken::new(),
            listen_keys: Keys::default(),
            copies: Vec::new(),
            counters,
        }
    }

    /// The number of listeners, those that do not play yet included.
    pub fn listener_count(&self) -> usize {
        self.listeners.len() + self.audience.as_ref().map_or(0, Audience::len)
    }

    /// Updates the number of listeners in the figures. Only those that play count.
    pub fn show_listeners(&self) {
        let playing = self.listeners.values().filter(|listener| listener.is_playing).count();
        self.stats.set_listeners(playing + self.audience.as_ref().map_or(0, Audience::len));
    }

    /// Processes a datagram that reached the publisher's sockets. Drops those from addresses other than the
    /// publisher's.
    pub fn hear_publisher(
        &mut self,
        kind: DatagramKind,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) -> Carried {
        let Some(publisher) = &mut self.publisher else { return Carried::Done };
        let place = &mut publisher.from[kind as usize];
        if from.ip() != publisher.ip || place.is_some_and(|known| known != from) {
            self.counters.drop_foreign();
            return Carried::Done;
        }
        let had_place = place.is_some();
        let carried = self.carry(kind, bytes, now);
        // Only a valid datagram determines the publisher's port: otherwise the first stray datagram would.
        if let (false, Some((carried, true))) = (had_place, &carried)
            && let Some(publisher) = &mut self.publisher
        {
            publisher.from[kind as usize] = Some(from);
            return *carried;
        }
        carried.map_or(Carried::Done, |(carried, _)| carried)
    }

    /// Processes a datagram from the publisher's connection.
    pub fn hear_connection(&mut self, kind: DatagramKind, bytes: &[u8], now: Instant) -> Carried {
        self.carry(kind, bytes, now).map_or(Carried::Done, |(carried, _)| carried)
    }

    /// Relays a datagram. Returns the result and whether the datagram was valid; `None` before RECORD.
    fn carry(&mut self, kind: DatagramKind, bytes: &[u8], now: Instant) -> Option<(Carried, bool)> {
        self.counters.count_in();
        let source = self.publisher.as_mut()?.source.as_mut()?;
        if kind == DatagramKind::Report {
            if !reports::is_report(bytes) {
                self.counters.drop_strange();
                return Some((Carried::Done, false));
            }
            let is_too_fast = source.hear(bytes.len(), now).is_err();
            return Some((if is_too_fast { Carried::TooFast } else { self.begin(now) }, true));
        }
        match source.take(bytes, now) {
            Ok(rtp) => {
                let payload_type = source.format().payload_type();
                self.stats.set_elapsed(source.elapsed());
                self.send_to_all(&rtp, payload_type, now);
                Some((self.begin(now), true))
            }
            Err(why) => {
                match why {
                    NotRelayed::Foreign => self.counters.drop_foreign(),
                    NotRelayed::Strange | NotRelayed::TooFast => self.counters.drop_strange(),
                }
                let carried = if why == NotRelayed::TooFast { Carried::TooFast } else { Carried::Done };
                Some((carried, false))
            }
        }
    }

    /// Marks the stream as begun, so that admitted clients can listen. The first report suffices: a publisher can wait
    /// for listeners before it sends audio.
    pub fn begin(&mut self, now: Instant) -> Carried {
        if std::mem::replace(&mut self.has_begun, true) {
            return Carried::Done;
        }
        (self.begun, self.wanted) = (now, now);
        Carried::Began
    }

    /// Updates the time since the last audio in the figures.
    pub fn show_idle(&self, now: Instant) {
        let last = self.publisher.as_ref().and_then(|publisher| publisher.source.as_ref()?.last());
        let since = last.map_or(self.begun, |last| last.came);
        self.stats.set_idle(now.saturating_duration_since(since));
    }

    /// How long the stream has had no listeners. A listener that is set up and does not play yet counts.
    pub fn unheard(&mut self, now: Instant) -> Duration {
        let is_heard = self.listener_count() > 0;
        // The departure of a listener by HTTP is noticed only now, so the time counts from here.
        if std::mem::replace(&mut self.was_heard, is_heard) || is_heard || !self.has_begun {
            self.wanted = now;
        }
        now.saturating_duration_since(self.wanted)
    }

    fn send_to_all(&mut self, rtp: &Rtp<'_>, payload_type: u8, now: Instant) {
        let (mut interleaved, mut dropped) = (0, 0);
        for listener in self.listeners.values_mut().filter(|listener| listener.is_playing) {
            if let Way::Interleaved { rtp: channel, .. } = listener.way {
                let header = listener.rewrite.header(rtp, payload_type);
                let is_taken = frame(channel, &[&header, rtp.rest()])
                    .is_some_and(|frame| listener.outgoing.frame(frame));
                interleaved += usize::from(is_taken);
                dropped += usize::from(!is_taken);
                listener.count(rtp);
            }
        }
        for (number, outlet) in self.outlets.iter().enumerate() {
            self.copies.clear();
            for listener in self.listeners.values_mut().filter(|listener| listener.is_playing) {
                if let Way::Udp { pair, rtp: place, .. } = &listener.way
                    && *pair == number
                {
                    let header = listener.rewrite.header(rtp, payload_type);
                    self.copies.push(Copy { to: place.at, header });
                    listener.count(rtp);
                }
            }
            if !self.copies.is_empty() {
                let outcome = fan_out::send(&outlet.pair.rtp, &outlet.backlog, &self.copies, rtp.rest());
                self.counters.count_out(outcome.sent);
                self.counters.count_lost(outcome.lost);
            }
        }
        self.counters.count_out(interleaved);
        self.counters.count_lost(dropped);
        if let Some(audience) = &mut self.audience
            && audience.carry(rtp, now) > 0
        {
            self.show_listeners();
        }
    }

    /// Processes a datagram that reached a listener's sockets: it may confirm the listener's address, and report what
    /// arrived.
    pub fn hear_listener(
        &mut self,
        outlet: usize,
        kind: DatagramKind,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
    ) {
        let is_report = kind == DatagramKind::Report;
        let on = |listener: &StreamListener| matches!(listener.way, Way::Udp { pair, .. } if pair == outlet);
        let known =
            self.listeners.values_mut().find(|listener| on(listener) && listener.owns(from, is_report));
        let listener = if let Some(listener) = known {
            listener
        } else {
            // A report names the SSRC of the audio that it is about, and only that audio's listener knows the SSRC.
            let heard = if is_report { reports::heard(bytes) } else { Vec::new() };
            let about: Vec<u32> = heard.iter().map(|heard| heard.of).collect();
            let mut may: Vec<&mut StreamListener> = self
                .listeners
                .values_mut()
                .filter(|listener| on(listener) && listener.may_own(from, is_report))
                .collect();
            let named = may.iter().position(|listener| about.contains(&listener.rewrite.ssrc));
            match (named, may.len()) {
                (Some(place), _) => may.swap_remove(place),
                (None, 1) => may.remove(0),
                _ => return self.counters.drop_foreign(),
            }
        };
        listener.settle(from, is_report);
        listener.heard = now;
        if is_report {
            self.counters.count_reports(listener.hear(bytes, now));
        }
    }

    /// Sends the reports that are due.
    pub fn report(&mut self, now: Instant, wall: SystemTime) {
        let Some(source) = self.publisher.as_ref().and_then(|publisher| publisher.source.as_ref()) else {
            return;
        };
        let (Some(timestamp), Some(last)) = (source.timestamp_at(now), source.last()) else { return };
        // While the publisher is paused, the audio's time does not advance, so the report has no timestamp.
        let is_paused = now.saturating_duration_since(last.came) > PAUSE_TIMEOUT;
        for listener in self.listeners.values_mut() {
            if !listener.is_playing || listener.report_due > now || listener.sent.packets == 0 {
                continue;
            }
            let HeaderRewrite { ssrc, .. } = listener.rewrite;
            let report = if is_paused {
                reports::presence(ssrc)
            } else {
                let timestamp = listener.rewrite.timestamp(timestamp);
                reports::sender_report(ssrc, timestamp, listener.sent, wall)
            };
            tell(listener, &self.outlets, &report);
            listener.report_due = now + reports::next_interval(getrandom::u32().unwrap_or(u32::MAX / 2));
        }
    }

    /// Sends RTCP BYE to a listener that plays.
    pub fn bid_farewell(&self, listener: &StreamListener) {
        if !listener.is_playing {
            return;
        }
        let farewell = reports::farewell(listener.rewrite.ssrc);
        match listener.way {
            Way::Interleaved { rtcp, .. } => {
                if let Some(frame) = frame(rtcp, &[&farewell]) {
                    listener.outgoing.last_frame(frame);
                }
            }
            Way::Udp { .. } => tell(listener, &self.outlets, &farewell),
        }
    }

    /// Ends the stream for all listeners, and ends all its connections as `how` says. Returns the BYEs that listeners
    /// by UDP are still to receive.
    pub fn end(&mut self, how: End) -> Farewell {
        let mut farewell = Farewell { outlets: std::mem::take(&mut self.outlets), byes: Vec::new() };
        for listener in self.listeners.values().filter(|listener| listener.is_playing) {
            match listener.way {
                Way::Udp { pair, rtcp, .. } => {
                    farewell.byes.push((pair, rtcp.at, reports::farewell(listener.rewrite.ssrc)));
                }
                Way::Interleaved { .. } => self.bid_farewell(listener),
            }
        }
        let connections = self.listeners.values().map(|listener| &listener.outgoing);
        for outgoing in connections.chain(self.publisher.as_ref().map(|publisher| &publisher.outgoing)) {
            outgoing.end(how);
        }
        self.listeners.clear();
        self.audience = None;
        self.stats.set_listeners(0);
        self.over.cancel();
        farewell
    }
}

/// Sends a report. If the socket does not take it, the report is lost: the next one says the same.
fn tell(listener: &StreamListener, outlets: &[Rc<Outlet>], report: &[u8]) {
    match &listener.way {
        Way::Udp { pair, rtcp, .. } => {
            if let Some(outlet) = outlets.get(*pair) {
                let _: io::Result<usize> = outlet.pair.rtcp.try_send_to(report, rtcp.at);
            }
        }
        Way::Interleaved { rtcp, .. } => {
            if let Some(frame) = frame(*rtcp, &[report]) {
                listener.outgoing.frame(frame);
            }
        }
    }
}

pub mod farewell;

#[cfg(test)]
mod tests;
