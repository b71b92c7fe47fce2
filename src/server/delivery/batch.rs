//! [`Batch`]: the output that the Registry sends to the couriers in one go.
//!
//! Broadcasts are encoded once into [`SharedBatch`], which all receivers share. An [`Edit`] says where a single session
//! differs: a `broadcast_not_me` to leave out for its sender, an answer to insert, a join, an end. Each edit holds its
//! position among the shared messages. So nearly every receiver takes one write of the same bytes, and all of them see
//! the same order.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use arauto_protocol::{Kind, Line, Tag, websocket};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::flush_scheduler::InFlight;
use crate::server::{
    common::{close::CloseReason, session_ref::SessionRef},
    metrics::Traffic,
};

/// Bytes after which a batch is sent before more is added. A larger batch saves no writes and holds more memory.
pub const BATCH_BYTES: usize = 64 * 1024;

/// A batch that is being gathered.
#[derive(Debug)]
pub struct Batch {
    lines: BytesMut,
    ends: Vec<u32>,
    tags: Vec<Tag>,
    /// When the first broadcast was added.
    since: Option<Instant>,
    /// The edits of each courier.
    edits: Vec<Vec<Edit>>,
    edit_bytes: usize,
    /// Lines for single sessions.
    own_lines: usize,
    credits: Vec<OwnedSemaphorePermit>,
}

/// The bytes that every member gets: whole lines, one after another.
#[derive(Debug)]
pub struct SharedBatch {
    plain: Rendering,
    tags: Vec<Tag>,
    /// The lines with their tags, made when the first client needs them.
    tagged: OnceLock<Rendering>,
    /// Credits of the senders, returned when the last courier drops this batch.
    _credits: Vec<OwnedSemaphorePermit>,
    /// Lets the next batch go when the last courier drops this one.
    _in_flight: Option<InFlight>,
}

/// The shared lines in one form, and what each kind of client gets of it.
#[derive(Debug)]
struct Rendering {
    lines: Bytes,
    /// Offset of the end of each line in `lines`.
    ends: Vec<u32>,
    /// The lines with telnet's endings, made when the first telnet client needs them.
    telnet: OnceLock<Bytes>,
    /// The lines as WebSocket frames, made when the first WebSocket client needs them.
    websocket: OnceLock<Bytes>,
}

/// The bytes of a range of shared messages.
#[derive(Debug)]
pub struct Excerpt {
    /// Complete lines, or complete frames for a WebSocket.
    pub bytes: Bytes,
    /// The bytes were allocated for this excerpt alone. Otherwise they are a slice of the batch.
    pub is_copy: bool,
}

/// A difference between the output of one session and the shared messages.
#[derive(Debug)]
pub struct Edit {
    /// The session.
    pub session_ref: SessionRef,
    /// Number of shared messages before this edit.
    pub at: u32,
    /// The difference.
    pub kind: EditKind,
}

/// Kind of an [`Edit`].
#[derive(Debug)]
pub enum EditKind {
    /// The session gets the shared messages from here on.
    Enter,
    /// A line for this session alone.
    Tell(Line),
    /// The next line for this session alone has this tag, if its lines begin with tags.
    Tag(Tag),
    /// Lines begin with tags from here on, or no longer do.
    SetTagged(bool),
    /// The shared message at this position is left out for this session.
    Skip,
    /// The session ends.
    Close(CloseReason),
}

impl EditKind {
    /// Whether unsent data is dropped, because the receiver is disconnected for not reading.
    #[must_use]
    pub fn drops_unsent(&self) -> bool {
        matches!(self, Self::Close(CloseReason::SlowReader | CloseReason::OutboxFull))
    }
}

/// A part of the output of one session.
#[derive(Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Shared messages of this range.
    Shared(Range<u32>),
    /// A line for this session alone, with the number and time that it has.
    Own(&'a Line, Option<Tag>),
    /// Lines begin with tags from here on, or no longer do.
    SetTagged(bool),
}

impl Batch {
    /// An empty batch for this many couriers.
    #[must_use]
    pub fn new(couriers: usize) -> Self {
        Self {
            lines: BytesMut::new(),
            ends: Vec::new(),
            tags: Vec::new(),
            since: None,
            edits: (0..couriers).map(|_| Vec::new()).collect(),
            edit_bytes: 0,
            own_lines: 0,
            credits: Vec::new(),
        }
    }

