//! Handles requests about streams, and the reports of the relay.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use arauto_protocol::{Line, Name, NameKey, Refusal, reply, request::Direct};
use arauto_protocol::{Offer, Summons};
use arauto_rtsp::{Key, StreamId};
use arauto_settings::escape::Escaped;
use slog::{info, warn};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        advertised_addresses::AdvertisedAddresses,
        roster::Member,
        stream_directory::{AskOutcome, Closed, MAX_WAITED_FOR, NotAsked, Opening, Party, Shown},
    },
    Registry,
};
use crate::{
    config,
    server::{
        audio::messages::{AdmitListener, OpenStream, ShutStream, ToRelay},
        common::{
            session_ref::{SessionId, SessionRef},
            stream_stats::StreamEnd,
        },
        messages::{StreamBegan, StreamEnded},
    },
};

/// The relay, and the addresses at which it serves.
pub struct AudioHandle {
    /// The actor that carries streams.
    pub relay: ToRelay,
    /// The addresses that serve streams.
    pub addresses: AdvertisedAddresses,
}

/// From the registry to itself: the time is over in which this publisher had to begin.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct PublishOver(StreamId, Opening);

/// Why a client gets no address of a stream.
enum NoAddress {
    /// The client cannot reach any address that serves streams.
    Unreachable,
    /// The address does not fit into a message.
    TooLong,
}

impl Registry {
    /// Asks the owner of a file to publish it, or tells the asker where to listen. If the request is the owner's
    /// refusal, passes it on to the clients that wait.
    pub(super) fn play(&mut self, session_ref: SessionRef, from: &Name, asked: &Direct) {
        let limit = self.config.limits.message_bytes;
        let Some(publisher) = self.roster.find(&asked.to).cloned() else {
            let line = reply::not_found(limit, from, asked.operation, &asked.typed);
            return self.refuse(session_ref, Refusal::NotFound, line);
        };
        if let Some(why) = asked.cannot() {
            return self.will_not_play(session_ref, from, &publisher, why);
        }
        if let Err(why) = self.ask(session_ref, &publisher, &asked.data) {
            self.tell(session_ref, reply::not_played(limit, from, &why));
        }
    }

    fn ask(&mut self, session_ref: SessionRef, publisher: &Member, file: &str) -> Result<(), String> {
        let limit = self.config.limits.message_bytes;
        let Some(asker) = self.roster.get(session_ref.id).cloned() else { return Ok(()) };
        let Some(audio_handle) = &self.audio_handle else {
            return Err("This server carries no audio: its operator has to set media.listen".to_owned());
        };
        let media = &self.config.media;
        let of_publisher = audio_handle.addresses.rtsp(&publisher.peer, &media.public_host);
        let (Some(endpoint), Some(_)) =
            (of_publisher, audio_handle.addresses.rtsp(&asker.peer, &media.public_host))
        else {
            return Err(self.out_of_reach(&asker, publisher));
        };
        let key = random_key()?;
        let summons = |stream| {
            let rtsp = endpoint.address(stream, key).to_string();
            reply::publish(limit, &asker.name, &publisher.name, &Summons { rtsp: &rtsp, file }.to_string())
        };
        let (publishing, asking, now) = (Party::of(publisher), Party::of(&asker), Instant::now());
        let refused = |why| no_stream(why, media);
        let mut gave_way = None;
        if !self.streams.has(publishing.id, file) {
            // All addresses at an endpoint have one length. No stream is displaced for a request that does not fit into
            // a message.
            summons(StreamId(0)).ok_or_else(|| too_long(limit))?;
            gave_way = self.streams.make_room(publishing, asking, media, now).map_err(refused)?;
        }
        let asked = self.streams.ask((publishing, &publisher.name), file, asking, key, media, now);
        let relay = audio_handle.relay.clone();
        match asked.map_err(refused)? {
            AskOutcome::Waits => {}
            AskOutcome::Plays { stream, key, is_new } => {
                if is_new {
                    relay.admit.do_send(AdmitListener { stream, key });
                }
                self.offer(stream, key, (&publisher.name, file), session_ref.id);
            }
            AskOutcome::Open(stream, opening) => {
                let Some(line) = summons(stream) else { return Ok(()) };
                if let Some(closed) = gave_way {
                    self.tell_gave_way(&closed);
                }
                if let Some((file, stats)) = self.streams.get(stream) {
                    relay.open.do_send(OpenStream { stream, key, stats, file });
                }
                self.tell(publisher.session_ref, line);
                self.opened.push((stream, opening));
            }
        }
        Ok(())
    }

