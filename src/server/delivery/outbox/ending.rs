//! How an outbox ends: with its session, for a receiver that takes nothing, or with its connection.

use std::{collections::VecDeque, io, rc::Rc};

use arauto_protocol::{Kind, Line, websocket};
use bytes::Bytes;
use tokio::time::Instant;

use super::{Bounds, HARD_LIMIT_FACTOR, Outbox, OutboxError, Piece, flush::Flush, watermark::Watermark};

impl Outbox {
    /// Drops the queue, but for the rest of a partly written message. From here on the outbox accepts only its last
    /// words. Returns whether it was not evicted before.
    pub fn evict(&mut self) -> bool {
        if std::mem::replace(&mut self.evicted, true) {
            return false;
        }
        let begun = self.queue.pop_front().filter(|_| self.mid_piece).map(|piece| {
            let end = match self.kind {
                Kind::Line | Kind::Telnet => memchr::memchr(b'\n', &piece.bytes),
                Kind::Unframed | Kind::WebSocket => None,
            };
            piece.bytes.slice(..end.map_or(piece.bytes.len(), |end| end + 1))
        });
        let kept = begun.as_ref().map_or(0, Bytes::len);
        self.lost += self.queued - kept;
        self.queued = kept;
        self.memory.clear();
        self.queue = VecDeque::new();
        if let Some(bytes) = begun {
            let piece = Piece::own(bytes);
            self.memory.add(piece.memory());
            self.queue.push_back(piece);
        }
        self.watermark = Watermark::default();
        true
    }

    /// Whether [`Self::evict`] was called.
    #[must_use]
    pub fn is_evicted(&self) -> bool {
        self.evicted
    }

    /// Queues the line that explains the end, even if the session is evicted. Marks it as evicted.
    pub fn put_last_words(&mut self, line: &Line) {
        self.evicted = false;
        self.enqueue(Piece::own(line.framed(self.kind)));
        self.evicted = true;
    }

    /// Queues the final line, whether the session is evicted or not.
    pub fn put_farewell(&mut self, line: &Line) {
        if self.evicted { self.put_last_words(line) } else { self.put(line) }
    }

    /// Removes the limit: the outbox is never full from here on.
    pub fn unbound(&mut self) {
        self.bounds = Rc::new(Bounds { limit: usize::MAX / HARD_LIMIT_FACTOR, ..*self.bounds });
        self.watermark = Watermark::default();
        self.wake_flush_task();
    }

    /// Begins the end of the session: the outbox accepts nothing more, and all has to be written by `deadline`. For a
    /// WebSocket, queues a close frame with `code` first.
    pub fn close(&mut self, code: u16, deadline: Instant) {
        if self.kind == Kind::WebSocket && !self.is_closing() {
            let evicted = std::mem::take(&mut self.evicted);
            self.enqueue(Piece::own(websocket::close_frame(code)));
            self.evicted = evicted;
        }
        self.deadline.get_or_insert(deadline);
        self.wake_flush_task();
    }

    /// Drops the queue of a session that has ended, because memory is short. The rest of a partly written message
    /// stays.
    pub fn cut_short(&mut self) {
        self.evict();
        self.wake_flush_task();
    }

    /// Whether [`Self::close`] was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.deadline.is_some()
    }

    /// The number of queued bytes that were discarded.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// From two gaps before the deadline on, drops all of an unframed client's messages but the last, which says how
    /// the session ended: no time is left for a gap between all of them.
    pub(super) fn trim_to_last(&mut self) {
        let Some(deadline) = self.deadline.filter(|_| self.kind == Kind::Unframed) else { return };
        if Instant::now() + 2 * self.bounds.gap < deadline {
            return;
        }
        let keep_first = usize::from(self.mid_piece);
        while self.queue.len() > keep_first + 1 {
            let Some(piece) = self.queue.remove(keep_first) else { break };
            self.memory.take(piece.memory());
            let dropped = piece.bytes.len();
            self.queued -= dropped;
            self.lost += dropped;
        }
    }

    pub(super) fn fail(&mut self, error: io::Error) -> OutboxError {
        self.give_up();
        OutboxError::Broken(error)
    }

    pub(super) fn give_up(&mut self) {
        self.writer = None;
        self.lost += self.queued;
        self.memory.clear();
        self.queue = VecDeque::new();
        self.queued = 0;
        self.flush = Flush::Needless;
    }
}
