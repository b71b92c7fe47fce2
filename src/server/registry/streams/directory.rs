//! [`StreamDirectory`]: the table of audio streams: which user was asked for which file, which users wait for it, and
//! which may listen.
//!
//! A plain table, without actor and clock: the caller passes the time and says when a publisher took too long. File
//! names are compared as they are written.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arauto_protocol::Name;
use arauto_rtsp::{Key, StreamId};
use tokio::time::Instant;

use crate::{
    config,
    server::common::{session_ref::SessionId, stream_stats::StreamStats},
};

mod room;

pub use room::Party;

/// Files that one user may wait for at a time, because all users share the `media.waiting` places.
pub const MAX_WAITED_FOR: usize = 4;

/// All streams that play or are waited for.
#[derive(Debug, Default)]
pub struct StreamDirectory {
    by_number: HashMap<StreamId, Stream>,
    /// Number of the newest stream.
    last: u16,
    /// Count of all streams opened, which tells a stream from an earlier one with the same number.
    opened: u64,
}

/// A file that a user plays or was asked to play.
#[derive(Debug)]
struct Stream {
    publisher: Party,
    name: Name,
    file: Arc<str>,
    opening: Opening,
    /// Time at which the stream was opened.
    opened: Instant,
    /// The user who asked first. The stream's place counts for this user as well as for the publisher.
    opener: Party,
    stats: Arc<StreamStats>,
    /// The publisher has begun.
    is_on: bool,
    /// Users who asked, each with the key to listen with, once the user has one.
    askers: BTreeMap<SessionId, Option<Key>>,
    /// Keys of users who have left. The relay still accepts them, so they count for `media.listeners`.
    left: Vec<Key>,
}

/// Serial number of the opening of a stream, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening(u64);

/// Result of a request for a file.
#[derive(Debug, PartialEq)]
pub enum AskOutcome {
    /// The publisher has to be asked to play this new stream with the key that was passed.
    Open(StreamId, Opening),
    /// The publisher was asked already.
    Waits,
    /// The file is played, and the asker may listen with this key.
    Plays {
        /// The stream to listen to.
        stream: StreamId,
        /// The asker's key.
        key: Key,
        /// The relay does not know the key yet.
        is_new: bool,
    },
}

/// Reason why a user who asks for a file cannot hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// `media.streams` streams play or are waited for.
    Streams,
    /// `media.waiting` publishers were asked and have not begun.
    Waiting,
    /// The asker waits for [`MAX_WAITED_FOR`] files already.
    TooManyWaiting,
    /// `media.listeners` users have asked for the file.
    Listeners,
}

/// A stream that was removed.
#[derive(Debug)]
pub struct Closed {
    /// Number of the stream.
    pub stream: StreamId,
    /// Name of the user who played the file or was asked to.
    pub publisher: Name,
    /// The file.
    pub file: Arc<str>,
    /// The publisher had begun.
    pub was_on: bool,
    /// Users to tell, in the order of joining.
    pub askers: Vec<SessionId>,
}

/// A stream that plays, as shown to users.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Name of the user who plays it.
    pub publisher: &'a Name,
    /// The file.
    pub file: &'a str,
    /// Listeners, elapsed time and length of the stream.
    pub stats: &'a StreamStats,
}

impl StreamDirectory {
    /// Creates an empty table. Numbers follow on `last`, which is random, so that an address from before a restart
    /// names no stream.
    pub fn after(last: u16) -> Self {
        Self { last, ..Self::default() }
    }

    /// Handles a request for a file of this publisher. `key` is new. The asker gets it to listen, or the publisher to
    /// play, if the stream is opened.
    ///
    /// # Errors
    /// The bound that is reached.
    pub fn ask(
        &mut self,
        (publisher, name): (Party, &Name),
        file: &str,
        asker: Party,
        key: Key,
        bounds: &config::Media,
        now: Instant,
    ) -> Result<AskOutcome, NotAsked> {
        if let Some((number, stream)) = self.find_mut(publisher.id, file) {
            return stream.ask(number, asker.id, key, bounds.listeners);
        }
        if self.waited_for_by(asker.id) >= MAX_WAITED_FOR {
            return Err(NotAsked::TooManyWaiting);
        }
        if self.by_number.values().filter(|stream| !stream.is_on).count() >= bounds.waiting {
            return Err(NotAsked::Waiting);
        }
        if self.by_number.len() >= bounds.streams {
            return Err(NotAsked::Streams);
        }
        let number = self.free_number();
        self.opened += 1;
        let opening = Opening(self.opened);
        self.by_number.insert(
            number,
            Stream {
                publisher,
                name: name.clone(),
                file: file.into(),
                opening,
                opened: now,
                opener: asker,
                stats: Arc::default(),
                is_on: false,
                askers: BTreeMap::from([(asker.id, None)]),
                left: Vec::new(),
            },
        );
        Ok(AskOutcome::Open(number, opening))
    }

    /// Number of files that this user waits for.
    fn waited_for_by(&self, asker: SessionId) -> usize {
        let waits_for = |stream: &&Stream| !stream.is_on && stream.askers.contains_key(&asker);
        self.by_number.values().filter(waits_for).count()
    }

    /// Whether this publisher plays this file or was asked for it.
    pub fn has(&self, publisher: SessionId, file: &str) -> bool {
        self.by_number.values().any(|stream| stream.publisher.id == publisher && *stream.file == *file)
    }

    /// Returns the file of a stream, and the figures that the relay writes for it.
    pub fn get(&self, number: StreamId) -> Option<(Arc<str>, Arc<StreamStats>)> {
        let stream = self.by_number.get(&number)?;
        Some((Arc::clone(&stream.file), Arc::clone(&stream.stats)))
    }