    /// Handles the end of a stream whose place went to another one.
    fn tell_gave_way(&mut self, closed: &Closed) {
        self.shut(closed.stream);
        let config::Media { streams, waiting, .. } = self.config.media;
        if closed.was_on {
            let why = format!("its place went to another file (at most {streams} play at once)");
            self.tell_publisher(closed, Some(&why));
            self.tell_ended(closed, Some(&why));
        } else {
            let publisher = &closed.publisher;
            let why = format!(
                "{publisher} had not started, and its place went to another request (at most {waiting} may wait)"
            );
            self.tell_ended(closed, Some(&why));
        }
    }

    /// Sends a client the address at which it may listen.
    fn offer(&mut self, stream: StreamId, key: Key, (publisher, file): (&Name, &str), asker: SessionId) {
        let Some(asker) = self.roster.get(asker).cloned() else { return };
        let limit = self.config.limits.message_bytes;
        let line = self.offered(stream, key, (publisher, file), &asker).unwrap_or_else(|why| {
            let why = match why {
                NoAddress::TooLong => too_long(limit),
                NoAddress::Unreachable => unreachable_for("you"),
            };
            reply::not_played(limit, &asker.name, &why)
        });
        self.tell(asker.session_ref, line);
    }

    fn offered(
        &self,
        stream: StreamId,
        key: Key,
        (publisher, file): (&Name, &str),
        asker: &Member,
    ) -> Result<Line, NoAddress> {
        let host = &self.config.media.public_host;
        let addresses = &self.audio_handle.as_ref().ok_or(NoAddress::Unreachable)?.addresses;
        let rtsp = addresses.rtsp(&asker.peer, host).ok_or(NoAddress::Unreachable)?.address(stream, key);
        let http =
            addresses.http(&asker.peer, host).map(|endpoint| endpoint.address(stream, key).to_string());
        let offer = Offer { rtsp: &rtsp.to_string(), http: http.as_deref(), file }.to_string();
        let limit = self.config.limits.message_bytes;
        reply::plays(limit, publisher, &asker.name, &offer).ok_or(NoAddress::TooLong)
    }

    fn out_of_reach(&self, asker: &Member, publisher: &Member) -> String {
        let host = &self.config.media.public_host;
        let is_asker = self
            .audio_handle
            .as_ref()
            .is_some_and(|audio_handle| audio_handle.addresses.rtsp(&asker.peer, host).is_none());
        if is_asker { unreachable_for("you") } else { unreachable_for(publisher.name.as_str()) }
    }

    /// Handles the answer of a publisher that it will not play a file.
    fn will_not_play(&mut self, session_ref: SessionRef, publisher: &Name, asker: &Member, why: &str) {
        let limit = self.config.limits.message_bytes;
        let Some(closed) = self.streams.refuse(session_ref.id, asker.session_ref.id, why) else {
            return self.tell(session_ref, reply::nobody_waits(limit, publisher, asker.name.as_str()));
        };
        self.shut(closed.stream);
        for id in closed.askers {
            let Some(asker) = self.roster.get(id).cloned() else { continue };
            self.tell(asker.session_ref, reply::cannot_play(limit, publisher, &asker.name, why));
        }
    }

