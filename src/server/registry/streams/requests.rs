//! Carries out what clients ask about streams: to hear a file, to see what is played, to end it.

use arauto_protocol::{Line, Name, NameKey, Offer, Refusal, Summons, reply, request::Direct};
use arauto_rtsp::{Key, StreamId};
use tokio::time::Instant;

use super::{
    super::roster::Member,
    StreamRequests,
    advertised_addresses::Endpoint,
    answers::NotPlayed,
    directory::{AskOutcome, Party, Shown},
};
use crate::server::{
    audio::messages::OpenStream,
    common::session_ref::{SessionId, SessionRef},
};

impl StreamRequests<'_> {
    /// Asks the owner of a file to publish it, or tells the sender where to listen. If the request is the owner's
    /// refusal, passes it on to the clients that wait.
    pub fn play(&mut self, session_ref: SessionRef, from: &Name, asked: &Direct) {
        let limit = self.config.limits.message_bytes;
        let roster = self.output.roster;
        let Some(other) = roster.find(&asked.to) else {
            let line = reply::not_found(limit, from, asked.operation, &asked.typed);
            return self.output.refuse(session_ref, (Refusal::NotFound, line));
        };
        let Some(sender) = roster.get(session_ref.id) else { return };
        if let Some(why) = asked.cannot() {
            self.will_not_play(sender, other, why);
        } else if let Err(why) = self.ask(sender, other, &asked.data) {
            self.output.tell(session_ref, reply::not_played(limit, from, &why.to_string()));
        }
    }

    fn ask(&mut self, asker: &Member, publisher: &Member, file: &str) -> Result<(), NotPlayed> {
        if !publisher.session_ref.is_here() {
            return Err(NotPlayed::AtAnotherNode(publisher.name.to_string()));
        }
        let (limit, media) = (self.config.limits.message_bytes, &self.config.media);
        let endpoint = self.endpoint(asker, publisher)?;
        let key = Key::random()?;
        let summons = |stream| {
            let rtsp = endpoint.address(stream, key).to_string();
            reply::publish(limit, &asker.name, &publisher.name, &Summons { rtsp: &rtsp, file }.to_string())
        };
        let (publishing, asking, now) = (Party::of(publisher), Party::of(asker), Instant::now());
        let refused = |reached| NotPlayed::bound(reached, media);
        let directory = &mut self.streams.directory;
        let mut gave_way = None;
        if !directory.has(publishing.id, file) {
            // All addresses at an endpoint have one length. No stream is displaced for a request that does not fit into
            // a message.
            summons(StreamId(0)).ok_or(NotPlayed::TooLong(limit))?;
            gave_way = directory.make_room(publishing, asking, media, now).map_err(refused)?;
        }
        match directory.ask((publishing, &publisher.name), file, asking, key, media, now).map_err(refused)? {
            AskOutcome::Waits => {}
            AskOutcome::Plays { stream, key, is_new } => {
                if is_new {
                    self.admit(stream, key);
                }
                self.offer(stream, key, (&publisher.name, file), asking.id);
            }
            AskOutcome::Open(stream, opening) => {
                let Some(line) = summons(stream) else { return Ok(()) };
                if let Some(closed) = gave_way {
                    self.give_way(&closed);
                }
                self.open(stream, key);
                self.output.tell(publisher.session_ref, line);
                self.streams.opened.push((stream, opening));
            }
        }
        Ok(())
    }

    /// The endpoint for a publisher, if both it and the asker can reach the relay.
    fn endpoint(&self, asker: &Member, publisher: &Member) -> Result<Endpoint, NotPlayed> {
        let addresses = &self.streams.audio_handle.as_ref().ok_or(NotPlayed::NoAudio)?.addresses;
        let for_member = |member: &Member, whom: &str| {
            let endpoint = addresses.rtsp(&member.peer, &self.config.media.public_host);
            endpoint.ok_or_else(|| NotPlayed::Unreachable(whom.to_owned()))
        };
        for_member(asker, "you")?;
        for_member(publisher, publisher.name.as_str())
    }

    /// Has the relay expect a publisher.
    fn open(&self, stream: StreamId, key: Key) {
        if let Some(audio_handle) = &self.streams.audio_handle
            && let Some((file, stats)) = self.streams.directory.get(stream)
        {
            audio_handle.relay.open.do_send(OpenStream { stream, key, stats, file });
        }
    }

    /// Sends a client the address at which it may listen.
    pub(super) fn offer(&mut self, stream: StreamId, key: Key, source: (&Name, &str), asker: SessionId) {
        let Some(asker) = self.output.roster.get(asker) else { return };
        let line = self.offered(stream, key, source, asker).unwrap_or_else(|why| {
            reply::not_played(self.config.limits.message_bytes, &asker.name, &why.to_string())
        });
        self.output.tell(asker.session_ref, line);
    }

    fn offered(
        &self,
        stream: StreamId,
        key: Key,
        (publisher, file): (&Name, &str),
        asker: &Member,
    ) -> Result<Line, NotPlayed> {
        let (host, limit) = (&self.config.media.public_host, self.config.limits.message_bytes);
        let addresses = self.streams.audio_handle.as_ref().map(|audio_handle| &audio_handle.addresses);
        let rtsp = addresses.and_then(|addresses| addresses.rtsp(&asker.peer, host));
        let rtsp = rtsp.ok_or_else(|| NotPlayed::Unreachable("you".to_owned()))?.address(stream, key);
        let http = addresses.and_then(|addresses| addresses.http(&asker.peer, host));
        let http = http.map(|endpoint| endpoint.address(stream, key).to_string());
        let offer = Offer { rtsp: &rtsp.to_string(), http: http.as_deref(), file }.to_string();
        reply::plays(limit, publisher, &asker.name, &offer).ok_or(NotPlayed::TooLong(limit))
    }

    /// Passes on the answer of a publisher that it will not play a file.
    fn will_not_play(&mut self, publisher: &Member, asker: &Member, why: &str) {
        let limit = self.config.limits.message_bytes;
        let (from, to) = (publisher.session_ref, asker.session_ref);
        let Some(closed) = self.streams.directory.refuse(from.id, to.id, why) else {
            let line = reply::nobody_waits(limit, &publisher.name, asker.name.as_str());
            return self.output.tell(from, line);
        };
        self.shut(closed.stream);
        for id in closed.askers {
            let Some(asker) = self.output.roster.get(id) else { continue };
            let line = reply::cannot_play(limit, &publisher.name, &asker.name, why);
            self.output.tell(asker.session_ref, line);
        }
    }

    /// Lists the streams that are on.
    pub fn list(&mut self, session_ref: SessionRef, to: &Name) {
        let limit = self.config.limits.message_bytes;
        let line = |shown: Shown<'_>| {
            let stats = shown.stats;
            let (listeners, elapsed, length) = (stats.listeners(), stats.elapsed(), stats.length());
            reply::stream(limit, to, (shown.publisher, shown.file), listeners, elapsed, length)
        };
        let mut lines: Vec<Line> = self.streams.directory.on().into_iter().map(line).collect();
        if lines.is_empty() {
            lines.push(reply::no_streams(limit, to));
        }
        self.output.tell_all(session_ref, lines);
    }

    /// Ends a stream: the client's own one or, for an operator, that of another client.
    pub fn stop(&mut self, session_ref: SessionRef, by: &Name, what: &Direct, by_operator: bool) {
        let limit = self.config.limits.message_bytes;
        let asker = (session_ref.id, by);
        let publishers = self.streams.directory.publishers(&what.data);
        let publisher = match judge_stop(limit, asker, what, by_operator, publishers) {
            Ok(publisher) => publisher,
            Err(refusal) => return self.output.refuse(session_ref, refusal),
        };
        let Some(closed) = self.streams.directory.stop(publisher, &what.data) else { return };
        self.shut(closed.stream);
        let why = (publisher != session_ref.id).then(|| format!("{by} ended it"));
        // The client that ended the stream gets the line too, but not twice.
        if !closed.askers.contains(&session_ref.id) || !closed.was_on {
            let source = (&closed.publisher, &*closed.file);
            self.output.tell(session_ref, reply::stream_ended(limit, by, source, why.as_deref()));
        }
        self.tell_ended(&closed, why.as_deref());
    }
}

