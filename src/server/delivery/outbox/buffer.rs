//! [`Buffer`]: the queued output of one client, in pieces, and what became of it.

use std::{
    collections::VecDeque,
    io::IoSlice,
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime},
};

use arauto_protocol::{Kind, Line, Tag, websocket};
use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::weight::Weight;
use crate::server::delivery::batch::{Excerpt, SharedBatch};

/// Memory of a queued piece beside its bytes: 40 bytes in a queue with room for up to twice as many pieces, and 16
/// bytes of the allocator for bytes of its own.
const PIECE_BYTES: usize = 96;

/// A part of the queue.
pub struct Piece {
    bytes: Bytes,
    /// Bytes that were allocated for this piece alone. 0 for a part of a batch: other outboxes share the batch, and
    /// the limit of a single outbox bounds it.
    owned: usize,
}

impl Piece {
    /// A piece whose bytes were allocated for it.
    pub fn own(bytes: Bytes) -> Self {
        Self { owned: bytes.len(), bytes }
    }

    /// A piece of a batch, whose bytes other outboxes share.
    pub fn shared(bytes: Bytes) -> Self {
        Self { owned: 0, bytes }
    }

    fn memory(&self) -> usize {
        self.owned + PIECE_BYTES
    }
}

/// Whether the writer still holds back bytes that were written to it (see `SendHalf::holds_back`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// The writer never holds bytes back.
    Needless,
    /// The writer holds nothing back now.
    Done,
    /// The writer may hold bytes back.
    Due,
}

/// The output that a client has yet to get.
pub struct Buffer {
    kind: Kind,
    /// Lines begin with tags.
    is_tagged: bool,
    pieces: VecDeque<Piece>,
    /// Bytes in `pieces`.
    len: usize,
    /// Memory that `pieces` takes.
    weight: Weight,
    /// The first piece is partly written.
    mid_piece: bool,
    /// Queued bytes were written since the last call of [`Self::take_moved`].
    moved: bool,
    flush: Flush,
    /// Bytes that were queued and discarded.
    lost: usize,
}

impl Buffer {
    /// Creates an empty buffer for a [`Kind::Line`] client, whose writer may hold bytes back or never does.
    pub fn new(holds_back: bool) -> Self {
        Self {
            kind: Kind::Line,
            is_tagged: false,
            pieces: VecDeque::new(),
            len: 0,
            weight: Weight::default(),
            mid_piece: false,
            moved: false,
            flush: if holds_back { Flush::Done } else { Flush::Needless },
            lost: 0,
        }
    }

    /// The framing of messages.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Sets the framing of messages that are queued from here on.
    pub fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Whether lines begin with tags.
    pub fn is_tagged(&self) -> bool {
        self.is_tagged
    }

    /// Begins lines that are queued from here on with tags, or no longer does.
    pub fn set_tagged(&mut self, is_tagged: bool) {
        self.is_tagged = is_tagged;
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The number of queued bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of queued bytes that were discarded.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Whether the first piece is partly written.
    pub fn is_mid_piece(&self) -> bool {
        self.mid_piece
    }

    /// Whether bytes were written since the last call.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Adds the memory of this buffer to `total` from here on. Must be called while the buffer is empty.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.weight.count_into(total);
    }

    /// The memory in bytes, and the time since part of the queue was last written.
    pub fn weight(&self, now: Instant) -> (usize, Duration) {
        self.weight.get(now)
    }

    /// Queues one line. `tag` is its number and time; without it, the line has no number, and the present time.
    pub fn push_line(&mut self, line: &Line, tag: Option<Tag>) {
        let framed = if self.is_tagged {
            line.tagged(tag.unwrap_or_else(|| Tag::at(SystemTime::now())), self.kind)
        } else {
            line.framed(self.kind)
        };
        self.push(Piece::own(framed));
    }

    /// Queues one piece.
    pub fn push(&mut self, piece: Piece) {
        self.split(piece, 0);
    }

    /// Queues all of `piece` but the first `written` bytes. The queue must be empty.
    pub fn push_rest(&mut self, piece: Piece, written: usize) {
        self.mid_piece = written > 0;
        self.split(piece, written);
    }

    /// Queues the messages `range` of a batch. An unframed client's messages become one piece each.
    pub fn push_shared(&mut self, shared: &SharedBatch, range: Range<u32>) {
        let Excerpt { bytes, is_copy } = shared.lines(self.kind, self.is_tagged, range);
        let piece = if is_copy { Piece::own } else { Piece::shared };
        if self.kind != Kind::Unframed {
            return self.push(piece(bytes));
        }
        let (mut rest, mut memory) = (bytes, 0);
        while let Some(end) = memchr::memchr(b'\n', &rest) {
            memory += self.append(piece(rest.split_to(end)));
            rest.advance(1);
        }
        self.weight.add(memory);
    }

