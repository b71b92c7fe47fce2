//! [`Presence`]: the sessions that watch for joins and leaves, and the changes that they have not been told. A plain
//! table, no actor.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use arauto_protocol::{Line, Name, NameKey, reply};

use crate::server::common::session_ref::{SessionId, SessionRef};

/// The watchers, and the changes since they were last told.
#[derive(Debug, Default)]
pub struct Presence {
    watchers: HashMap<SessionId, Watcher>,
    /// The changes in their order. Empty if nobody watches.
    changes: Vec<Change>,
    /// Whether a watcher has missed changes.
    has_missed: bool,
    /// Whether [`Self::take`] will be called once changes have been gathered.
    is_gathering: bool,
}

#[derive(Debug)]
struct Watcher {
    session_ref: SessionRef,
    /// Number of [`Presence::changes`] that its list holds.
    known: usize,
    /// Its outbox was full when others were told, so that it needs a new list.
    missed: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Joined(Name),
    Left(Name),
}

/// State of a watcher's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherState {
    /// The session has left, or is disconnected.
    Gone,
    /// The outbox has no room.
    Full,
    /// The session can be told.
    Ready,
}

/// A message to one watcher.
#[derive(Debug)]
pub enum News {
    /// The changes; several watchers share them.
    Changes(Rc<Vec<Line>>),
    /// A new list has to be sent, in place of the changes that the watcher missed.
    List,
}

impl Presence {
    /// Adds a watcher, whose list holds all changes so far.
    pub fn watch(&mut self, session_ref: SessionRef) {
        let known = self.changes.len();
        self.watchers.insert(session_ref.id, Watcher { session_ref, known, missed: false });
    }

    /// Removes a watcher.
    pub fn unwatch(&mut self, id: SessionId) {
        self.watchers.remove(&id);
    }

    /// Records that a client has joined.
    pub fn joined(&mut self, name: &Name) {
        self.add(|| Change::Joined(name.clone()));
    }

    /// Records that a client has left.
    pub fn left(&mut self, name: &Name) {
        self.add(|| Change::Left(name.clone()));
    }

    fn add(&mut self, change: impl FnOnce() -> Change) {
        if !self.watchers.is_empty() {
            self.changes.push(change());
        }
    }

    /// Whether [`Self::take`] has to be called in a while, and no such call is due yet.
    pub fn begins_to_gather(&mut self) -> bool {
        let begins = !self.is_gathering && (!self.changes.is_empty() || self.has_missed);
        self.is_gathering |= begins;
        begins
    }

    /// Takes the changes, as messages of at most `limit` bytes for each watcher. A watcher whose outbox is full gets a list
    /// once there is room: so a slow watcher delays nobody else, and its outbox does not grow.
    pub fn take(
        &mut self,
        limit: usize,
        state: impl Fn(SessionId) -> WatcherState,
    ) -> Vec<(SessionRef, News)> {
        self.is_gathering = false;
        let changes = std::mem::take(&mut self.changes);
        let known = self.watchers.values().map(|watcher| watcher.known).collect();
        let lines = net_changes(&changes, &known, limit);
        let mut news = Vec::with_capacity(self.watchers.len());
        self.watchers.retain(|id, watcher| {
            let known = std::mem::take(&mut watcher.known);
            let changed = lines.get(&known).filter(|lines| !lines.is_empty());
            match state(*id) {
                WatcherState::Gone => return false,
                WatcherState::Full => watcher.missed |= changed.is_some(),
                WatcherState::Ready if watcher.missed => {
                    watcher.missed = false;
                    news.push((watcher.session_ref, News::List));
                }
                WatcherState::Ready => {
                    news.extend(changed.map(|lines| (watcher.session_ref, News::Changes(Rc::clone(lines)))));
                }
            }
            true
        });
        self.has_missed = self.watchers.values().any(|watcher| watcher.missed);
        // Release memory after a crowd has left.
        if self.watchers.len() < self.watchers.capacity() / 8 {
            self.watchers.shrink_to(2 * self.watchers.len());
        }
        news
    }
}

/// The messages for watchers that know the first `known` changes, for each number in `known`. Leaves out a client that
/// joined and left since.
fn net_changes(changes: &[Change], known: &BTreeSet<usize>, limit: usize) -> HashMap<usize, Rc<Vec<Line>>> {
    // The first and the last change of each name, in the order of the last one, backwards.
    let mut spans: Vec<(&Change, &Change)> = Vec::new();
    let mut places: HashMap<&NameKey, usize> = HashMap::new();
    let mut lines = HashMap::new();
    let mut end = changes.len();
    for &from in known.iter().rev() {
        for change in changes[from..end].iter().rev() {
            let (Change::Joined(name) | Change::Left(name)) = change;
            let place = *places.entry(name.key()).or_insert_with(|| {
                spans.push((change, change));
                spans.len() - 1
            });
            spans[place].0 = change;
        }
        end = from;
        // A name that left and came back belongs to another session.
        let left = spans.iter().rev().filter_map(|(first, _)| match first {
            Change::Left(name) => Some(name),
            Change::Joined(_) => None,
        });
        let joined = spans.iter().rev().filter_map(|(_, last)| match last {
            Change::Joined(name) => Some(name),
            Change::Left(_) => None,
        });
        lines.insert(from, Rc::new(reply::changes(limit, left, joined)));
    }
    lines
}

#[cfg(test)]
mod tests;
