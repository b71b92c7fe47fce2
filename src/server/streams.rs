//! [`Streams`]: what users play to each other: who was asked for which file, who waits for it, who may hear it.
//!
//! A plain table, no actor, and without a clock: it is told the time, and when somebody took too long. Names of files are
//! compared as they are written.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::{media::figures::Figures, seat::SessionId};
use crate::{
    config,
    media::{Key, StreamId},
    protocol::Name,
};

mod room;

pub use room::Party;

/// How many files one user may wait for at a time: a place among `media.waiting` is everybody's.
pub const MOST_WAITED_FOR: usize = 4;

/// All streams that are on or waited for.
#[derive(Debug, Default)]
pub struct Streams {
    by_number: HashMap<StreamId, Stream>,
    /// The number given last.
    last: u16,
    /// How many were opened. Tells a stream from an earlier one of the same number.
    opened: u64,
}

/// One file that somebody plays, or was asked to.
#[derive(Debug)]
struct Stream {
    publisher: Party,
    name: Name,
    file: Arc<str>,
    opening: Opening,
    /// When that was.
    opened: Instant,
    /// The user who asked first: the place counts for that user as well as for the publisher.
    opener: Party,
    figures: Arc<Figures>,
    /// Its publisher has begun.
    is_on: bool,
    /// Who asked, and with what they may listen once it is on.
    askers: BTreeMap<SessionId, Option<Key>>,
    /// Keys of those who have left. The relay knows them still, so that they count.
    left: Vec<Key>,
}

/// Which of all openings of streams: counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening(u64);

/// What becomes of it when somebody asks for a file.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// Its owner is to be asked, with this stream and the key that was brought.
    Open(StreamId, Opening),
    /// Its owner was asked already.
    Waits,
    /// It is on. With this key its asker may listen.
    Plays {
        /// Where.
        stream: StreamId,
        /// His.
        key: Key,
        /// The relay does not know the key yet.
        is_new: bool,
    },
}

/// Why somebody who asks for a file is not to hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// `media.streams` are on, or will be.
    Streams,
    /// `media.waiting` were asked to publish, and have not begun.
    Waiting,
    /// The asker waits for [`MOST_WAITED_FOR`] already.
    Impatient,
    /// `media.listeners` have asked for it.
    Listeners,
}

/// A stream that is there no more.
#[derive(Debug)]
pub struct Closed {
    /// Its number.
    pub stream: StreamId,
    /// Who played it, or was asked to.
    pub publisher: Name,
    /// What.
    pub file: Arc<str>,
    /// It had begun.
    pub was_on: bool,
    /// Who is to be told, in the order of joining.
    pub askers: Vec<SessionId>,
}

/// A stream that is on, to be shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Who plays it.
    pub publisher: &'a Name,
    /// What.
    pub file: &'a str,
    /// What has come of it.
    pub figures: &'a Figures,
}

impl Streams {
    /// Numbers follow on this one. By chance, so that an address of before a restart is nobody's.
    pub fn after(last: u16) -> Self {
        Self { last, ..Self::default() }
    }