/// Returns whose stream of a file `stop` ends, among the users who play it or were asked for it.
///
/// # Errors
/// The refusal: no user plays it, only others do and the asker is no operator, or an operator has to name one of several.
fn judge_stop(
    limit: usize,
    (asker, by): (SessionId, &Name),
    Direct { to, typed, data: file, .. }: &Direct,
    by_operator: bool,
    mut publishers: Vec<(SessionId, Name)>,
) -> Result<SessionId, (Refusal, Line)> {
    let names_no_user = typed.is_empty() || *to == NameKey::of(reply::SERVER);
    if !names_no_user {
        publishers.retain(|(_, name)| name.key() == to);
    } else if publishers.iter().any(|(id, _)| *id == asker) {
        publishers.retain(|(id, _)| *id == asker);
    }
    match &publishers[..] {
        [] => Err((Refusal::NotFound, reply::not_on(limit, by, file))),
        [(publisher, name), ..] if *publisher != asker && !by_operator => {
            Err((Refusal::NotAllowed, reply::not_yours_to_stop(limit, by, name, file)))
        }
        [(publisher, _)] => Ok(*publisher),
        [(_, name), ..] => Err((Refusal::Incomplete, reply::several_play(limit, by, name, file))),
    }
}

#[cfg(test)]
mod tests {
    use arauto_protocol::{Asker, Kind, Request};

    use super::*;

    const ANA: SessionId = SessionId(1);
    const RUI: SessionId = SessionId(2);

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    /// Judges a line of `rui` while these sessions play the file.
    fn judged(line: &str, by_operator: bool, publishers: &[SessionId]) -> Result<SessionId, Refusal> {
        let rui = name("rui");
        let asker = Asker { name: &rui, kind: Kind::Line, limit: 1024 };
        let Request::Stop { what, .. } = Request::read(line.as_bytes(), &asker) else { panic!("{line}") };
        let named = |id: &SessionId| (*id, if *id == RUI { rui.clone() } else { name("ana") });
        let publishers = publishers.iter().map(named).collect();
        judge_stop(1024, (RUI, &rui), &what, by_operator, publishers).map_err(|(why, _)| why)
    }

    #[test]
    fn users_end_their_own_stream_and_operators_any_that_is_unambiguous() {
        let (own, of_ana) = ("rui | server | stop | a.mp3", "rui | ana | stop | a.mp3");
        assert_eq!(judged(own, false, &[]), Err(Refusal::NotFound));
        assert_eq!(judged(own, false, &[ANA, RUI]), Ok(RUI));
        assert_eq!(judged(own, false, &[ANA]), Err(Refusal::NotAllowed));
        assert_eq!(judged(own, true, &[ANA]), Ok(ANA));
        assert_eq!(judged(own, true, &[ANA, SessionId(3)]), Err(Refusal::Incomplete));
        assert_eq!(judged(of_ana, true, &[RUI]), Err(Refusal::NotFound));
        assert_eq!(judged(of_ana, true, &[RUI, ANA]), Ok(ANA));
    }
}