    /// Adds a line for every member except `except`.
    pub fn broadcast(&mut self, line: &Line, tag: Tag, except: Option<SessionRef>) {
        if let Some(session_ref) = except {
            self.add(session_ref, EditKind::Skip);
        }
        if self.ends.is_empty() {
            self.since = Some(Instant::now());
        }
        self.lines.put_slice(line.as_bytes());
        self.ends.push(offset(self.lines.len()));
        self.tags.push(tag);
    }

    /// Adds a line for one session.
    pub fn tell(&mut self, session_ref: SessionRef, line: Line) {
        self.edit_bytes += line.as_bytes().len();
        self.own_lines += 1;
        self.add(session_ref, EditKind::Tell(line));
    }

    /// Gives the next line for this session alone a number and a time.
    pub fn tag(&mut self, session_ref: SessionRef, tag: Tag) {
        self.add(session_ref, EditKind::Tag(tag));
    }

    /// Begins lines for this session with tags from here on, or no longer does.
    pub fn set_tagged(&mut self, session_ref: SessionRef, is_tagged: bool) {
        self.add(session_ref, EditKind::SetTagged(is_tagged));
    }

    /// Makes the session a member: it gets broadcasts from here on.
    pub fn enter(&mut self, session_ref: SessionRef) {
        self.add(session_ref, EditKind::Enter);
    }

    /// Ends the session: it gets what was added so far, and nothing more.
    pub fn close(&mut self, session_ref: SessionRef, reason: CloseReason) {
        self.add(session_ref, EditKind::Close(reason));
    }

    /// Holds a sender's credit until the batch is delivered.
    pub fn hold(&mut self, credit: Option<OwnedSemaphorePermit>) {
        self.credits.extend(credit);
    }

    /// Number of broadcasts in the batch.
    #[must_use]
    pub fn broadcasts(&self) -> usize {
        self.ends.len()
    }

    /// When the first broadcast was added.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Number of bytes in the batch.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len() + self.edit_bytes
    }

    /// Lines and bytes in the batch, each line counted once, whatever the number of its receivers.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let mut traffic = Traffic::default();
        traffic.add(self.broadcasts() + self.own_lines, self.bytes());
        traffic
    }

    /// Takes the content of the batch. Yields the number, the shared messages and the edits of each courier that has
    /// edits or, if there are broadcasts, has members. The guard lives until the last of these couriers drops its
    /// [`SharedBatch`].
    pub fn take<'a>(
        &'a mut self,
        in_flight: Option<InFlight>,
        has_members: impl Fn(usize) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, Arc<SharedBatch>, Vec<Edit>)> + 'a {
        let shared = Arc::new(SharedBatch {
            plain: Rendering::new(self.lines.split().freeze(), std::mem::take(&mut self.ends)),
            tags: std::mem::take(&mut self.tags),
            tagged: OnceLock::new(),
            _credits: std::mem::take(&mut self.credits),
            _in_flight: in_flight,
        });
        (self.edit_bytes, self.own_lines, self.since) = (0, 0, None);
        self.edits.iter_mut().enumerate().filter_map(move |(courier, edits)| {
            let mut edits = std::mem::take(edits);
            // The sort is stable, so the edits of one session stay in order.
            edits.sort_by_key(|edit| edit.session_ref.slot);
            let is_for_all = !shared.is_empty() && has_members(courier);
            (!edits.is_empty() || is_for_all).then(|| (courier, Arc::clone(&shared), edits))
        })
    }

    fn add(&mut self, session_ref: SessionRef, kind: EditKind) {
        let at = offset(self.ends.len());
        // Sessions at other nodes of a cluster have no courier here.
        if let Some(edits) = self.edits.get_mut(usize::from(session_ref.courier)) {
            edits.push(Edit { session_ref, at, kind });
        }
    }
}

impl SharedBatch {
    /// Number of shared messages.
    #[must_use]
    pub fn len(&self) -> u32 {
        offset(self.plain.ends.len())
    }