    /// Somebody wants to hear a file of this publisher's. `key` is new: his, or his publisher's.
    ///
    /// # Errors
    /// Which bound is reached.
    pub fn ask(
        &mut self,
        (publisher, name): (Party, &Name),
        file: &str,
        asker: Party,
        key: Key,
        bounds: &config::Media,
        now: Instant,
    ) -> Result<Asked, NotAsked> {
        if let Some((number, stream)) = self.find_mut(publisher.id, file) {
            return stream.ask(number, asker.id, key, bounds.listeners);
        }
        if self.waited_for_by(asker.id) >= MOST_WAITED_FOR {
            return Err(NotAsked::Impatient);
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
                figures: Arc::default(),
                is_on: false,
                askers: BTreeMap::from([(asker.id, None)]),
                left: Vec::new(),
            },
        );
        Ok(Asked::Open(number, opening))
    }

    /// How many files this user waits for.
    fn waited_for_by(&self, asker: SessionId) -> usize {
        let waits_for = |stream: &&Stream| !stream.is_on && stream.askers.contains_key(&asker);
        self.by_number.values().filter(waits_for).count()
    }

    /// Whether this file is played, or asked for.
    pub fn has(&self, publisher: SessionId, file: &str) -> bool {
        self.by_number.values().any(|stream| stream.publisher.id == publisher && *stream.file == *file)
    }

    /// The file of a stream, and where its figures are written.
    pub fn get(&self, number: StreamId) -> Option<(Arc<str>, Arc<Figures>)> {
        let stream = self.by_number.get(&number)?;
        Some((Arc::clone(&stream.file), Arc::clone(&stream.figures)))
    }

    /// Its publisher has begun. Returns his name, the file, and who waited for it.
    pub fn begin(&mut self, number: StreamId) -> Option<(Name, Arc<str>, Vec<SessionId>)> {
        let stream = self.by_number.get_mut(&number).filter(|stream| !stream.is_on)?;
        stream.is_on = true;
        Some((stream.name.clone(), Arc::clone(&stream.file), stream.askers.keys().copied().collect()))
    }

    /// Somebody who waited for a stream may listen with this key.
    pub fn admit(&mut self, number: StreamId, asker: SessionId, key: Key) {
        if let Some(known) = self.by_number.get_mut(&number).and_then(|stream| stream.askers.get_mut(&asker))
        {
            *known = Some(key);
        }
    }

    /// It is over.
    pub fn end(&mut self, number: StreamId) -> Option<Closed> {
        self.by_number.remove(&number).map(|stream| stream.close(number))
    }

    /// Its publisher had his time. Nothing, if he has begun, or it is another stream by now.
    pub fn expire(&mut self, number: StreamId, opening: Opening) -> Option<Closed> {
        let stream = self.by_number.get(&number)?;
        if stream.is_on || stream.opening != opening { None } else { self.end(number) }
    }

    /// Who was asked for a file will not play it. Who says so need not say which: it is the one that `asker` waits for; of
    /// several, the one that `why` names, or else the one that was asked for first.
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

    /// Ends what this user plays, or was asked for.
    pub fn stop(&mut self, publisher: SessionId, file: &str) -> Option<Closed> {
        let (number, _) = self.find_mut(publisher, file)?;
        self.end(number)
    }

    /// Who plays a file, or was asked for it.
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

    /// Somebody is gone: what he played, or was asked for, is over; he waits for nothing any more. Also over is what nobody
    /// waits for after that.
    pub fn leave(&mut self, id: SessionId) -> Vec<Closed> {
        // Nearly always: this is the way of everybody who leaves.
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

    /// What is on, the oldest first.
    pub fn on(&self) -> Vec<Shown<'_>> {
        let mut on: Vec<_> = self.by_number.values().filter(|stream| stream.is_on).collect();
        on.sort_unstable_by_key(|stream| stream.opening);
        on.into_iter()
            .map(|stream| Shown { publisher: &stream.name, file: &stream.file, figures: &stream.figures })
            .collect()
    }

    fn find_mut(&mut self, publisher: SessionId, file: &str) -> Option<(StreamId, &mut Stream)> {
        self.by_number
            .iter_mut()
            .find(|(_, stream)| stream.publisher.id == publisher && *stream.file == *file)
            .map(|(number, stream)| (*number, stream))
    }

    /// The next number that is free. There are far more numbers than streams.
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
    fn ask(&mut self, stream: StreamId, asker: SessionId, key: Key, most: usize) -> Result<Asked, NotAsked> {
        match self.askers.get(&asker) {
            Some(Some(key)) => return Ok(Asked::Plays { stream, key: *key, is_new: false }),
            Some(None) => return Ok(Asked::Waits),
            None => {}
        }
        let has_room = self.askers.len() + self.left.len() < most;
        let (key, is_new) = if has_room {
            (key, true)
        } else {
            // A key opens a stream for whoever knows it, so one that is left over does for the next.
            (self.left.pop().ok_or(NotAsked::Listeners)?, false)
        };
        self.askers.insert(asker, self.is_on.then_some(key));
        Ok(if self.is_on { Asked::Plays { stream, key, is_new } } else { Asked::Waits })
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
