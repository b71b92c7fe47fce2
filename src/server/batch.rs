//! [`Batch`]: what the Registry sends in one go.
//!
//! Broadcasts are encoded once into [`Shared`], which all receivers share. Where a single session differs (its own
//! `broadcast_not_me` left out, an answer put in, joining, leaving) an [`Item`] says so and at which place among the
//! shared messages. So nearly every receiver is one write of the same bytes, and order is kept for all.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{close::CloseReason, pace::Ticket, seat::Seat, tally::Volume};
use crate::protocol::{Kind, Line, websocket};

/// A batch of so many bytes is sent before more is added. Larger gains nothing per write and holds memory.
pub const BATCH_BYTES: usize = 64 * 1024;

/// What is sent in one go, while it is gathered.
#[derive(Debug)]
pub struct Batch {
    lines: BytesMut,
    ends: Vec<u32>,
    /// When the first broadcast was put in.
    since: Option<Instant>,
    /// The differences, for each courier.
    items: Vec<Vec<Item>>,
    item_bytes: usize,
    /// Lines for single sessions.
    own_lines: usize,
    credits: Vec<OwnedSemaphorePermit>,
}

/// What every member gets: whole lines, one after another.
#[derive(Debug)]
pub struct Shared {
    lines: Bytes,
    /// Where each line ends.
    ends: Vec<u32>,
    /// The same with telnet's line endings, made when the first telnet client needs it.
    telnet: OnceLock<Bytes>,
    /// The same as a WebSocket's frames.
    websocket: OnceLock<Bytes>,
    /// Given back to the senders when the last courier is done.
    _credits: Vec<OwnedSemaphorePermit>,
    /// The next batch's turn comes then, too.
    _ticket: Option<Ticket>,
}

/// The bytes of a range of shared messages.
#[derive(Debug)]
pub struct Excerpt {
    /// Whole lines or frames.
    pub bytes: Bytes,
    /// They were allocated for this excerpt alone; otherwise they are a part of the batch.
    pub is_copy: bool,
}

/// Where one session differs.
#[derive(Debug)]
pub struct Item {
    /// Whose.
    pub seat: Seat,
    /// How many shared messages come before it.
    pub at: u32,
    /// What.
    pub what: What,
}

/// How a session differs.
#[derive(Debug)]
pub enum What {
    /// Shared messages are for it from here on.
    Enter,
    /// This line is for it alone.
    Tell(Line),
    /// The shared message at this place is not for it.
    Skip,
    /// It is over.
    Close(CloseReason),
}

impl What {
    /// Whether what is still unsent is dropped, because its receiver is disconnected for not reading it.
    #[must_use]
    pub fn drops_unsent(&self) -> bool {
        matches!(self, Self::Close(CloseReason::SlowReader | CloseReason::OutboxFull))
    }
}

/// A part of what one session gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Shared messages of this range.
    Shared(Range<u32>),
    /// A line for this session alone.
    Own(&'a Line),
}

impl Batch {
    /// An empty batch for this many couriers.
    #[must_use]
    pub fn new(couriers: usize) -> Self {
        Self {
            lines: BytesMut::new(),
            ends: Vec::new(),
            since: None,
            items: (0..couriers).map(|_| Vec::new()).collect(),
            item_bytes: 0,
            own_lines: 0,
            credits: Vec::new(),
        }
    }

    /// A line for every member; for all but `except`, if given.
    pub fn broadcast(&mut self, line: &Line, except: Option<Seat>) {
        if let Some(seat) = except {
            self.add(seat, What::Skip);
        }
        if self.ends.is_empty() {
            self.since = Some(Instant::now());
        }
        self.lines.put_slice(line.as_bytes());
        self.ends.push(offset(self.lines.len()));
    }

    /// A line for one session.
    pub fn tell(&mut self, seat: Seat, line: Line) {
        self.item_bytes += line.as_bytes().len();
        self.own_lines += 1;
        self.add(seat, What::Tell(line));
    }

    /// The session gets broadcasts from here on.
    pub fn enter(&mut self, seat: Seat) {
        self.add(seat, What::Enter);
    }

    /// The session gets what was added so far, and nothing more.
    pub fn close(&mut self, seat: Seat, reason: CloseReason) {
        self.add(seat, What::Close(reason));
    }

    /// Keeps a sender's credit until the batch is carried out.
    pub fn hold(&mut self, credit: Option<OwnedSemaphorePermit>) {
        self.credits.extend(credit);
    }

