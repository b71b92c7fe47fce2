//! [`Stream`]: one publisher, many listeners, and what goes from the one to the others.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    counters::Counters,
    fan_out::{self, Backlog, Copy},
    figures::Figures,
    keys::Keys,
    listener::{Listener, Way, frame},
    numbering::{Numbering, Rtp},
    outgoing::{End, Outgoing},
    ports::Pair,
    reports,
    source::{NotTaken, Source},
    tuned::Audience,
};
use crate::media::{Description, Key, StreamId};

/// How long after the last sound, and after one another, listeners by UDP are told that it was the last. More than once, because a
/// datagram can be lost, and because a program that is behind does not know yet whose end it is.
const BYES_AFTER: [u64; 4] = [500, 500, 1_000, 2_000];

/// A publisher that sent nothing for so long has paused.
const PAUSE: Duration = Duration::from_secs(2);

/// Sockets from which listeners are sent to, and what waits for them.
#[derive(Debug)]
pub struct Outlet {
    /// The sockets.
    pub pair: Pair,
    /// What they did not take.
    pub backlog: Backlog,
    /// The server's address that its listeners reached.
    pub local: IpAddr,
}

/// Who publishes.
#[derive(Debug)]
pub struct Publisher {
    /// Which of those who tried.
    pub number: u64,
    /// What is published.
    pub description: Description,
    /// What comes is held against this, from RECORD on.
    pub source: Option<Source>,
    /// The publisher's address.
    pub ip: IpAddr,
    /// Where sound and reports come from by UDP, from the first datagrams on.
    pub from: [Option<SocketAddr>; 2],
    /// Its sockets.
    pub pair: Option<Rc<Pair>>,
    /// Its connection.
    pub outgoing: Rc<Outgoing>,
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// What it is called.
    pub id: StreamId,
    /// No other stream has this number, also not a later one of the same name.
    pub serial: u64,
    /// What lets the publisher in.
    pub publish_key: Key,
    /// What is to be shown of it.
    pub figures: Arc<Figures>,
    /// What is played.
    pub file: Arc<str>,
    /// Who publishes, once it has announced itself.
    pub publisher: Option<Publisher>,
    /// Sound has come, or a report of it.
    pub has_begun: bool,
    /// When it began.
    begun: Instant,
    /// When somebody listened last, or showed a key to listen with; when it began, if nobody has.
    pub wanted: Instant,
    /// Somebody listened when it was looked at last.
    was_heard: bool,
    /// Those who listen by RTSP.
    pub listeners: BTreeMap<u64, Listener>,
    /// From where they are sent to.
    pub outlets: Vec<Rc<Outlet>>,
    /// Those who listen by HTTP, from the announcement on.
    pub audience: Option<Audience>,
    /// Cancelled in the end.
    pub over: CancellationToken,
    /// What lets people listen.
    pub listen_keys: Keys,
    /// Room for one datagram's copies.
    copies: Vec<Copy>,
    counters: Arc<Counters>,
}

/// What became of a publisher's datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// It went on its way, or was dropped.
    Done,
    /// It is the first one.
    Began,
    /// More comes than may.
    TooFast,
}

/// Sound, or reports about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP.
    Sound,
    /// RTCP.
    Report,
}

