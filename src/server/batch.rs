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
use tokio::sync::OwnedSemaphorePermit;

use super::{close::CloseReason, pace::Ticket, seat::Seat, tally::Volume};
use crate::protocol::{Kind, Line, websocket};

/// A batch of so many bytes is sent before more is added. Larger gains nothing per write and holds memory.
pub const BATCH_BYTES: usize = 64 * 1024;

/// What is sent in one go, while it is gathered.
#[derive(Debug)]
pub struct Batch {
    lines: BytesMut,
    ends: Vec<u32>,
    /// The differences, for each courier.
    items: Vec<Vec<Item>>,
    item_bytes: usize,
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
            items: (0..couriers).map(|_| Vec::new()).collect(),
            item_bytes: 0,
            credits: Vec::new(),
        }
    }

    /// A line for every member; for all but `except`, if given.
    pub fn broadcast(&mut self, line: &Line, except: Option<Seat>) {
        if let Some(seat) = except {
            self.add(seat, What::Skip);
        }
        self.lines.put_slice(line.as_bytes());
        self.ends.push(offset(self.lines.len()));
    }

    /// A line for one session.
    pub fn tell(&mut self, seat: Seat, line: Line) {
        self.item_bytes += line.as_bytes().len();
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

    /// How many bytes are gathered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len() + self.item_bytes
    }

    /// Takes what was gathered: for each courier that has something to do, its number,
    /// what all get, and where single sessions differ. The ticket is kept until the last of them is done.
    pub fn take(
        &mut self,
        ticket: Option<Ticket>,
    ) -> impl Iterator<Item = (usize, Arc<Shared>, Vec<Item>)> + use<'_> {
        let shared = Arc::new(Shared {
            lines: self.lines.split().freeze(),
            ends: std::mem::take(&mut self.ends),
            telnet: OnceLock::new(),
            websocket: OnceLock::new(),
            _credits: std::mem::take(&mut self.credits),
            _ticket: ticket,
        });
        self.item_bytes = 0;
        self.items.iter_mut().enumerate().filter_map(move |(courier, items)| {
            let mut items = std::mem::take(items);
            // Stable: what one session gets stays in order.
            items.sort_by_key(|item| item.seat.slot);
            (!items.is_empty() || !shared.is_empty()).then(|| (courier, Arc::clone(&shared), items))
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
    pub fn lines(&self, kind: Kind, range: Range<u32>) -> Bytes {
        if range.start == 0 && range.end == self.len() {
            return self.all_lines(kind).clone();
        }
        let lines = self.lines.slice(self.start(range.start)..self.start(range.end));
        if let Kind::Telnet | Kind::WebSocket = kind {
            reframed(&lines, kind)
        } else if lines.len() < self.lines.len() / 2 {
            // A small share of a large batch that waits in an outbox would keep all of the batch in memory.
            Bytes::copy_from_slice(&lines)
        } else {
            lines
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{protocol::Message, server::seat::SessionId};

    const SESSIONS: u32 = 4;

    /// What can be added, each for one of the sessions.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Broadcast,
        BroadcastNotMe,
        Tell,
        Enter,
        Close,
    }

    fn line(number: usize) -> Line {
        let data = number.to_string();
        Line::from(&Message { sender: "a", destination: "b", operation: "echo", data: &data })
    }

    fn seat(slot: u32) -> Seat {
        Seat { id: SessionId(u64::from(slot)), courier: u16::from(slot % 2 == 1), slot }
    }

    /// What each session would get if every message went to every session by itself.
    fn one_by_one(steps: &[(Step, u32)]) -> Vec<(String, bool)> {
        let mut sessions = vec![(String::new(), false, false); SESSIONS as usize];
        for (number, (step, slot)) in steps.iter().enumerate() {
            let text = String::from_utf8(line(number).as_bytes().to_vec()).unwrap();
            for (other, (got, member, closed)) in (0..).zip(&mut sessions) {
                let hears = match step {
                    Step::Broadcast => *member,
                    Step::BroadcastNotMe => *member && other != *slot,
                    Step::Tell => other == *slot,
                    Step::Enter | Step::Close => false,
                };
                if hears && !*closed {
                    got.push_str(&text);
                }
                if other == *slot {
                    *member |= matches!(step, Step::Enter);
                    *closed |= matches!(step, Step::Close);
                }
            }
        }
        sessions.into_iter().map(|(got, _, closed)| (got, closed)).collect()
    }

    fn by_batches(steps: &[(Step, u32)], flush_every: usize) -> Vec<(String, bool)> {
        let mut sessions = vec![(String::new(), false, false); SESSIONS as usize];
        let mut batch = Batch::new(2);
        for (number, (step, slot)) in steps.iter().enumerate() {
            match step {
                Step::Broadcast => batch.broadcast(&line(number), None),
                Step::BroadcastNotMe => batch.broadcast(&line(number), Some(seat(*slot))),
                Step::Tell => batch.tell(seat(*slot), line(number)),
                Step::Enter => batch.enter(seat(*slot)),
                Step::Close => batch.close(seat(*slot), CloseReason::Exit),
            }
            if number % flush_every == 0 || number + 1 == steps.len() {
                for (courier, shared, items) in batch.take(None) {
                    for (slot, (got, member, closed)) in (0..).zip(&mut sessions) {
                        if usize::from(seat(slot).courier) == courier && !*closed {
                            let mine = items.iter().filter(|item| item.seat.slot == slot);
                            let reason = shared.for_session(mine, member, |piece| {
                                let bytes = match piece {
                                    Piece::Shared(range) => shared.lines(Kind::Line, range),
                                    Piece::Own(line) => line.framed(Kind::Line),
                                };
                                got.push_str(std::str::from_utf8(&bytes).unwrap());
                            });
                            *closed = reason.is_some();
                        }
                    }
                }
            }
        }
        sessions.into_iter().map(|(got, _, closed)| (got, closed)).collect()
    }

    proptest! {
        #[test]
        fn a_batch_gives_each_session_what_single_messages_would(
            steps in prop::collection::vec((
                prop::sample::select(vec![Step::Broadcast, Step::BroadcastNotMe, Step::Tell, Step::Enter, Step::Enter, Step::Close]),
                0..SESSIONS,
            ), 0..40),
            flush_every in 1..12_usize,
        ) {
            prop_assert_eq!(by_batches(&steps, flush_every), one_by_one(&steps));
        }
    }

    #[test]
    fn each_kind_gets_its_line_endings() {
        let mut batch = Batch::new(1);
        let seat = Seat { id: SessionId(1), courier: 0, slot: 0 };
        for number in 0..3 {
            batch.broadcast(&line(number), (number == 1).then_some(seat));
        }
        let deliver: Vec<_> = batch.take(None).collect();
        let shared = &deliver[0].1;
        assert_eq!(&shared.lines(Kind::Line, 0..2)[..], b"a | b | echo | 0\na | b | echo | 1\n");
        assert_eq!(&shared.lines(Kind::Telnet, 1..3)[..], b"a | b | echo | 1\r\na | b | echo | 2\r\n");
        assert_eq!(&shared.lines(Kind::Telnet, 0..3)[..], &shared.all_lines(Kind::Telnet)[..]);
    }

    #[test]
    fn a_small_share_does_not_keep_the_whole_batch() {
        let mut batch = Batch::new(1);
        for number in 0..100 {
            batch.broadcast(&line(number), None);
        }
        let (_, shared, _) = batch.take(None).next().unwrap();
        let within = |part: &Bytes| shared.lines.as_ptr_range().contains(&part.as_ptr());
        assert!(within(&shared.lines(Kind::Line, 0..100)) && within(&shared.lines(Kind::Line, 1..100)));
        assert!(!within(&shared.lines(Kind::Line, 50..51)));
    }

    #[test]
    fn a_courier_with_nothing_to_do_is_left_alone() {
        let mut batch = Batch::new(2);
        batch.tell(seat(1), line(0));
        let couriers: Vec<usize> = batch.take(None).map(|(courier, ..)| courier).collect();
        assert_eq!(couriers, [1]);
        assert_eq!(batch.take(None).count(), 0);
    }
}