    /// How many broadcasts are gathered.
    #[must_use]
    pub fn broadcasts(&self) -> usize {
        self.ends.len()
    }

    /// When the first of them was put in.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How many bytes are gathered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len() + self.item_bytes
    }

    /// How much is gathered, each line counted once, however many get it.
    #[must_use]
    pub fn volume(&self) -> Volume {
        let mut volume = Volume::default();
        volume.add(self.broadcasts() + self.own_lines, self.bytes());
        volume
    }

    /// Takes what was gathered: for each courier that has something to do, its number, what all get, and where single sessions
    /// differ. What all get is something to do for those that have members. The ticket is kept until the last of them is done.
    pub fn take<'a>(
        &'a mut self,
        ticket: Option<Ticket>,
        has_members: impl Fn(usize) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, Arc<Shared>, Vec<Item>)> + 'a {
        let shared = Arc::new(Shared {
            lines: self.lines.split().freeze(),
            ends: std::mem::take(&mut self.ends),
            telnet: OnceLock::new(),
            websocket: OnceLock::new(),
            _credits: std::mem::take(&mut self.credits),
            _ticket: ticket,
        });
        (self.item_bytes, self.own_lines, self.since) = (0, 0, None);
        self.items.iter_mut().enumerate().filter_map(move |(courier, items)| {
            let mut items = std::mem::take(items);
            // Stable: what one session gets stays in order.
            items.sort_by_key(|item| item.seat.slot);
            let is_for_all = !shared.is_empty() && has_members(courier);
            (!items.is_empty() || is_for_all).then(|| (courier, Arc::clone(&shared), items))
        })
    }

    fn add(&mut self, seat: Seat, what: What) {
        let at = offset(self.ends.len());
        self.items[usize::from(seat.courier)].push(Item { seat, at, what });
    }
}

impl Shared {
    /// How many messages.
    #[must_use]
    pub fn len(&self) -> u32 {
        offset(self.ends.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What one session gets, in order: shared messages while it is a member, and between them what its items say.
    /// Tells why the session is over, if it is.
    pub fn for_session<'a>(
        &self,
        items: impl Iterator<Item = &'a Item>,
        member: &mut bool,
        mut each: impl FnMut(Piece<'a>),
    ) -> Option<CloseReason> {
        let mut next = 0;
        for Item { at, what, .. } in items {
            if *member && next < *at {
                each(Piece::Shared(next..*at));
            }
            next = *at;
            match what {
                What::Enter => *member = true,
                What::Tell(line) => each(Piece::Own(line)),
                What::Skip => next += 1,
                What::Close(reason) => return Some(*reason),
            }
        }
        if *member && next < self.len() {
            each(Piece::Shared(next..self.len()));
        }
        None
    }

    /// The lines of messages `range`, ended as telnet does for telnet, as frames for a WebSocket, else ended by a newline.
    #[must_use]
    pub fn lines(&self, kind: Kind, range: Range<u32>) -> Excerpt {
        if range.start == 0 && range.end == self.len() {
            return Excerpt { bytes: self.all_lines(kind).clone(), is_copy: false };
        }
        let lines = self.lines.slice(self.start(range.start)..self.start(range.end));
        if let Kind::Telnet | Kind::WebSocket = kind {
            Excerpt { bytes: reframed(&lines, kind), is_copy: true }
        } else if lines.len() < self.lines.len() / 2 {
            // A small share of a large batch that waits in an outbox would keep all of the batch in memory.
            Excerpt { bytes: Bytes::copy_from_slice(&lines), is_copy: true }
        } else {
            Excerpt { bytes: lines, is_copy: false }
        }
    }

    /// The same of all messages.
    #[must_use]
    pub fn all_lines(&self, kind: Kind) -> &Bytes {
        match kind {
            Kind::Line | Kind::Unframed => &self.lines,
            Kind::Telnet => self.telnet.get_or_init(|| reframed(&self.lines, kind)),
            Kind::WebSocket => self.websocket.get_or_init(|| reframed(&self.lines, kind)),
        }
    }

    /// How much a range of the messages is.
    #[must_use]
    pub fn volume(&self, range: &Range<u32>) -> Volume {
        let mut volume = Volume::default();
        volume.add(range.len(), self.start(range.end) - self.start(range.start));
        volume
    }

    fn start(&self, place: u32) -> usize {
        place.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize)
    }
}

/// Lines that end with newlines, as another kind of client gets them.
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

/// Batches are far smaller than 4 GiB: [`BATCH_BYTES`] and one message.
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