    /// Lists the streams that are on.
    pub(super) fn list_streams(&mut self, session_ref: SessionRef, to: &Name) {
        let limit = self.config.limits.message_bytes;
        let line = |shown: Shown<'_>| {
            let stats = shown.stats;
            let (listeners, elapsed, length) = (stats.listeners(), stats.elapsed(), stats.length());
            reply::stream(limit, to, (shown.publisher, shown.file), listeners, elapsed, length)
        };
        let mut lines: Vec<Line> = self.streams.on().into_iter().map(line).collect();
        if lines.is_empty() {
            lines.push(reply::no_streams(limit, to));
        }
        self.tell_all(session_ref, lines);
    }

    /// Ends a stream: the client's own one or, for an operator, that of another client.
    pub(super) fn stop(&mut self, session_ref: SessionRef, by: &Name, what: &Direct, by_operator: bool) {
        let Direct { to, typed, data: file, .. } = what;
        let limit = self.config.limits.message_bytes;
        let mut publishers = self.streams.publishers(file);
        if !is_nobody(to, typed) {
            publishers.retain(|(_, name)| name.key() == to);
        } else if publishers.iter().any(|(id, _)| *id == session_ref.id) {
            publishers.retain(|(id, _)| *id == session_ref.id);
        }
        let Some((publisher, name)) = publishers.first() else {
            return self.refuse(session_ref, Refusal::NotFound, reply::not_on(limit, by, file));
        };
        if *publisher != session_ref.id && !by_operator {
            let line = reply::not_yours_to_stop(limit, by, name, file);
            return self.refuse(session_ref, Refusal::NotAllowed, line);
        }
        if publishers.len() > 1 {
            return self.refuse(session_ref, Refusal::Incomplete, reply::several_play(limit, by, name, file));
        }
        let Some(closed) = self.streams.stop(*publisher, file) else { return };
        self.shut(closed.stream);
        let why = (*publisher != session_ref.id).then(|| format!("{by} ended it"));
        // The client that ended the stream gets the line too, but not twice.
        if !closed.askers.contains(&session_ref.id) || !closed.was_on {
            self.tell(session_ref, reply::stream_ended(limit, by, (&closed.publisher, file), why.as_deref()));
        }
        self.tell_ended(&closed, why.as_deref());
    }

    /// Ends the streams of a session that has left, and cancels what it waited for.
    pub(super) fn end_streams_of(&mut self, id: SessionId) {
        for closed in self.streams.leave(id) {
            self.shut(closed.stream);
            let why = format!("{} has left", closed.publisher);
            self.tell_ended(&closed, Some(&why));
        }
    }

    /// Tells every client that asked for the stream that it is over, or that it will not begin.
    fn tell_ended(&mut self, closed: &Closed, why: Option<&str>) {
        let Closed { publisher, file, was_on, stream, .. } = closed;
        let limit = self.config.limits.message_bytes;
        if *was_on {
            let why = why.unwrap_or("its publisher ended it");
            info!(self.log, "stream ended"; "stream" => %stream, "publisher" => %publisher, "why" => %Escaped(why));
        }
        for id in &closed.askers {
            let Some(asker) = self.roster.get(*id).cloned() else { continue };
            let line = if *was_on {
                reply::stream_ended(limit, &asker.name, (publisher, file), why)
            } else {
                let why = why.map_or_else(|| format!("{publisher} ended it"), str::to_owned);
                reply::not_played(limit, &asker.name, &format!("{publisher}: {file} does not play: {why}"))
            };
            self.tell(asker.session_ref, line);
        }
    }

    /// Tells the publisher that the server ended its stream, unless it gets that line as an asker.
    fn tell_publisher(&mut self, closed: &Closed, why: Option<&str>) {
        let Closed { publisher, file, askers, .. } = closed;
        let Some(member) = self.roster.find(publisher.key()).cloned() else { return };
        if !askers.contains(&member.session_ref.id) {
            let limit = self.config.limits.message_bytes;
            self.tell(member.session_ref, reply::stream_ended(limit, publisher, (publisher, file), why));
        }
    }

    fn shut(&self, stream: StreamId) {
        if let Some(audio_handle) = &self.audio_handle {
            audio_handle.relay.shut.do_send(ShutStream { stream });
        }
    }

    /// Starts the timeouts of publishers that were asked.
    pub(super) fn time_opened(&mut self, ctx: &mut Context<Self>) {
        let timeout = self.config.media.publish_timeout;
        for (stream, opening) in self.opened.drain(..) {
            let registry = ctx.address();
            // A timer of this actor would be polled at every wake-up of the actor.
            actix_rt::spawn(async move {
                sleep(timeout).await;
                registry.do_send(PublishOver(stream, opening));
            });
        }
    }

    fn begun(&mut self, stream: StreamId) {
        let Some((publisher, file, askers)) = self.streams.begin(stream) else {
            // The registry gave up the stream meanwhile.
            return self.shut(stream);
        };
        info!(self.log, "stream began"; "stream" => %stream, "publisher" => %publisher, "file" => %Escaped(&file));
        for asker in askers {
            let key = match random_key() {
                Ok(key) => key,
                Err(why) => {
                    warn!(self.log, "cannot admit a listener to a stream"; "why" => why);
                    continue;
                }
            };
            self.streams.admit(stream, asker, key);
            if let Some(audio_handle) = &self.audio_handle {
                audio_handle.relay.admit.do_send(AdmitListener { stream, key });
            }
            self.offer(stream, key, (&publisher, &file), asker);
        }
    }
}

