//! [`Outbox`]: one session's bounded output queue and its writes.
//!
//! An outbox never blocks and never reorders. With an empty queue it writes straight to the kernel, without asking
//! the reactor; only the bytes that the kernel does not take are queued and wait for the reactor. An outbox is full
//! while more is queued than the limit. A full outbox still accepts what is on its way, but reports its level, so
//! that senders wait until a sixteenth of the limit is free. If the socket takes nothing for the grace period
//! meanwhile, the outbox is stuck. A partly written message is always completed first.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use arauto_protocol::{Kind, Line, websocket};
use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use tokio::{io::AsyncWrite, task::coop::unconstrained, time::Instant};

use super::batch::{Excerpt, SharedBatch};
use crate::server::{
    admission::address_limiter::SessionPermit, common::fill_level::FillLevel, net::connection::SendHalf,
};

mod ending;
mod flush;
mod flush_task;
mod reframe;
mod watermark;
mod weight;

use flush::Flush;
pub use flush_task::{Flushed, flush_task};
use watermark::Watermark;
use weight::{Piece, Weight};

/// Queued pieces in one vectored write.
const MAX_SLICES: usize = 64;

/// Hard limit of an outbox, as a multiple of its limit. Senders that wait overshoot the limit by one or two batches;
/// clients that repeatedly send and leave at once overshoot it by more.
const HARD_LIMIT_FACTOR: usize = 2;

/// Limits that all outboxes of a server share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Queued bytes above which an outbox is full, not counting `Outbox::exempt_bytes` (`limits.outbox_bytes`).
    pub limit: usize,
    /// Time without progress after which a full outbox is stuck (`limits.slow_reader_grace`).
    pub grace: Duration,
    /// Minimum time between two messages to an unframed client (`compat.unframed_gap_ms`).
    pub gap: Duration,
}

/// Why an outbox accepts nothing more.
#[derive(Debug)]
pub enum OutboxError {
    /// More is queued than the hard limit, a multiple of [`Bounds::limit`].
    Full,
    /// A write failed.
    Broken(io::Error),
}

/// The output of one session.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts; as one state they would be sixteen"
)]
pub struct Outbox {
    /// `None` once a write failed or the outbox was given up.
    writer: Option<Box<dyn SendHalf>>,
    kind: Kind,
    queue: VecDeque<Piece>,
    /// Bytes in `queue`.
    queued: usize,
    /// Memory that `queue` takes.
    memory: Weight,
    bounds: Rc<Bounds>,
    watermark: Watermark,
    /// The outbox accepts only its last words.
    evicted: bool,
    /// Queued bytes of one delivery that arrived while the queue was empty. They do not count towards the limit: no
    /// client is disconnected for the length of a single answer.
    exempt_bytes: usize,
    /// The front of the queue is partly written.
    mid_piece: bool,
    /// Queued bytes were written since the last call of [`Self::take_moved`].
    moved: bool,
    flush: Flush,
    /// Bytes that were queued and discarded.
    lost: usize,
    /// Time of the last write to an unframed client. Boxed because few clients are unframed.
    last_write: Option<Box<Instant>>,
    /// Set when the session ends: everything has to be written by then.
    deadline: Option<Instant>,
    /// A task is emptying the queue.
    has_flush_task: bool,
    /// Waker of that task while it waits for the socket. Woken when the time to wait until changes.
    waiting: Option<Waker>,
    /// The session's permits, released when its last part is dropped.
    _permit: Rc<SessionPermit>,
}

/// When the front of the queue may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The queue is empty.
    Never,
    /// As soon as the socket takes it, or the bytes that the writer still holds back.
    Now,
    /// At the end of the gap that separates messages to an unframed client.
    At(Instant),
}

impl Outbox {
    /// Creates an empty outbox for a client that is taken for [`Kind::Line`].
    #[must_use]
    pub fn new(writer: Box<dyn SendHalf>, bounds: Rc<Bounds>, permit: Rc<SessionPermit>) -> Self {
        Self {
            flush: Flush::of(&*writer),
            writer: Some(writer),
            kind: Kind::Line,
            queue: VecDeque::new(),
            queued: 0,
            memory: Weight::default(),
            bounds,
            watermark: Watermark::default(),
            evicted: false,
            exempt_bytes: 0,
            mid_piece: false,
            moved: false,
            lost: 0,
            last_write: None,
            deadline: None,
            has_flush_task: false,
            waiting: None,
            _permit: permit,
        }
    }

    /// The framing of messages.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The connection's sending half; `None` once a write failed.
    #[must_use]
    pub fn writer(&self) -> Option<&dyn SendHalf> {
        self.writer.as_deref()
    }

    /// Queues one line, without writing.
    pub fn put(&mut self, line: &Line) {
        self.enqueue(Piece::own(line.framed(self.kind)));
    }

