//! Chooses the stream that gives way when all places are taken: see [`StreamDirectory::make_room`].

use std::cmp::Reverse;

use arauto_rtsp::StreamId;
use tokio::time::{Duration, Instant};

use super::{Closed, MAX_WAITED_FOR, NotAsked, Stream, StreamDirectory};
use crate::{
    config,
    server::{
        common::{block::Block, session_ref::SessionId},
        registry::roster::Member,
    },
};

/// Time for which a user who was asked to publish keeps a place that others need. A program begins within milliseconds.
const MIN_WAITING_TIME: Duration = Duration::from_secs(1);

/// Age from which a stream counts as doing nothing if it has no listener, or if no sound has come for this time.
const MIN_IDLE_TIME: Duration = Duration::from_secs(5);

/// The group that a place counts for: an account, or all users of an address that have no account. An IPv6 network of
/// 64 bits counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// All sessions without an account from this block.
    Address(Block),
    /// A session that has proven that it owns its account.
    Account(SessionId),
}

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The user's session.
    pub id: SessionId,
    /// The group that the user counts for.
    pub group: Group,
}

impl Party {
    /// Creates the party of a member.
    pub fn of(member: &Member) -> Self {
        let id = member.session_ref.id;
        let group =
            if member.proven { Group::Account(id) } else { Group::Address(Block::of(member.peer.ip())) };
        Self { id, group }
    }
}

/// Places that count for the two parties of a stream. Each number is the larger of the publisher's and the asker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    groups: usize,
    users: usize,
}

impl StreamDirectory {
    /// Makes room for a stream that `asker` wants of `publisher`. If there is none, ends the stream that gives way and
    /// returns it.
    ///
    /// A stream gives way if its groups hold at least two places more than the newcomer's; if it shares a group with
    /// the newcomer and its users hold at least two places more; or if it does nothing and its groups hold no fewer
    /// places. A newcomer that is refused displaces no stream.
    ///
    /// # Errors
    /// The bound that is reached, if no stream gives way, or if one place is not enough because a reload has lowered the
    /// bound below what is open.
    pub fn make_room(
        &mut self,
        publisher: Party,
        asker: Party,
        bounds: &config::Media,
        now: Instant,
    ) -> Result<Option<Closed>, NotAsked> {
        if self.waited_for_by(asker.id) >= MAX_WAITED_FOR {
            return Err(NotAsked::TooManyWaiting);
        }
        let is_waiting = |stream: &Stream| !stream.is_on;
        let waiting = self.by_number.values().filter(|stream| is_waiting(stream)).count();
        let open = self.by_number.len();
        if waiting > bounds.waiting {
            return Err(NotAsked::Waiting);
        }
        if open > bounds.streams {
            return Err(NotAsked::Streams);
        }
        // A waiting stream that ends leaves a place of both kinds.
        let victim = if waiting == bounds.waiting {
            self.victim(publisher, asker, is_waiting, now).ok_or(NotAsked::Waiting)?
        } else if open == bounds.streams {
            self.victim(publisher, asker, |_| true, now).ok_or(NotAsked::Streams)?
        } else {
            return Ok(None);
        };
        Ok(self.end(victim))
    }

    /// The stream that gives way to a new one, among those for which `is_one` is true: first one that does nothing,
    /// then one with the largest load, then the oldest.
    fn victim(
        &self,
        publisher: Party,
        asker: Party,
        is_one: impl Fn(&Stream) -> bool,
        now: Instant,
    ) -> Option<StreamId> {
        let among: Vec<_> = self.by_number.iter().filter(|(_, stream)| is_one(stream)).collect();
        let load = |publisher: Party, asker: Party| {
            let count =
                |is_so: &dyn Fn(&Stream) -> bool| among.iter().filter(|(_, stream)| is_so(stream)).count();
            Load {
                groups: count(&|stream| stream.publisher.group == publisher.group)
                    .max(count(&|stream| stream.opener.group == asker.group)),
                users: count(&|stream| stream.publisher.id == publisher.id)
                    .max(count(&|stream| stream.opener.id == asker.id)),
            }
        };
        let new = load(publisher, asker);
        let may_go = |stream: &Stream, of: Load| {
            let is_neighbour =
                stream.opener.group == asker.group || stream.publisher.group == publisher.group;
            of.groups >= new.groups + 2
                || is_neighbour && of.users >= new.users + 2
                || of.groups >= new.groups && stream.does_nothing(now)
        };
        let candidates =
            among.iter().map(|(number, stream)| (**number, *stream, load(stream.publisher, stream.opener)));
        candidates
            .filter(|(_, stream, load)| may_go(stream, *load))
            .max_by_key(|(_, stream, load)| (stream.does_nothing(now), *load, Reverse(stream.opening)))
            .map(|(number, ..)| number)
    }
}

impl Stream {
    fn does_nothing(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.opened);
        if self.is_on {
            age >= MIN_IDLE_TIME && (self.stats.listeners() == 0 || self.stats.idle() >= MIN_IDLE_TIME)
        } else {
            age >= MIN_WAITING_TIME
        }
    }
}

#[cfg(test)]
mod tests;