    /// Queues all of a piece but the first `written` bytes. WebSocket frames are queued one by one: the end of a frame
    /// cannot be found from its middle, and [`Self::drop_unsent`] has to keep the rest of a frame whose writing began.
    fn split(&mut self, Piece { mut bytes, owned }: Piece, mut written: usize) {
        let mut memory = 0;
        if self.kind == Kind::WebSocket {
            while !bytes.is_empty() {
                let mut frame = bytes.split_to(websocket::frame_len(&bytes).min(bytes.len()));
                let gone = written.min(frame.len());
                frame.advance(gone);
                written -= gone;
                memory += self.append(if owned > 0 { Piece::own(frame) } else { Piece::shared(frame) });
            }
        } else {
            bytes.advance(written);
            memory = self.append(Piece { bytes, owned });
        }
        self.weight.add(memory);
    }

    /// Appends a piece, unless it is empty. Returns its memory, which the caller adds to the sum.
    fn append(&mut self, piece: Piece) -> usize {
        if piece.bytes.is_empty() {
            return 0;
        }
        let memory = piece.memory();
        self.len += piece.bytes.len();
        self.pieces.push_back(piece);
        memory
    }

    /// The first piece, if the next write takes no other: an unframed client gets one message a write.
    pub fn single(&self) -> Option<&[u8]> {
        let first = self.pieces.front()?;
        (self.kind == Kind::Unframed || self.pieces.len() == 1).then_some(&first.bytes)
    }

    /// Fills `slices` with the first pieces, and returns their number.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = self.pieces.iter().zip(slices);
        filled.map(|(piece, slice)| *slice = IoSlice::new(&piece.bytes)).count()
    }

    /// Removes the first `written` bytes, which the writer took at `now`.
    pub fn consume(&mut self, written: usize, now: Instant) {
        self.len -= written;
        self.moved = true;
        if self.flush == Flush::Done {
            self.flush = Flush::Due;
        }
        self.weight.moved(now);
        let memory = self.pop_written(written);
        self.weight.take(memory);
        if self.is_empty() {
            // Release the memory of a burst: the session may stay silent for days.
            self.pieces = VecDeque::new();
        }
    }

    /// Removes written bytes from the queue. Returns the memory of the pieces that are written in full.
    fn pop_written(&mut self, mut written: usize) -> usize {
        let mut memory = 0;
        while let Some(first) = self.pieces.front_mut() {
            if written < first.bytes.len() {
                first.bytes.advance(written);
                self.mid_piece |= written > 0;
                break;
            }
            written -= first.bytes.len();
            memory += first.memory();
            self.pieces.pop_front();
            self.mid_piece = false;
        }
        memory
    }

    /// Whether the writer may hold back bytes that it took.
    pub fn needs_flush(&self) -> bool {
        self.flush == Flush::Due
    }

    /// Records that the writer holds nothing back any more.
    pub fn flushed(&mut self) {
        self.flush = Flush::Done;
    }

    /// Ends the messages of an unframed client that turned out to be a line client: appends a newline to every queued
    /// message. If one was sent before (`has_sent`), queues a newline first that ends the last of these.
    pub fn end_messages(&mut self, has_sent: bool) {
        let newline = (has_sent && !self.mid_piece).then(|| Bytes::from_static(b"\n"));
        let messages = std::mem::take(&mut self.pieces).into_iter();
        let lines = messages.map(|piece| Bytes::from([&piece.bytes[..], b"\n"].concat()));
        self.len = 0;
        self.weight.clear();
        let memory: usize = newline.into_iter().chain(lines).map(|line| self.append(Piece::own(line))).sum();
        self.weight.add(memory);
    }

    /// Discards everything but the rest of a partly written message.
    pub fn drop_unsent(&mut self) {
        let begun = self.pieces.pop_front().filter(|_| self.mid_piece).map(|piece| {
            let end = match self.kind {
                Kind::Line | Kind::Telnet => memchr::memchr(b'\n', &piece.bytes),
                Kind::Unframed | Kind::WebSocket => None,
            };
            piece.bytes.slice(..end.map_or(piece.bytes.len(), |end| end + 1))
        });
        self.drop_pieces();
        if let Some(rest) = begun {
            self.mid_piece = true;
            self.lost -= rest.len();
            let memory = self.append(Piece::own(rest));
            self.weight.add(memory);
        }
    }

    /// Discards all messages but the last and one that is partly written.
    pub fn keep_last(&mut self) {
        let first = usize::from(self.mid_piece);
        let last = self.pieces.len().saturating_sub(1).max(first);
        for piece in self.pieces.drain(first..last) {
            self.len -= piece.bytes.len();
            self.lost += piece.bytes.len();
            self.weight.take(piece.memory());
        }
    }

    /// Discards everything, because the connection is given up.
    pub fn clear(&mut self) {
        self.drop_pieces();
        self.flush = Flush::Needless;
    }

    fn drop_pieces(&mut self) {
        self.lost += std::mem::take(&mut self.len);
        self.pieces = VecDeque::new();
        self.mid_piece = false;
        self.weight.clear();
    }
}