    /// Queues bytes as they are, without writing.
    pub fn put_raw(&mut self, bytes: Bytes) {
        self.enqueue(Piece::own(bytes));
    }

    /// Queues the messages `range` of a batch, without writing. An unframed client's messages become one piece each.
    pub fn put_shared(&mut self, shared: &SharedBatch, range: std::ops::Range<u32>) {
        let Excerpt { bytes, is_copy } = shared.lines(self.kind, range);
        let piece = if is_copy { Piece::own } else { Piece::shared };
        if self.kind != Kind::Unframed {
            return self.enqueue(piece(bytes));
        }
        let (mut rest, mut memory) = (bytes, 0);
        while let Some(end) = memchr::memchr(b'\n', &rest) {
            memory += self.push(piece(rest.split_to(end)));
            rest.advance(1);
        }
        self.memory.add(memory);
    }

    /// Sends all shared messages of a batch. Nearly every delivery takes this path: one write and no queue.
    ///
    /// # Errors
    /// As [`Self::write_now`].
    pub fn send_shared(&mut self, shared: &SharedBatch, cx: &mut Context<'_>) -> Result<(), OutboxError> {
        if self.is_idle() && self.kind != Kind::Unframed {
            let lines = shared.all_lines(self.kind);
            if self.try_send(lines, || Piece::shared(lines.clone()))? {
                return Ok(());
            }
        } else {
            self.put_shared(shared, 0..shared.len());
        }
        self.write_now(cx)
    }

    /// Sends one line and nothing else. Private messages and answers take this path.
    ///
    /// # Errors
    /// As [`Self::write_now`].
    pub fn send_line(&mut self, line: &Line, cx: &mut Context<'_>) -> Result<(), OutboxError> {
        let was_empty = self.is_empty();
        let sent = match self.kind {
            _ if !self.is_idle() => None,
            Kind::Line => Some(self.try_send(line.as_bytes(), || Piece::own(line.framed(Kind::Line)))?),
            Kind::WebSocket => {
                let framed = line.framed(Kind::WebSocket);
                Some(self.try_send(&framed, || Piece::own(framed.clone()))?)
            }
            Kind::Telnet | Kind::Unframed => None,
        };
        match sent {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => self.put(line),
        }
        if was_empty {
            self.exempt_reply();
        }
        self.write_now(cx)
    }

    /// Whether nothing is queued and no task carries the outbox.
    fn is_idle(&self) -> bool {
        !self.has_flush_task && self.queue.is_empty() && !self.evicted
    }

    /// Writes what the socket takes at once, without asking the reactor. Returns whether that was all. Otherwise
    /// queues the rest, taken from `whole`, which yields the same bytes; the caller then calls [`Self::write_now`],
    /// which registers with the reactor.
    fn try_send(&mut self, bytes: &[u8], whole: impl FnOnce() -> Piece) -> Result<bool, OutboxError> {
        let Some(writer) = &self.writer else { return Ok(true) };
        let sent = match writer.try_send(bytes) {
            Ok(sent) if sent == bytes.len() => return Ok(true),
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(self.fail(error)),
        };
        self.mid_piece = sent > 0;
        self.enqueue_from(whole(), sent);
        Ok(false)
    }

