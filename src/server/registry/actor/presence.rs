//! Answers `watch`, and tells watchers of joins and leaves.

use std::time::Duration;

use actix::{Context, Handler, Message};
use arauto_protocol::{Name, reply};

use super::{
    super::presence::{News, WatcherState},
    Registry, notify_later,
};
use crate::server::common::{
    fill_level::FillLevel,
    session_ref::{SessionId, SessionRef},
};

/// Time for which changes are gathered before watchers are told: a crowd that joins becomes a few long messages.
const GATHER_TIME: Duration = Duration::from_millis(100);

/// From the registry to itself: changes have been gathered for [`GATHER_TIME`].
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TellPresence;

impl Registry {
    /// Lists the clients for a session, which is told of changes from here on.
    pub(super) fn watch(&mut self, session_ref: SessionRef) {
        self.presence.watch(session_ref);
        self.list_for_watcher(session_ref);
    }

    /// Tells a session of no more changes.
    pub(super) fn unwatch(&mut self, session_ref: SessionRef, name: &Name) {
        self.presence.unwatch(session_ref.id);
        self.output().tell(session_ref, reply::unwatched(name));
    }

    fn list_for_watcher(&mut self, session_ref: SessionRef) {
        let Some(watcher) = self.roster.get(session_ref.id) else { return };
        let names: Vec<&Name> = self.roster.names().collect();
        let lines = reply::watch(self.config.limits.message_bytes, &watcher.name, &names);
        self.output().tell_all(session_ref, lines);
    }

    /// Starts the time for which changes are gathered, if there are some.
    pub(super) fn tell_presence_later(&mut self, ctx: &mut Context<Self>) {
        if self.presence.begins_to_gather() {
            notify_later(ctx, GATHER_TIME, TellPresence);
        }
    }

    fn tell_presence(&mut self) {
        let (roster, levels) = (&self.roster, &self.levels);
        let state = |id: SessionId| {
            let is_here = roster.get(id).is_some_and(|member| member.session_ref.is_here());
            let is_full = || levels.iter().any(|(full, level)| *full == id && *level == FillLevel::Full);
            match is_here {
                false => WatcherState::Gone,
                true if is_full() => WatcherState::Full,
                true => WatcherState::Ready,
            }
        };
        for (watcher, news) in self.presence.take(self.config.limits.message_bytes, state) {
            match news {
                News::Changes(lines) => self.output().tell_all(watcher, lines.iter().cloned()),
                News::List => self.list_for_watcher(watcher),
            }
        }
    }
}

impl Handler<TellPresence> for Registry {
    type Result = ();

    fn handle(&mut self, _: TellPresence, ctx: &mut Self::Context) {
        self.begin_batch();
        self.tell_presence();
        self.flush_later(ctx);
    }
}