impl Stream {
    /// A stream that somebody is asked to publish.
    pub fn new(
        id: StreamId,
        serial: u64,
        publish_key: Key,
        figures: Arc<Figures>,
        file: Arc<str>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            id,
            serial,
            publish_key,
            figures,
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

    /// How many listen, or are about to.
    pub fn listener_count(&self) -> usize {
        self.listeners.len() + self.audience.as_ref().map_or(0, Audience::len)
    }

    /// Has the figures say how many listen.
    pub fn show_listeners(&self) {
        let playing = self.listeners.values().filter(|listener| listener.is_playing).count();
        self.figures.set_listeners(playing + self.audience.as_ref().map_or(0, Audience::len));
    }

    /// The publisher's sockets got a datagram. Others than the publisher are not heard.
    pub fn hear_publisher(&mut self, kind: Kind, from: SocketAddr, bytes: &[u8], now: Instant) -> Carried {
        let Some(publisher) = &mut self.publisher else { return Carried::Done };
        let place = &mut publisher.from[kind as usize];
        if from.ip() != publisher.ip || place.is_some_and(|known| known != from) {
            self.counters.drop_foreign();
            return Carried::Done;
        }
        let had_place = place.is_some();
        let carried = self.carry(kind, bytes, now);
        // Only what is taken says where the publisher is: else the first stray datagram would.
        if let (false, Some((carried, true))) = (had_place, &carried)
            && let Some(publisher) = &mut self.publisher
        {
            publisher.from[kind as usize] = Some(from);
            return *carried;
        }
        carried.map_or(Carried::Done, |(carried, _)| carried)
    }

    /// The publisher's connection brought a datagram.
    pub fn hear_connection(&mut self, kind: Kind, bytes: &[u8], now: Instant) -> Carried {
        self.carry(kind, bytes, now).map_or(Carried::Done, |(carried, _)| carried)
    }

    /// Passes a datagram on. Returns also whether it was good; `None` before RECORD.
    fn carry(&mut self, kind: Kind, bytes: &[u8], now: Instant) -> Option<(Carried, bool)> {
        self.counters.count_in();
        let source = self.publisher.as_mut()?.source.as_mut()?;
        if kind == Kind::Report {
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
                self.figures.set_elapsed(source.elapsed());
                self.send_to_all(&rtp, payload_type, now);
                Some((self.begin(now), true))
            }
            Err(why) => {
                match why {
                    NotTaken::Foreign => self.counters.drop_foreign(),
                    NotTaken::Strange | NotTaken::TooFast => self.counters.drop_strange(),
                }
                let carried = if why == NotTaken::TooFast { Carried::TooFast } else { Carried::Done };
                Some((carried, false))
            }
        }
    }

    /// Whoever asked for it can listen: from the first report on, so that a publisher can wait for them before it sends sound.
    pub fn begin(&mut self, now: Instant) -> Carried {
        if std::mem::replace(&mut self.has_begun, true) {
            return Carried::Done;
        }
        (self.begun, self.wanted) = (now, now);
        Carried::Began
    }

    /// Has the figures say since when no sound has come.
    pub fn show_idle(&self, now: Instant) {
        let last = self.publisher.as_ref().and_then(|publisher| publisher.source.as_ref()?.last());
        let since = last.map_or(self.begun, |last| last.came);
        self.figures.set_idle(now.saturating_duration_since(since));
    }

    /// How long it has gone on with nobody listening. A listener that is set up and does not play yet counts.
    pub fn unheard(&mut self, now: Instant) -> Duration {
        let is_heard = self.listener_count() > 0;
        // That a listener by HTTP has left shows now.
        if std::mem::replace(&mut self.was_heard, is_heard) || is_heard || !self.has_begun {
            self.wanted = now;
        }
        now.saturating_duration_since(self.wanted)
    }

