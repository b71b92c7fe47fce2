//! [`Outbox`]: one session's bounded queue and its writes.
//!
//! It does not block, does not reorder, and sends at once where nothing is queued: to the kernel and nobody else. Only
//! what that does not take at once is queued, and known to the reactor. While more is queued than the limit it is full:
//! it still takes what is on its way, but tells, so that senders are held back until half of it is gone. If the socket
//! takes nothing for the grace meanwhile, it is stuck. A message whose writing began is always finished first.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use tokio::{io::AsyncWrite, task::coop::unconstrained, time::Instant};

use super::{
    batch::{Excerpt, Shared},
    connection::SendHalf,
    doorkeeper::Stay,
};
use crate::protocol::{Kind, Line, websocket};

mod carry;
mod ending;
mod flush;
mod full;
mod reframe;
mod weight;

pub use carry::{Carried, carry};
use flush::Flush;
use full::Full;
pub use full::Level;
use weight::{Piece, Weight};

/// How many queued pieces go into one write.
const SLICES: usize = 64;

/// How many times the limit an outbox holds at the very most. Senders who are held back leave it one or two batches
/// above; more comes from those who send and leave at once, again and again.
const MOST: usize = 2;

/// What all outboxes of a server keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// With more bytes queued than this, beside what is excused, an outbox is full (`limits.outbox_bytes`).
    pub limit: usize,
    /// How long a full one may go without taking anything (`limits.slow_reader_grace`).
    pub grace: Duration,
    /// Least time between two messages to an unframed client (`compat.unframed_gap_ms`).
    pub gap: Duration,
}

/// Why an outbox takes nothing more.
#[derive(Debug)]
pub enum Trouble {
    /// Far more is queued than the limit.
    Full,
    /// Writing failed.
    Broken(io::Error),
}

/// One session's output.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts; as one state they would be sixteen"
)]
pub struct Outbox {
    /// `None` once it failed or was given up.
    writer: Option<Box<dyn SendHalf>>,
    kind: Kind,
    queue: VecDeque<Piece>,
    /// Bytes in `queue`.
    queued: usize,
    /// The memory that `queue` takes.
    memory: Weight,
    bounds: Rc<Bounds>,
    full: Full,
    /// It does not get more than its last words.
    jammed: bool,
    /// Of what is queued, how much came as one delivery when nothing was unread: nobody is cut for the length of one
    /// answer.
    excused: usize,
    /// The front of the queue is partly written.
    mid_piece: bool,
    /// Something that was queued was written since [`Self::take_moved`] was last called.
    moved: bool,
    flush: Flush,
    /// Bytes that were queued and given up.
    lost: usize,
    /// When an unframed client was last written to. Boxed because few clients are.
    last_write: Option<Box<Instant>>,
    /// Set when the session ends: by then all has to be written.
    deadline: Option<Instant>,
    /// A task is emptying the queue.
    carried: bool,
    /// That task, while it waits for the socket; woken when there is a new time to wait until.
    waiting: Option<Waker>,
    /// The session's places; given back with the last of its parts.
    _stay: Rc<Stay>,
}

