//! [`Outbox`]: one session's bounded output queue and its writes.
//!
//! An outbox never blocks and never reorders. With an empty queue it writes straight to the kernel, without asking
//! the reactor; only the bytes that the kernel does not take are queued and wait for the reactor. An outbox is full
//! while more is queued than the limit. A full outbox still accepts what is on its way, but reports its level, so
//! that senders wait until a sixteenth of the limit is free. If the socket takes nothing for the grace period
//! meanwhile, the outbox is stuck. A partly written message is always completed first.
//!
//! Each part decides one thing and knows no other: the [`Buffer`] what is queued and written, the [`Phase`] what may
//! still be queued, the [`Watermark`] whether senders wait. Only the [`Writer`] has the socket. This file joins them, and
//! [`flush_task()`] writes the rest when the socket does not take everything at once.

use std::{
    io,
    ops::Range,
    rc::Rc,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use arauto_protocol::{Kind, Line, Tag, websocket};
use bytes::Bytes;
use tokio::time::Instant;

use super::batch::SharedBatch;
use crate::server::{
    admission::address_limiter::SessionPermit, common::fill_level::FillLevel, net::connection::SendHalf,
};

mod buffer;
mod flush_task;
mod phase;
mod watermark;
mod weight;
mod writer;

use buffer::{Buffer, Piece};
pub use flush_task::{Flushed, flush_task};
use flush_task::{Step, Times};
use phase::Phase;
use watermark::Watermark;
pub use watermark::{Bounds, OutboxError};
pub use writer::at_once;
use writer::{Due, Writer};

/// The output of one session.
pub struct Outbox {
    buffer: Buffer,
    phase: Phase,
    watermark: Watermark,
    /// `None` once the connection is shut or given up.
    writer: Option<Writer>,
    /// Wakes the task that empties the buffer, because its times changed. Does nothing until the task first waits for
    /// the socket. `None` without a task.
    task: Option<Waker>,
    /// The session's permits, released when its last part is dropped.
    _permit: Rc<SessionPermit>,
}

impl Outbox {
    /// Creates an empty outbox for a client that is taken for [`Kind::Line`].
    #[must_use]
    pub fn new(writer: Box<dyn SendHalf>, bounds: Rc<Bounds>, permit: Rc<SessionPermit>) -> Self {
        Self {
            buffer: Buffer::new(writer.holds_back()),
            phase: Phase::Open,
            watermark: Watermark::new(bounds),
            writer: Some(Writer::new(writer)),
            task: None,
            _permit: permit,
        }
    }

    /// Adds the memory of this outbox to `total` from here on. Must be called while the outbox is empty.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.buffer.count_into(total);
    }

    /// The memory in bytes, and how long the socket has taken nothing off the queue.
    #[must_use]
    pub fn weight(&self, now: Instant) -> (usize, Duration) {
        self.buffer.weight(now)
    }

    /// The connection's sending half; `None` once a write failed.
    #[must_use]
    pub fn writer(&self) -> Option<&dyn SendHalf> {
        self.writer.as_ref().map(Writer::half)
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The number of queued bytes.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.buffer.len()
    }

    /// The number of queued bytes that were discarded.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.buffer.lost()
    }

    /// Whether all output is accepted. Otherwise the session is evicted, its connection is broken, or it has ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase.is_open()
    }

    /// Whether the session has ended and nothing more is written.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Sets the framing of messages from here on.
    ///
    /// A client that was taken for unframed may turn out to be a line client. Then a newline is appended to every
    /// queued message, and one is queued first that ends the message sent last.
    pub fn set_kind(&mut self, kind: Kind) {
        if let (Kind::Unframed, Kind::Line, Some(writer)) = (self.buffer.kind(), kind, &mut self.writer) {
            self.buffer.end_messages(writer.forget_last_write());
        }
        self.buffer.set_kind(kind);
    }

    /// Begins lines with tags from here on, or no longer does.
    pub fn set_tagged(&mut self, is_tagged: bool) {
        self.buffer.set_tagged(is_tagged);
    }

    /// Queues one line that has no number, without writing.
    pub fn put(&mut self, line: &Line) {
        self.put_tagged(line, None);
    }

    /// Queues one line, without writing. `tag` is its number and time, if it has some.
    pub fn put_tagged(&mut self, line: &Line, tag: Option<Tag>) {
        if self.is_open() {
            self.buffer.push_line(line, tag);
        }
    }

    /// Queues bytes as they are, without writing.
    pub fn put_raw(&mut self, bytes: Bytes) {
        if self.is_open() {
            self.buffer.push(Piece::own(bytes));
        }
    }

    /// Queues the messages `range` of a batch, without writing. An unframed client's messages become one piece each.
    pub fn put_shared(&mut self, shared: &SharedBatch, range: Range<u32>) {
        if self.is_open() {
            self.buffer.push_shared(shared, range);
        }
    }

    /// Queues the line that explains the end, even if the session is evicted.
    pub fn put_last_words(&mut self, line: &Line) {
        if self.phase.accepts_last_words() {
            self.buffer.push_line(line, None);
        }
    }

    /// Sends all shared messages of a batch. Nearly every delivery takes this path: one write and no queue.
    ///
    /// # Errors
    /// As [`Self::write_now`].
    pub fn send_shared(&mut self, shared: &SharedBatch, cx: &mut Context<'_>) -> Result<(), OutboxError> {
        let kind = self.buffer.kind();
        if self.is_idle() && kind != Kind::Unframed {
            let lines = shared.all_lines(kind, self.buffer.is_tagged());
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
        let is_sent = match self.buffer.kind() {
            _ if self.buffer.is_tagged() => {
                self.put(line);
                false
            }
            Kind::Line if self.is_idle() => {
                self.try_send(line.as_bytes(), || Piece::own(line.framed(Kind::Line)))?
            }
            Kind::WebSocket if self.is_idle() => {
                let framed = line.framed(Kind::WebSocket);
                self.try_send(&framed, || Piece::own(framed.clone()))?
            }
            _ => {
                self.put(line);
                false
            }
        };
        if is_sent {
            return Ok(());
        }
        if was_empty {
            self.exempt_reply();
        }
        self.write_now(cx)
    }

    /// Whether everything is accepted, nothing is queued, and no task writes.
    fn is_idle(&self) -> bool {
        self.task.is_none() && self.is_empty() && self.is_open()
    }

    /// Writes what the socket takes at once, without asking the reactor. Returns whether that was all. Otherwise
    /// queues the rest, taken from `whole`, which yields the same bytes; the caller then calls [`Self::write_now`],
    /// which registers with the reactor.
    fn try_send(&mut self, bytes: &[u8], whole: impl FnOnce() -> Piece) -> Result<bool, OutboxError> {
        let Some(writer) = &self.writer else { return Ok(true) };
        let sent = match writer.try_send(bytes) {
            Ok(sent) => sent,
            Err(error) => return self.fail(error).map(|()| true),
        };
        let is_all = sent == bytes.len();
        if !is_all {
            self.buffer.push_rest(whole(), sent);
        }
        Ok(is_all)
    }

    /// Writes as much of the queue as the socket takes at once.
    ///
    /// # Errors
    /// If a write fails while the outbox is open, or if more stays queued than the hard limit.
    pub fn write_now(&mut self, cx: &mut Context<'_>) -> Result<(), OutboxError> {
        // A task that empties the queue waits for the socket. Polling the socket here too would replace that task's
        // waker, and the task would never resume.
        while self.task.is_none() && self.due() == Due::Now {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return self.fail(error),
                Poll::Pending => break,
            }
        }
        if self.watermark.rise(self.queued())? {
            self.wake_task();
        }
        Ok(())
    }

    /// Whether the socket took queued bytes since the last call.
    pub fn take_moved(&mut self) -> bool {
        self.buffer.take_moved()
    }

    /// Exempts everything queued now from the limit: all of it is one delivery that arrived while the queue was
    /// empty.
    pub fn exempt_reply(&mut self) {
        self.watermark.exempt(self.queued());
    }

    /// Applies the grace period to an outbox that is high but not full, because a sender waits for it to drain.
    pub fn expect_drain(&mut self) {
        if self.watermark.expect_drain() {
            self.wake_task();
        }
    }

    /// The fill level, if it changed since the last call.
    pub fn take_level_change(&mut self) -> Option<FillLevel> {
        self.watermark.take_change()
    }

    /// Removes the limit: the outbox is never full from here on.
    pub fn unbound(&mut self) {
        self.watermark.unbound();
        self.wake_task();
    }

    /// Drops the queue of an open outbox, but for the rest of a partly written message. From here on the outbox accepts
    /// only its last words. Returns whether it was open.
    pub fn evict(&mut self) -> bool {
        let was_open = self.phase.evict();
        if was_open {
            self.drop_unsent();
        }
        was_open
    }

    /// Begins the end of the session: the outbox accepts nothing more, and all has to be written by `deadline`. For a
    /// WebSocket, queues a close frame with `code` first.
    pub fn close(&mut self, code: u16, deadline: Instant) {
        if self.buffer.kind() == Kind::WebSocket && self.phase.accepts_last_words() {
            self.buffer.push(Piece::own(websocket::close_frame(code)));
        }
        self.phase.close(deadline);
        self.wake_task();
    }

    /// Drops the queue of a session that has ended, because memory is short. The rest of a partly written message
    /// stays.
    pub fn cut_short(&mut self) {
        self.drop_unsent();
        self.wake_task();
    }

    fn drop_unsent(&mut self) {
        self.buffer.drop_unsent();
        self.watermark.reset();
    }

    /// Gives the connection up after a failed write. Returns the error if the session has yet to hear that it has to
    /// leave.
    fn fail(&mut self, error: io::Error) -> Result<(), OutboxError> {
        let was_open = self.is_open();
        self.give_up();
        if was_open { Err(OutboxError::Broken(error)) } else { Ok(()) }
    }

    /// Drops the connection and everything that is queued for it, and ends the flush task.
    fn give_up(&mut self) {
        self.phase.give_up();
        self.buffer.clear();
        self.watermark.reset();
        (self.writer, self.task) = (None, None);
    }

    /// Whether work is left that no task does yet. If so, marks the outbox as having one, and the caller must spawn
    /// `flush_task`.
    pub fn wants_flush_task(&mut self) -> bool {
        let has_work = !self.is_empty() || self.buffer.needs_flush() || self.phase.deadline().is_some();
        let wants = self.task.is_none() && has_work;
        if wants {
            self.task = Some(Waker::noop().clone());
        }
        wants
    }

    /// Makes the task that waits for the socket read its times again.
    fn wake_task(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// When something may be written.
    fn due(&self) -> Due {
        self.writer.as_ref().map_or(Due::Never, |writer| writer.due(&self.buffer, self.watermark.gap()))
    }

    /// Does one write, or the flush that is due after a write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else { return Poll::Ready(Ok(())) };
        let written = ready!(writer.poll_write(&mut self.buffer, cx))?;
        let now = Instant::now();
        if written > 0 {
            self.buffer.consume(written, now);
        }
        self.watermark.fall(self.queued(), now);
        Poll::Ready(Ok(()))
    }

    /// The next thing that the flush task has to do. Ends the task if all is written.
    fn next_step(&mut self) -> Step {
        let deadline = self.phase.deadline();
        // From two gaps before the deadline on, an unframed client gets only the last message, which says how the
        // session ended: no time is left for a gap between all of them.
        if self.buffer.kind() == Kind::Unframed
            && deadline.is_some_and(|deadline| Instant::now() + 2 * self.watermark.gap() >= deadline)
        {
            self.buffer.keep_last();
        }
        if let Some(level) = self.watermark.take_fall() {
            return Step::Report(level);
        }
        match (self.due(), deadline) {
            (Due::Now, _) => Step::Write(self.times(None)),
            (Due::At(start), _) => Step::Write(self.times(Some(start))),
            (Due::Never, Some(deadline)) => Step::Shut(deadline),
            (Due::Never, None) => {
                self.task = None;
                Step::Stop
            }
        }
    }

    /// The times of a write that must not begin before `not_before`.
    fn times(&self, not_before: Option<Instant>) -> Times {
        let stuck = self.watermark.stuck_at(not_before);
        Times { not_before, deadline: self.phase.deadline(), stuck }
    }

    /// Does one write of the flush task. Returns early if the times differ from `known`, or if nothing is left because
    /// the queue was dropped meanwhile; last words may yet be queued.
    fn poll_step(&mut self, known: Times, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.times(known.not_before) != known || self.due() == Due::Never {
            return Poll::Ready(Ok(()));
        }
        let polled = self.poll_write(cx);
        if polled.is_pending() {
            self.task = Some(cx.waker().clone());
            self.watermark.begin_wait(|| self.writer.as_ref()?.half().not_taken());
        }
        polled
    }

    /// Whether the peer took bytes while the flush task waited for the socket. If so, restarts the grace period.
    fn has_moved(&mut self) -> bool {
        self.watermark.has_moved(self.writer.as_ref().and_then(|writer| writer.half().not_taken()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().map_or(Poll::Ready(Ok(())), |writer| writer.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests;
