//! [`Inbox`]: one session's reads, as frames.
//!
//! All sessions of an arbiter read into one buffer, so an idle session holds none. At most `limits.inflight_bytes` of a
//! session's work are with the registry. While more than half of that is, it reads nothing: the bytes stay with the
//! kernel, and TCP slows the sender.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use futures_util::Stream;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_util::{codec::Decoder, io::poll_read_buf};

use super::{
    connection::ReceiveHalf,
    patience::{Lapse, Patience, Waits},
};
use crate::protocol::{Frame, FrameDecoder, Kind};

/// The most that is read at once.
const READ_BYTES: usize = 64 * 1024;

/// The least that a line counts for against `limits.inflight_bytes`.
const LEAST_COST: u32 = 64;

/// What one session may have read for nothing before the others on its thread get their turn; tokio alone would let it
/// read more than a hundred times before that.
const WASTE_A_TURN: usize = 4 * 1024;

/// While nothing is read, how often it is asked whether the connection broke. The reactor cannot be waited for: it would
/// tell at once that there is something to read.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The longest ending of a line.
const ENDING_BYTES: usize = 2;

/// Set whenever something comes from a connection's other end, and while the server itself does not read.
pub type Pulse = Rc<Cell<bool>>;

/// The buffer that all inboxes of an arbiter read into.
pub type ReadBuffer = Rc<RefCell<BytesMut>>;

/// What came in.
#[derive(Debug)]
pub enum Intake {
    /// One read.
    Read(Read),
    /// Nothing came for `limits.idle_timeout`.
    Idle,
    /// The other end stopped sending, or the connection broke.
    End(io::Result<Option<Frame>>),
}

/// What one read held.
#[derive(Debug)]
pub struct Read {
    /// Its frames.
    pub frames: Vec<Frame>,
    /// What to send back outside of all messages.
    pub replies: Vec<u8>,
    /// Bytes that are in no frame, beside an ending for each: empty lines, telnet's commands, what is dropped.
    pub waste: usize,
    /// What kind of client it is known to be by now.
    pub kind: Kind,
    /// Its share of `limits.inflight_bytes`.
    pub credit: OwnedSemaphorePermit,
}

/// A wait for credit.
struct Acquire {
    permit: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>>>>,
    /// When to look at the connection.
    look: Pin<Box<Sleep>>,
}

/// The reading side of a session.
pub struct Inbox<R> {
    reader: R,
    decoder: FrameDecoder,
    /// The beginning of a line whose end has not come yet, or what there was no credit to decode.
    rest: BytesMut,
    /// `rest` may hold whole lines.
    undecoded: bool,
    buffer: ReadBuffer,
    credit: Arc<Semaphore>,
    /// The credit there is at the most.
    most: u32,
    /// So much was read for nothing that others on this thread come first. What makes messages is held back by credit.
    owes_a_turn: bool,
    /// Waiting for credit.
    acquiring: Option<Box<Acquire>>,
    patience: Rc<Patience>,
    waits: Waits,
    /// Present where somebody watches it.
    pulse: Option<Pulse>,
    ended: bool,
}

impl<R: ReceiveHalf> Inbox<R> {
    /// Has `decoder` make frames of what was `read` before and of what comes, with at most `inflight_bytes` of them not yet
    /// carried out.
    pub fn new(
        reader: R,
        buffer: ReadBuffer,
        decoder: FrameDecoder,
        read: BytesMut,
        inflight_bytes: usize,
        patience: Rc<Patience>,
    ) -> Self {
        let most = u32::try_from(inflight_bytes).unwrap_or(u32::MAX);
        Self {
            reader,
            decoder,
            undecoded: !read.is_empty(),
            rest: read,
            buffer,
            credit: Arc::new(Semaphore::new(most as usize)),
            most,
            owes_a_turn: false,
            acquiring: None,
            patience,
            waits: Waits::default(),
            pulse: None,
            ended: false,
        }
    }

    /// Sets this pulse from now on.
    pub fn set_pulse(&mut self, pulse: Pulse) {
        self.pulse = Some(pulse);
    }

    fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.set(true);
        }
    }

    /// What kind of client it is known to be by now.
    pub fn kind(&self) -> Kind {
        self.decoder.kind()
    }

    /// Waits until half of the credit is there, so that reads do not come in crumbs.
    ///
    /// # Errors
    /// If the connection breaks meanwhile.
    fn poll_credit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u32>> {
        let enough = self.most.div_ceil(2);
        loop {
            if let Some(acquire) = &mut self.acquiring {
                // What is acquired is given back at once: this only waits.
                if acquire.permit.as_mut().poll(cx).is_pending() {
                    if let Some(pulse) = &self.pulse {
                        pulse.set(true);
                    }
                    ready!(acquire.look.as_mut().poll(cx));
                    if let Some(error) = self.reader.take_error()? {
                        return Poll::Ready(Err(error));
                    }
                    acquire.look.set(sleep(LOOK_EVERY));
                    continue;
                }
                self.acquiring = None;
            }
            let available = self.credit.available_permits();
            if available >= enough as usize {
                return Poll::Ready(Ok(u32::try_from(available).unwrap_or(u32::MAX)));
            }
            let permit = Box::pin(Arc::clone(&self.credit).acquire_many_owned(enough));
            self.acquiring = Some(Box::new(Acquire { permit, look: Box::pin(sleep(LOOK_EVERY)) }));
        }
    }

    /// One read into the shared buffer, behind the beginning of the line that was left from the last.
    fn poll_read(&mut self, credit: u32, cx: &mut Context<'_>) -> Poll<io::Result<Intake>> {
        let shared = Rc::clone(&self.buffer);
        let mut buffer = shared.borrow_mut();
        self.put_rest(&mut buffer);
        let read = {
            let mut room = (&mut *buffer).limit(READ_BYTES);
            ready!(poll_read_buf(Pin::new(&mut self.reader), cx, &mut room))?
        };
        if read == 0 {
            self.ended = true;
            return Poll::Ready(Ok(Intake::End(self.decoder.decode_eof(&mut buffer))));
        }
        self.beat();
        Poll::Ready(self.decode(&mut buffer, credit))
    }

    /// What was read before and is not decoded yet.
    fn go_on(&mut self, credit: u32) -> io::Result<Intake> {
        let shared = Rc::clone(&self.buffer);
        let mut buffer = shared.borrow_mut();
        self.put_rest(&mut buffer);
        self.decode(&mut buffer, credit)
    }

    fn put_rest(&self, buffer: &mut BytesMut) {
        buffer.clear();
        buffer.reserve(READ_BYTES + self.rest.len());
        buffer.extend_from_slice(&self.rest);
    }

    /// Takes frames off the buffer until it holds none, or until they cost as much as there is credit for.
    fn decode(&mut self, buffer: &mut BytesMut, credit: u32) -> io::Result<Intake> {
        let mut frames = Vec::new();
        let (mut cost, mut in_frames) = (0, 0);
        let before = buffer.len();
        self.undecoded = loop {
            match self.decoder.decode(buffer)? {
                Some(frame) => {
                    cost += cost_of(&frame);
                    in_frames += bytes_of(&frame) + ENDING_BYTES;
                    frames.push(frame);
                    if cost >= credit {
                        break !buffer.is_empty();
                    }
                }
                None => break false,
            }
        };
        let silence_counts = !self.undecoded && self.decoder.read_done(buffer);
        let Patience { silence, idle, .. } = *self.patience;
        let idle_counts = !idle.is_zero() && self.decoder.is_past_first_line();
        if self.decoder.take_heard() {
            self.waits.begin(silence_counts.then_some(silence), idle_counts.then_some(idle));
        }
        self.rest = BytesMut::from(&buffer[..]);
        let waste = (before - buffer.len()).saturating_sub(in_frames);
        self.owes_a_turn = waste >= WASTE_A_TURN;
        Ok(self.intake(frames, waste, cost.min(credit)))
    }

    /// What is waited for besides bytes, while none come.
    fn poll_lapse(&mut self, credit: u32, cx: &mut Context<'_>) -> Poll<Intake> {
        if !self.patience.line.is_zero() {
            self.waits.watch_line(self.decoder.unfinished_line(&self.rest), self.patience.line);
        }
        Poll::Ready(match ready!(self.waits.poll(cx)) {
            // Nothing came for long enough: what there is is a message.
            Lapse::Silence => self.end_line(credit, FrameDecoder::silence),
            Lapse::Line => self.end_line(credit, |decoder, rest| Some(decoder.abandon(rest))),
            Lapse::Idle => Intake::Idle,
        })
    }

    /// Makes something of what there is of a line that has no end.
    fn end_line(
        &mut self,
        credit: u32,
        end: impl FnOnce(&mut FrameDecoder, &mut BytesMut) -> Option<Frame>,
    ) -> Intake {
        let mut rest = std::mem::take(&mut self.rest);
        let frames: Vec<Frame> = end(&mut self.decoder, &mut rest).into_iter().collect();
        self.rest = rest;
        let cost = frames.iter().map(cost_of).sum::<u32>().min(credit);
        self.intake(frames, 0, cost)
    }

    /// The end by an error.
    fn end(&mut self, error: io::Error) -> Intake {
        self.ended = true;
        Intake::End(Err(error))
    }

    fn intake(&mut self, frames: Vec<Frame>, waste: usize, cost: u32) -> Intake {
        match Arc::clone(&self.credit).try_acquire_many_owned(cost) {
            Ok(credit) => Intake::Read(Read {
                frames,
                waste,
                replies: self.decoder.take_replies(),
                kind: self.decoder.kind(),
                credit,
            }),
            Err(_) => unreachable!("no more is taken than there is credit for, and only here"),
        }
    }
}

/// The bytes of a line. Of what was dropped, nobody knows how many there were.
pub fn bytes_of(frame: &Frame) -> usize {
    if let Frame::Line(line) = frame { line.len() } else { 0 }
}

/// What a frame counts for. A short line costs as much work as a longer one, and its answer can be longer than itself.
fn cost_of(frame: &Frame) -> u32 {
    u32::try_from(bytes_of(frame)).unwrap_or(u32::MAX).max(LEAST_COST)
}

impl<R: ReceiveHalf> Stream for Inbox<R> {
    type Item = Intake;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Intake>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut this.owes_a_turn) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let credit = match ready!(this.poll_credit(cx)) {
            Ok(credit) => credit,
            Err(error) => return Poll::Ready(Some(this.end(error))),
        };
        if this.undecoded {
            return Poll::Ready(Some(this.go_on(credit).unwrap_or_else(|error| Intake::End(Err(error)))));
        }
        match this.poll_read(credit, cx) {
            Poll::Ready(Ok(intake)) => Poll::Ready(Some(intake)),
            Poll::Ready(Err(error)) => Poll::Ready(Some(this.end(error))),
            Poll::Pending => this.poll_lapse(credit, cx).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