/// Whether DESTINATION of `stop` names no user: it is empty or the server.
fn is_nobody(to: &NameKey, typed: &str) -> bool {
    typed.is_empty() || *to == NameKey::of(reply::SERVER)
}

fn random_key() -> Result<Key, String> {
    Key::random().map_err(|error| format!("The server has no random numbers ({error}). Try again later"))
}

fn no_stream(why: NotAsked, media: &config::Media) -> String {
    let config::Media { streams, waiting, listeners, .. } = media;
    match why {
        NotAsked::Streams => {
            format!(
                "{streams} files are played, which is the most. /streams shows them; try again when one has ended"
            )
        }
        NotAsked::Waiting => {
            format!("As many are asked for a file at the moment as may be ({waiting}). Try again in a moment")
        }
        NotAsked::TooManyWaiting => {
            format!(
                "You wait for {MAX_WAITED_FOR} files, which is the most. Try again when one of them plays"
            )
        }
        NotAsked::Listeners => {
            format!(
                "{listeners} users have asked for this, which is the most. Try again when it is played again"
            )
        }
    }
}

fn unreachable_for(whom: &str) -> String {
    format!(
        "The server does not listen for audio at the address where {whom} reached it. Its operator has to add that to \
         media.listen, or set media.public_host"
    )
}

fn too_long(limit: usize) -> String {
    format!("The address of the stream and the name of the file are too long for a message of {limit} bytes")
}

fn in_words(why: StreamEnd, publisher: &Name, media: &config::Media) -> Option<String> {
    Some(match why {
        StreamEnd::Finished => return None,
        StreamEnd::Gone => format!("the connection to {publisher} broke"),
        StreamEnd::Silent => format!("{publisher} sent nothing for {}", in_seconds(media.silence_timeout)),
        StreamEnd::TooFast => {
            format!("it had more than {} bits a second, which is the most", media.bit_rate)
        }
        StreamEnd::Unheard => format!("nobody listened for {}", in_seconds(media.unheard_timeout)),
    })
}

fn in_seconds(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(time)
}

impl Handler<StreamBegan> for Registry {
    type Result = ();

    fn handle(&mut self, StreamBegan { stream }: StreamBegan, ctx: &mut Context<Self>) {
        self.begin_batch();
        if !self.closing {
            self.begun(stream);
            self.flush_later(ctx);
        }
    }
}

impl Handler<StreamEnded> for Registry {
    type Result = ();

    fn handle(&mut self, StreamEnded { stream, why }: StreamEnded, ctx: &mut Context<Self>) {
        self.begin_batch();
        if !self.closing
            && let Some(closed) = self.streams.end(stream)
        {
            let words = in_words(why, &closed.publisher, &self.config.media);
            if why == StreamEnd::Unheard {
                self.tell_publisher(&closed, words.as_deref());
            }
            self.tell_ended(&closed, words.as_deref());
            self.flush_later(ctx);
        }
    }
}

impl Handler<PublishOver> for Registry {
    type Result = ();

    fn handle(&mut self, PublishOver(stream, opening): PublishOver, ctx: &mut Context<Self>) {
        self.begin_batch();
        if !self.closing
            && let Some(closed) = self.streams.expire(stream, opening)
        {
            self.shut(stream);
            let timeout = in_seconds(self.config.media.publish_timeout);
            let why = format!("nothing came within {timeout}. Does {} share files?", closed.publisher);
            self.tell_ended(&closed, Some(&why));
            self.flush_later(ctx);
        }
    }
}

#[cfg(test)]
mod tests;