    /// Records that the publisher has begun. Returns the publisher's name, the file, and the users who waited for it.
    /// `None` if there is no such stream or it had begun before.
    pub fn begin(&mut self, number: StreamId) -> Option<(Name, Arc<str>, Vec<SessionId>)> {
        let stream = self.by_number.get_mut(&number).filter(|stream| !stream.is_on)?;
        stream.is_on = true;
        Some((stream.name.clone(), Arc::clone(&stream.file), stream.askers.keys().copied().collect()))
    }

    /// Records the key with which a user who waited for a stream may listen.
    pub fn admit(&mut self, number: StreamId, asker: SessionId, key: Key) {
        if let Some(known) = self.by_number.get_mut(&number).and_then(|stream| stream.askers.get_mut(&asker))
        {
            *known = Some(key);
        }
    }

    /// Removes a stream that is over.
    pub fn end(&mut self, number: StreamId) -> Option<Closed> {
        self.by_number.remove(&number).map(|stream| stream.close(number))
    }

    /// Removes a stream whose publisher did not begin in time. `None` if the publisher has begun, or the number belongs
    /// to another stream by now.
    pub fn expire(&mut self, number: StreamId, opening: Opening) -> Option<Closed> {
        let stream = self.by_number.get(&number)?;
        if stream.is_on || stream.opening != opening { None } else { self.end(number) }
    }

    /// Removes the stream that `publisher` refuses to play to `asker`. A refusal does not have to name the file: of
    /// several that `asker` waits for, it means the one that `why` contains (the longest such name), or else the one
    /// opened first.
    pub fn refuse(&mut self, publisher: SessionId, asker: SessionId, why: &str) -> Option<Closed> {
        let is_meant = |stream: &Stream| {
            stream.publisher.id == publisher && !stream.is_on && stream.askers.contains_key(&asker)
        };
        let named = |stream: &Stream| if why.contains(&*stream.file) { stream.file.len() } else { 0 };
        let meant = self.by_number.iter().filter(|(_, stream)| is_meant(stream));
        let (number, _) =
            meant.min_by_key(|(_, stream)| (std::cmp::Reverse(named(stream)), stream.opening))?;
        self.end(*number)
    }

    /// Removes the stream of a file that this user plays or was asked for.
    pub fn stop(&mut self, publisher: SessionId, file: &str) -> Option<Closed> {
        let (number, _) = self.find_mut(publisher, file)?;
        self.end(number)
    }

    /// Users who play a file or were asked for it, in the order of opening.
    pub fn publishers(&self, file: &str) -> Vec<(SessionId, Name)> {
        let mut publishers: Vec<_> = self
            .by_number
            .values()
            .filter(|stream| *stream.file == *file)
            .map(|stream| (stream.opening, stream.publisher.id, stream.name.clone()))
            .collect();
        publishers.sort_by_key(|(opening, ..)| *opening);
        publishers.into_iter().map(|(_, publisher, name)| (publisher, name)).collect()
    }

    /// Handles the leaving of a user. Removes the streams that the user played or was asked for, and those that no user
    /// waits for any more.
    pub fn leave(&mut self, id: SessionId) -> Vec<Closed> {
        // The common case. Every user who leaves takes this path.
        if self.by_number.is_empty() {
            return Vec::new();
        }
        let mut over = Vec::new();
        for (number, stream) in &mut self.by_number {
            if let Some(key) = stream.askers.remove(&id) {
                stream.left.extend(key);
            }
            if stream.publisher.id == id || !stream.is_on && stream.askers.is_empty() {
                over.push((stream.opening, *number));
            }
        }
        over.sort_unstable();
        over.into_iter().filter_map(|(_, number)| self.end(number)).collect()
    }

    /// Streams that play, oldest first.
    pub fn on(&self) -> Vec<Shown<'_>> {
        let mut on: Vec<_> = self.by_number.values().filter(|stream| stream.is_on).collect();
        on.sort_unstable_by_key(|stream| stream.opening);
        on.into_iter()
            .map(|stream| Shown { publisher: &stream.name, file: &stream.file, stats: &stream.stats })
            .collect()
    }

    fn find_mut(&mut self, publisher: SessionId, file: &str) -> Option<(StreamId, &mut Stream)> {
        self.by_number
            .iter_mut()
            .find(|(_, stream)| stream.publisher.id == publisher && *stream.file == *file)
            .map(|(number, stream)| (*number, stream))
    }

    /// Returns the next free number. There are far more numbers (65,536) than streams.
    fn free_number(&mut self) -> StreamId {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.by_number.contains_key(&StreamId(self.last)) {
                return StreamId(self.last);
            }
        }
    }
}

impl Stream {
    fn ask(
        &mut self,
        stream: StreamId,
        asker: SessionId,
        key: Key,
        most: usize,
    ) -> Result<AskOutcome, NotAsked> {
        match self.askers.get(&asker) {
            Some(Some(key)) => return Ok(AskOutcome::Plays { stream, key: *key, is_new: false }),
            Some(None) => return Ok(AskOutcome::Waits),
            None => {}
        }
        let has_room = self.askers.len() + self.left.len() < most;
        let (key, is_new) = if has_room {
            (key, true)
        } else {
            // A key admits any user who knows it, so the key of a user who has left serves the next one.
            (self.left.pop().ok_or(NotAsked::Listeners)?, false)
        };
        self.askers.insert(asker, self.is_on.then_some(key));
        Ok(if self.is_on { AskOutcome::Plays { stream, key, is_new } } else { AskOutcome::Waits })
    }

    fn close(self, stream: StreamId) -> Closed {
        Closed {
            stream,
            publisher: self.name,
            file: self.file,
            was_on: self.is_on,
            askers: self.askers.into_keys().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