    fn send_to_all(&mut self, rtp: &Rtp<'_>, payload_type: u8, now: Instant) {
        let (mut interleaved, mut dropped) = (0, 0);
        for listener in self.listeners.values_mut().filter(|listener| listener.is_playing) {
            if let Way::Interleaved { rtp: channel, .. } = listener.way {
                let header = listener.numbering.header(rtp, payload_type);
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
                    let header = listener.numbering.header(rtp, payload_type);
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

    /// A listener's socket got a datagram: it may say where he is, and what he heard.
    pub fn hear_listener(&mut self, outlet: usize, kind: Kind, from: SocketAddr, bytes: &[u8], now: Instant) {
        let is_report = kind == Kind::Report;
        let on = |listener: &Listener| matches!(listener.way, Way::Udp { pair, .. } if pair == outlet);
        let known =
            self.listeners.values_mut().find(|listener| on(listener) && listener.owns(from, is_report));
        let listener = if let Some(listener) = known {
            listener
        } else {
            // A report says by its number whom it is about, and only he knows that number.
            let heard = if is_report { reports::heard(bytes) } else { Vec::new() };
            let about: Vec<u32> = heard.iter().map(|heard| heard.of).collect();
            let mut may: Vec<&mut Listener> = self
                .listeners
                .values_mut()
                .filter(|listener| on(listener) && listener.may_own(from, is_report))
                .collect();
            let named = may.iter().position(|listener| about.contains(&listener.numbering.ssrc));
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

    /// Tells those whose time it is what they were sent.
    pub fn report(&mut self, now: Instant, wall: SystemTime) {
        let Some(source) = self.publisher.as_ref().and_then(|publisher| publisher.source.as_ref()) else {
            return;
        };
        let (Some(timestamp), Some(last)) = (source.timestamp_at(now), source.last()) else { return };
        // While nothing is sent, no time of it goes on.
        let is_paused = now.saturating_duration_since(last.came) > PAUSE;
        for listener in self.listeners.values_mut() {
            if !listener.is_playing || listener.report_due > now || listener.sent.packets == 0 {
                continue;
            }
            let Numbering { ssrc, .. } = listener.numbering;
            let report = if is_paused {
                reports::presence(ssrc)
            } else {
                let timestamp = listener.numbering.timestamp(timestamp);
                reports::sender_report(ssrc, timestamp, listener.sent, wall)
            };
            tell(listener, &self.outlets, &report);
            listener.report_due = now + reports::next_interval(getrandom::u32().unwrap_or(u32::MAX / 2));
        }
    }

    /// Tells a listener that nothing more comes.
    pub fn bid_farewell(&self, listener: &Listener) {
        if !listener.is_playing {
            return;
        }
        let farewell = reports::farewell(listener.numbering.ssrc);
        match listener.way {
            Way::Interleaved { rtcp, .. } => {
                if let Some(frame) = frame(rtcp, &[&farewell]) {
                    listener.outgoing.last_frame(frame);
                }
            }
            Way::Udp { .. } => tell(listener, &self.outlets, &farewell),
        }
    }

    /// Ends it for everyone. Connections end as this says. What listeners by UDP are still to be told comes back.
    pub fn end(&mut self, how: End) -> Farewell {
        let mut farewell = Farewell { outlets: std::mem::take(&mut self.outlets), byes: Vec::new() };
        for listener in self.listeners.values().filter(|listener| listener.is_playing) {
            match listener.way {
                Way::Udp { pair, rtcp, .. } => {
                    farewell.byes.push((pair, rtcp.at, reports::farewell(listener.numbering.ssrc)));
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
        self.figures.set_listeners(0);
        self.over.cancel();
        farewell
    }
}

/// What is still to be said when a stream is over.
#[must_use]
pub struct Farewell {
    outlets: Vec<Rc<Outlet>>,
    byes: Vec<(usize, SocketAddr, Vec<u8>)>,
}

impl Farewell {
    /// Says it now.
    pub fn say(&self) {
        for outlet in &self.outlets {
            outlet.backlog.drain(&outlet.pair.rtp);
        }
        for (outlet, to, bye) in &self.byes {
            // A listener that does not hear it finds out by silence, or by its connection's end.
            let _: io::Result<usize> = self.outlets[*outlet].pair.rtcp.try_send_to(bye, *to);
        }
    }

    /// Says it a moment later. Programs that find sound and a report waiting read the report first, and leave the sound.
    pub fn say_later(self) {
        if !self.byes.is_empty() {
            actix_rt::spawn(async move {
                for after in BYES_AFTER {
                    sleep(Duration::from_millis(after)).await;
                    self.say();
                }
            });
        }
    }
}

/// Sends a report. It is lost where the socket takes nothing: the next one says the same.
fn tell(listener: &Listener, outlets: &[Rc<Outlet>], report: &[u8]) {
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

#[cfg(test)]
mod tests;