    /// Whether there are no shared messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain.ends.is_empty()
    }

    /// Passes the output of one session to `each` in order: the shared messages while `member` is true, and between
    /// them what the edits add. Returns the reason if an edit ends the session.
    pub fn for_session<'a>(
        &self,
        edits: impl Iterator<Item = &'a Edit>,
        member: &mut bool,
        mut each: impl FnMut(Segment<'a>),
    ) -> Option<CloseReason> {
        let (mut next, mut tag) = (0, None);
        for Edit { at, kind, .. } in edits {
            if *member && next < *at {
                each(Segment::Shared(next..*at));
            }
            next = *at;
            match kind {
                EditKind::Enter => *member = true,
                EditKind::Tell(line) => each(Segment::Own(line, tag.take())),
                EditKind::Tag(next) => tag = Some(*next),
                EditKind::SetTagged(is_tagged) => each(Segment::SetTagged(*is_tagged)),
                EditKind::Skip => next += 1,
                EditKind::Close(reason) => return Some(*reason),
            }
        }
        if *member && next < self.len() {
            each(Segment::Shared(next..self.len()));
        }
        None
    }

    /// The messages of `range` with the line endings of `kind`, or as frames for a WebSocket.
    #[must_use]
    pub fn lines(&self, kind: Kind, is_tagged: bool, range: Range<u32>) -> Excerpt {
        self.rendering(is_tagged).range(kind, range)
    }

    /// All messages with the line endings of `kind`, or as frames for a WebSocket.
    #[must_use]
    pub fn all_lines(&self, kind: Kind, is_tagged: bool) -> &Bytes {
        self.rendering(is_tagged).all(kind)
    }

    fn rendering(&self, is_tagged: bool) -> &Rendering {
        if is_tagged { self.tagged.get_or_init(|| self.plain.tagged(&self.tags)) } else { &self.plain }
    }

    /// Lines and bytes of a range of the messages, with newlines as endings and without tags.
    #[must_use]
    pub fn traffic(&self, range: &Range<u32>) -> Traffic {
        let mut traffic = Traffic::default();
        traffic.add(range.len(), self.plain.start(range.end) - self.plain.start(range.start));
        traffic
    }
}

impl Rendering {
    fn new(lines: Bytes, ends: Vec<u32>) -> Self {
        Self { lines, ends, telnet: OnceLock::new(), websocket: OnceLock::new() }
    }

    /// Puts its tag before each line.
    fn tagged(&self, tags: &[Tag]) -> Self {
        let mut lines = BytesMut::with_capacity(self.lines.len() + tags.len() * Tag::MAX_BYTES);
        let place = |(place, tag): (u32, &Tag)| {
            tag.put(&mut lines);
            lines.put_slice(&self.lines[self.start(place)..self.start(place + 1)]);
            offset(lines.len())
        };
        let ends = (0..).zip(tags).map(place).collect();
        Self::new(lines.freeze(), ends)
    }

    fn range(&self, kind: Kind, range: Range<u32>) -> Excerpt {
        if range.start == 0 && range.end == offset(self.ends.len()) {
            return Excerpt { bytes: self.all(kind).clone(), is_copy: false };
        }
        let lines = self.lines.slice(self.start(range.start)..self.start(range.end));
        if let Kind::Telnet | Kind::WebSocket = kind {
            Excerpt { bytes: reframed(&lines, kind), is_copy: true }
        } else if lines.len() < self.lines.len() / 2 {
            // A small slice that waits in an outbox would keep the whole batch in memory.
            Excerpt { bytes: Bytes::copy_from_slice(&lines), is_copy: true }
        } else {
            Excerpt { bytes: lines, is_copy: false }
        }
    }

    fn all(&self, kind: Kind) -> &Bytes {
        match kind {
            Kind::Line | Kind::Unframed => &self.lines,
            Kind::Telnet => self.telnet.get_or_init(|| reframed(&self.lines, kind)),
            Kind::WebSocket => self.websocket.get_or_init(|| reframed(&self.lines, kind)),
        }
    }

    /// Offset of the line at this position.
    fn start(&self, place: u32) -> usize {
        place.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize)
    }
}

/// Converts lines that end with newlines to another kind of client's endings or frames.
fn reframed(lines: &[u8], kind: Kind) -> Bytes {
    let mut reframed = BytesMut::with_capacity(lines.len() + lines.len() / 16);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = &line[..line.len() - 1];
        if kind == Kind::WebSocket {
            websocket::put_text(&mut reframed, text);
        } else {
            reframed.put_slice(text);
            reframed.put_slice(kind.ending());
        }
    }
    reframed.freeze()
}

/// A batch is far smaller than 4 GiB: [`BATCH_BYTES`] and one message.
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