    /// Writes as much of the queue as the socket takes at once.
    ///
    /// # Errors
    /// If a write fails, or if more stays queued than the hard limit.
    pub fn write_now(&mut self, cx: &mut Context<'_>) -> Result<(), OutboxError> {
        // A task that empties the queue waits for the socket. Polling the socket here too would replace that task's
        // waker, and the task would never resume.
        while !self.has_flush_task && self.due() == Due::Now {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(self.fail(error)),
                Poll::Pending => break,
            }
        }
        self.judge()
    }

    /// Whether the socket took queued bytes since the last call.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The number of queued bytes.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Exempts everything queued now from the limit: all of it is one delivery that arrived while the queue was
    /// empty.
    pub fn exempt_reply(&mut self) {
        self.exempt_bytes = self.queued;
    }

    /// Applies the grace period to an outbox that is high but not full, because a sender waits for it to drain.
    pub fn expect_drain(&mut self) {
        if self.watermark.expect_drain() {
            self.wake_flush_task();
        }
    }

    /// The fill level, if it changed since the last call.
    pub fn take_level_change(&mut self) -> Option<FillLevel> {
        self.watermark.take_change()
    }

    /// Makes the task that waits for the socket re-read its times.
    fn wake_flush_task(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Whether work is left that no task does yet. If so, marks the outbox as having one, and the caller must spawn
    /// `flush_task`.
    pub fn wants_flush_task(&mut self) -> bool {
        let wants = !self.has_flush_task
            && (!self.queue.is_empty() || self.flush == Flush::Due || self.deadline.is_some());
        self.has_flush_task |= wants;
        wants
    }

    /// When the front of the queue may be written; at once if a flush is due.
    fn due(&self) -> Due {
        if self.flush == Flush::Due {
            return Due::Now;
        }
        if self.queue.is_empty() {
            return Due::Never;
        }
        if self.kind != Kind::Unframed || self.mid_piece {
            return Due::Now;
        }
        match self.last_write.as_deref().map(|last| *last + self.bounds.gap) {
            Some(due) if due > Instant::now() => Due::At(due),
            _ => Due::Now,
        }
    }

    /// Does one write, or the flush that is due after a write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else { return Poll::Ready(Ok(())) };
        if self.flush == Flush::Due {
            ready!(self.flush.poll(&mut **writer, cx))?;
            self.went_on(Instant::now());
            return Poll::Ready(Ok(()));
        }
        let writer = Pin::new(writer);
        let written = if self.kind == Kind::Unframed || self.queue.len() == 1 {
            ready!(writer.poll_write(cx, self.queue.front().map_or(&[][..], |piece| &piece.bytes)))?
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self
                .queue
                .iter()
                .zip(&mut slices)
                .map(|(piece, slice)| *slice = IoSlice::new(&piece.bytes))
                .count();
            ready!(writer.poll_write_vectored(cx, &slices[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.flush.wrote();
        let now = Instant::now();
        self.consume(written, now);
        if self.kind == Kind::Unframed {
            **self.last_write.get_or_insert_with(|| Box::new(now)) = now;
        }
        self.went_on(now);
        Poll::Ready(Ok(()))
    }

    /// Updates the fill level after the socket took bytes.
    fn went_on(&mut self, now: Instant) {
        self.watermark.fall(self.queued.saturating_sub(self.exempt_bytes), self.bounds.limit, now);
    }

    fn consume(&mut self, written: usize, now: Instant) {
        self.queued -= written;
        self.moved = true;
        self.memory.moved(now);
        let memory = self.pop_written(written);
        self.memory.take(memory);
        if self.queue.is_empty() {
            // Release the buffer of a burst: the session may stay silent for days.
            self.queue = VecDeque::new();
            self.exempt_bytes = 0;
        }
    }

    /// Removes written bytes from the queue. Returns the memory of the pieces that are written in full.
    fn pop_written(&mut self, mut written: usize) -> usize {
        let mut memory = 0;
        while let Some(front) = self.queue.front_mut() {
            if written < front.bytes.len() {
                front.bytes.advance(written);
                self.mid_piece = written > 0 || self.mid_piece;
                break;
            }
            written -= front.bytes.len();
            memory += front.memory();
            self.queue.pop_front();
            self.mid_piece = false;
        }
        memory
    }

    fn enqueue(&mut self, piece: Piece) {
        self.enqueue_from(piece, 0);
    }

    /// Queues all of `piece` but the first `sent` bytes. WebSocket frames are queued one by one: the end of a frame
    /// cannot be found from its middle, and [`Self::evict`] has to keep the rest of a frame whose writing began.
    fn enqueue_from(&mut self, piece: Piece, mut sent: usize) {
        let Piece { mut bytes, owned } = piece;
        if self.kind != Kind::WebSocket {
            bytes.advance(sent);
            let memory = self.push(Piece { bytes, owned });
            return self.memory.add(memory);
        }
        let mut memory = 0;
        while !bytes.is_empty() {
            let mut frame = bytes.split_to(websocket::frame_len(&bytes).min(bytes.len()));
            let gone = sent.min(frame.len());
            frame.advance(gone);
            sent -= gone;
            memory += self.push(Piece { owned: if owned > 0 { frame.len() } else { 0 }, bytes: frame });
        }
        self.memory.add(memory);
    }

    /// Returns the memory of the piece, which the caller adds to the sum; 0 if the outbox accepts nothing more.
    fn push(&mut self, piece: Piece) -> usize {
        if self.writer.is_none() || self.is_closing() || self.evicted || piece.bytes.is_empty() {
            return 0;
        }
        let memory = piece.memory();
        self.queued += piece.bytes.len();
        self.queue.push_back(piece);
        memory
    }

    fn judge(&mut self) -> Result<(), OutboxError> {
        self.exempt_bytes = self.exempt_bytes.min(self.queued);
        let due = self.queued - self.exempt_bytes;
        if due > HARD_LIMIT_FACTOR * self.bounds.limit {
            return Err(OutboxError::Full);
        }
        if self.watermark.rise(due, self.bounds.limit) {
            self.wake_flush_task();
        }
        Ok(())
    }
}

/// Polls sockets once, without waiting for them and outside of the scheduler's budget: a courier writes to thousands
/// of sockets in one go, and has to try every one.
pub fn at_once<T>(mut run: impl FnMut(&mut Context<'_>) -> T) -> T {
    match unconstrained(poll_fn(|cx| Poll::Ready(run(cx)))).now_or_never() {
        Some(outcome) => outcome,
        None => unreachable!("the future above is always ready"),
    }
}

#[cfg(test)]
mod tests;
