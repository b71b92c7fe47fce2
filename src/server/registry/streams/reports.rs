//! Tells members that a stream began or is over: as the relay reports, because a session left, or for want of room.

use arauto_protocol::reply;
use arauto_rtsp::{Key, StreamId};
use arauto_settings::escape::Escaped;
use slog::{info, warn};

use super::{
    StreamRequests,
    answers::{self, NotPlayed},
    directory::{Closed, Opening},
};
use crate::server::{
    audio::messages::{AdmitListener, ShutStream},
    common::{session_ref::SessionId, stream_stats::StreamEnd},
};

impl StreamRequests<'_> {
    /// The publisher has begun: sends an address to each client that waited.
    pub fn begun(&mut self, stream: StreamId) {
        let Some((publisher, file, askers)) = self.streams.directory.begin(stream) else {
            // The registry gave up the stream meanwhile.
            return self.shut(stream);
        };
        info!(self.log, "stream began"; "stream" => %stream, "publisher" => %publisher, "file" => %Escaped(&file));
        for asker in askers {
            let key = match Key::random().map_err(NotPlayed::from) {
                Ok(key) => key,
                Err(why) => {
                    warn!(self.log, "cannot admit a listener to a stream"; "why" => why.to_string());
                    continue;
                }
            };
            self.streams.directory.admit(stream, asker, key);
            self.admit(stream, key);
            self.offer(stream, key, (&publisher, &file), asker);
        }
    }

    /// The relay reports the end of a stream that had begun.
    pub fn ended(&mut self, stream: StreamId, why: StreamEnd) {
        let Some(closed) = self.streams.directory.end(stream) else { return };
        let words = answers::ended(why, &closed.publisher, &self.config.media);
        if why == StreamEnd::Unheard {
            self.tell_publisher(&closed, words.as_deref());
        }
        self.tell_ended(&closed, words.as_deref());
    }

    /// The time is over in which a publisher had to begin.
    pub fn publish_over(&mut self, stream: StreamId, opening: Opening) {
        let Some(closed) = self.streams.directory.expire(stream, opening) else { return };
        self.shut(stream);
        let why = answers::overdue(&closed.publisher, &self.config.media);
        self.tell_ended(&closed, Some(&why));
    }

    /// Ends the streams of a session that has left, and cancels what it waited for.
    pub fn leave(&mut self, id: SessionId) {
        for closed in self.streams.directory.leave(id) {
            self.shut(closed.stream);
            let why = format!("{} has left", closed.publisher);
            self.tell_ended(&closed, Some(&why));
        }
    }

    /// Ends a stream whose place went to another one.
    pub(super) fn give_way(&mut self, closed: &Closed) {
        self.shut(closed.stream);
        let why = answers::displaced(closed.was_on, &closed.publisher, &self.config.media);
        if closed.was_on {
            self.tell_publisher(closed, Some(&why));
        }
        self.tell_ended(closed, Some(&why));
    }

    /// Tells every client that asked for the stream that it is over, or that it will not begin.
    pub(super) fn tell_ended(&mut self, closed: &Closed, why: Option<&str>) {
        let Closed { publisher, file, was_on, stream, .. } = closed;
        let limit = self.config.limits.message_bytes;
        if *was_on {
            let why = why.unwrap_or("its publisher ended it");
            info!(self.log, "stream ended"; "stream" => %stream, "publisher" => %publisher, "why" => %Escaped(why));
        }
        for id in &closed.askers {
            let Some(asker) = self.output.roster.get(*id) else { continue };
            let line = if *was_on {
                reply::stream_ended(limit, &asker.name, (publisher, file), why)
            } else {
                let why = why.map_or_else(|| format!("{publisher} ended it"), str::to_owned);
                reply::not_played(limit, &asker.name, &format!("{publisher}: {file} does not play: {why}"))
            };
            self.output.tell(asker.session_ref, line);
        }
    }

    /// Tells the publisher that the server ended its stream, unless it gets that line as an asker.
    fn tell_publisher(&mut self, closed: &Closed, why: Option<&str>) {
        let Closed { publisher, file, askers, .. } = closed;
        let Some(member) = self.output.roster.find(publisher.key()) else { return };
        if !askers.contains(&member.session_ref.id) {
            let limit = self.config.limits.message_bytes;
            let line = reply::stream_ended(limit, publisher, (publisher, file), why);
            self.output.tell(member.session_ref, line);
        }
    }

    /// Has the relay accept one more listener.
    pub(super) fn admit(&self, stream: StreamId, key: Key) {
        if let Some(audio_handle) = &self.streams.audio_handle {
            audio_handle.relay.admit.do_send(AdmitListener { stream, key });
        }
    }

    /// Has the relay end a stream.
    pub(super) fn shut(&self, stream: StreamId) {
        if let Some(audio_handle) = &self.streams.audio_handle {
            audio_handle.relay.shut.do_send(ShutStream { stream });
        }
    }
}