/// When something queued may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Nothing is queued.
    Never,
    /// As soon as the socket takes it, or what is held back before it.
    Now,
    /// When an unframed client has had its time to read the message before.
    At(Instant),
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new(writer: Box<dyn SendHalf>, bounds: Rc<Bounds>, stay: Rc<Stay>) -> Self {
        Self {
            flush: Flush::of(&*writer),
            writer: Some(writer),
            kind: Kind::Line,
            queue: VecDeque::new(),
            queued: 0,
            memory: Weight::default(),
            bounds,
            full: Full::default(),
            jammed: false,
            excused: 0,
            mid_piece: false,
            moved: false,
            lost: 0,
            last_write: None,
            deadline: None,
            carried: false,
            waiting: None,
            _stay: stay,
        }
    }

    /// How messages are framed.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The connection's sending half, unless it failed.
    #[must_use]
    pub fn writer(&self) -> Option<&dyn SendHalf> {
        self.writer.as_deref()
    }

    /// Queues one line.
    pub fn put(&mut self, line: &Line) {
        self.enqueue(Piece::own(line.framed(self.kind)));
    }

    /// Queues bytes as they are.
    pub fn put_raw(&mut self, bytes: Bytes) {
        self.enqueue(Piece::own(bytes));
    }

    /// Queues shared messages `range`.
    pub fn put_shared(&mut self, shared: &Shared, range: std::ops::Range<u32>) {
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

    /// Sends all shared messages: the way of nearly every delivery, one write and no queue.
    ///
    /// # Errors
    /// As [`Self::write_now`].
    pub fn send_shared(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Result<(), Trouble> {
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

    /// Sends one line and nothing else: the way of private messages and answers.
    ///
    /// # Errors
    /// As [`Self::write_now`].
    pub fn send_line(&mut self, line: &Line, cx: &mut Context<'_>) -> Result<(), Trouble> {
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
            self.excuse();
        }
        self.write_now(cx)
    }

    /// Nothing is queued, and no task has to do with it.
    fn is_idle(&self) -> bool {
        !self.carried && self.queue.is_empty() && !self.jammed
    }

    /// Sends what goes at once, without asking the reactor. If not all does, the rest is queued (of `whole`, which is the
    /// same bytes), for who writes next to ask the reactor, which then wakes whoever carries it.
    fn try_send(&mut self, bytes: &[u8], whole: impl FnOnce() -> Piece) -> Result<bool, Trouble> {
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

    /// Writes what the socket takes at once.
    ///
    /// # Errors
    /// If writing fails, or if far more stays queued than the limit.
    pub fn write_now(&mut self, cx: &mut Context<'_>) -> Result<(), Trouble> {
        // A task that empties the queue waits for the socket. Asking the socket here as well would take its place among
        // those to be woken, and nobody would go on.
        while !self.carried && self.due() == Due::Now {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Err(self.fail(error)),
                Poll::Pending => break,
            }
        }
        self.judge()
    }

    /// Whether the socket took something that was queued since this was last asked.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes are queued.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// What is queued now came as one delivery when nothing was unread.
    pub fn excuse(&mut self) {
        self.excused = self.queued;
    }

    /// It is stuck if the other end takes nothing for the grace, though it is not full: someone waits for it.
    pub fn lose_patience(&mut self) {
        if self.full.lose_patience() {
            self.wake_carrier();
        }
    }

    /// How full it is, if that has changed since it was last asked.
    pub fn take_pressure(&mut self) -> Option<Level> {
        self.full.take_change()
    }

    /// Makes the task that waits for the socket look at the times again.
    fn wake_carrier(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Whether something is left to do that no task does yet; if so, the caller is to start `carry`.
    pub fn wants_carrying(&mut self) -> bool {
        let wants =
            !self.carried && (!self.queue.is_empty() || self.flush == Flush::Due || self.deadline.is_some());
        self.carried |= wants;
        wants
    }

    /// When the front of the queue may be written, or a flush is due.
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

    /// One write, or the flush that is due after one.
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
            let mut slices = [IoSlice::new(&[]); SLICES];
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

    /// The socket took something.
    fn went_on(&mut self, now: Instant) {
        self.full.fall(self.queued.saturating_sub(self.excused), self.bounds.limit, now);
    }

    fn consume(&mut self, written: usize, now: Instant) {
        self.queued -= written;
        self.moved = true;
        self.memory.moved(now);
        let memory = self.pop_written(written);
        self.memory.take(memory);
        if self.queue.is_empty() {
            // A burst's worth of room is not kept for a session that may stay silent for days.
            self.queue = VecDeque::new();
            self.excused = 0;
        }
    }

    /// Takes what is written off the queue. Returns the memory of the pieces that are written in full.
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

    /// Queues all but what is `sent` already. A WebSocket's frames each by itself: where one ends cannot be told from its
    /// middle, and whoever jams is to get the rest of it.
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

    /// Returns the memory that the piece takes, which the caller counts; none if nothing more is queued.
    fn push(&mut self, piece: Piece) -> usize {
        if self.writer.is_none() || self.is_closing() || self.jammed || piece.bytes.is_empty() {
            return 0;
        }
        let memory = piece.memory();
        self.queued += piece.bytes.len();
        self.queue.push_back(piece);
        memory
    }

    fn judge(&mut self) -> Result<(), Trouble> {
        self.excused = self.excused.min(self.queued);
        let due = self.queued - self.excused;
        if due > MOST * self.bounds.limit {
            return Err(Trouble::Full);
        }
        if self.full.rise(due, self.bounds.limit) {
            self.wake_carrier();
        }
        Ok(())
    }
}

/// Runs something that polls sockets and does not wait for them, outside of the scheduler's budget: a courier writes
/// to thousands of sockets in one go, and each has to be tried.
pub fn at_once<T>(mut run: impl FnMut(&mut Context<'_>) -> T) -> T {
    match unconstrained(poll_fn(|cx| Poll::Ready(run(cx)))).now_or_never() {
        Some(outcome) => outcome,
        None => unreachable!("the future above is always ready"),
    }
}

#[cfg(test)]
mod tests;
