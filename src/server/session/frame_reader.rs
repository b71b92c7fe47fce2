//! [`FrameReader`]: the reading side of a session, which turns bytes into frames.
//!
//! All sessions of an arbiter read into one buffer, so an idle session holds none. At most `limits.inflight_bytes` of a
//! session's work are with the registry. While more than half of that is there, the frame reader reads nothing: the bytes
//! stay in the kernel, and TCP slows the sender.
//!
//! Between two reads, it yields once if the last read brought [`MAX_JUNK_PER_TURN`], waits until half of the credit is
//! free, and decodes the bytes that are left. If a read brings nothing, it checks the timeouts of silence, line and
//! idleness.

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

use arauto_protocol::{Frame, FrameDecoder, Kind};
use bytes::{BufMut, BytesMut};
use futures_util::Stream;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_util::{codec::Decoder, io::poll_read_buf};

use super::read_timeouts::{Deadlines, ReadTimeouts, TimedOut};
use crate::server::net::connection::ReceiveHalf;

/// Maximum number of bytes in one read.
const READ_BYTES: usize = 64 * 1024;

/// Least cost of a line against `limits.inflight_bytes`, in bytes.
const MIN_COST: u32 = 64;

/// Bytes that produced no frame after which a session yields to the others on its thread. By itself, tokio would let it
/// do more than 100 reads before others run.
const MAX_JUNK_PER_TURN: usize = 4 * 1024;

/// How often a frame reader that waits for credit checks whether the connection broke. The reactor is no help: it would
/// report unread bytes at once.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Length of the longest line ending (CR LF), in bytes.
const ENDING_BYTES: usize = 2;

/// Set whenever bytes arrive from the other end, and while the frame reader waits for credit and does not read.
pub type Pulse = Rc<Cell<bool>>;

/// The buffer that all frame readers of an arbiter read into.
pub type ReadBuffer = Rc<RefCell<BytesMut>>;

/// An event of the frame reader.
#[derive(Debug)]
pub enum ReadEvent {
    /// The content of one read.
    Read(Read),
    /// No data came for `limits.idle_timeout`.
    Idle,
    /// The other end stopped sending, perhaps in the middle of a line, or the connection broke.
    End(io::Result<Option<Frame>>),
}

/// The content of one read.
#[derive(Debug)]
pub struct Read {
    /// The frames.
    pub frames: Vec<Frame>,
    /// Bytes to send back that belong to no message, such as telnet's answers.
    pub replies: Vec<u8>,
    /// Number of bytes in no frame, not counting a line ending for each frame: empty lines, telnet commands, dropped
    /// data.
    pub junk_bytes: usize,
    /// Kind of client, as far as it is known by now.
    pub kind: Kind,
    /// The frames' share of `limits.inflight_bytes`.
    pub credit: OwnedSemaphorePermit,
}

/// A pending wait for credit.
struct Acquire {
    permit: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>>>>,
    /// When to check the connection next.
    look: Pin<Box<Sleep>>,
}

/// The reading side of a session.
pub struct FrameReader<R> {
    reader: R,
    decoder: FrameDecoder,
    /// The beginning of an unfinished line, or bytes that there was no credit to decode.
    rest: BytesMut,
    /// `rest` may hold complete lines.
    undecoded: bool,
    buffer: ReadBuffer,
    credit: Arc<Semaphore>,
    /// Total credit of the session, in bytes.
    most: u32,
    /// The last read had at least `MAX_JUNK_PER_TURN` bytes that produced no frame, so other tasks on this thread run
    /// first. Bytes that make messages are limited by credit instead.
    must_yield: bool,
    /// Present while the frame reader waits for credit.
    acquiring: Option<Box<Acquire>>,
    timeouts: Rc<ReadTimeouts>,
    deadlines: Deadlines,
    /// Present for WebSockets, whose pings need it.
    pulse: Option<Pulse>,
    ended: bool,
}

impl<R: ReceiveHalf> FrameReader<R> {
    /// A frame reader that decodes the bytes `read` before and then those from `reader`. At most `inflight_bytes` of
    /// its frames are with the Registry at a time.
    pub fn new(
        reader: R,
        buffer: ReadBuffer,
        decoder: FrameDecoder,
        read: BytesMut,
        inflight_bytes: usize,
        timeouts: Rc<ReadTimeouts>,
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
            must_yield: false,
            acquiring: None,
            timeouts,
            deadlines: Deadlines::default(),
            pulse: None,
            ended: false,
        }
    }

    /// Sets `pulse` from now on when bytes arrive.
    pub fn set_pulse(&mut self, pulse: Pulse) {
        self.pulse = Some(pulse);
    }

    fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.set(true);
        }
    }

    /// Kind of client, as far as it is known by now.
    pub fn kind(&self) -> Kind {
        self.decoder.kind()
    }

    /// Waits until half of the credit is available, so that reads are not small. Returns the available credit.
    ///
    /// # Errors
    /// If the connection breaks while the frame reader waits.
    fn poll_credit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u32>> {
        let enough = self.most.div_ceil(2);
        loop {
            if let Some(acquire) = &mut self.acquiring {
                // The permit is only waited for; dropping it returns it at once.
                if acquire.permit.as_mut().poll(cx).is_pending() {
                    if let Some(pulse) = &self.pulse {
                        pulse.set(true);
                    }
                    ready!(acquire.look.as_mut().poll(cx));
                    if let Some(error) = self.reader.take_error()? {
                        return Poll::Ready(Err(error));
                    }
                    acquire.look.set(sleep(CHECK_INTERVAL));
                    continue;
                }
                self.acquiring = None;
            }
            let available = self.credit.available_permits();
            if available >= enough as usize {
                return Poll::Ready(Ok(u32::try_from(available).unwrap_or(u32::MAX)));
            }
            let permit = Box::pin(Arc::clone(&self.credit).acquire_many_owned(enough));
            self.acquiring = Some(Box::new(Acquire { permit, look: Box::pin(sleep(CHECK_INTERVAL)) }));
        }
    }

    /// Reads once into the shared buffer, behind the rest of the last read.
    fn poll_read(&mut self, credit: u32, cx: &mut Context<'_>) -> Poll<io::Result<ReadEvent>> {
        let shared = Rc::clone(&self.buffer);
        let mut buffer = shared.borrow_mut();
        self.put_rest(&mut buffer);
        let read = {
            let mut room = (&mut *buffer).limit(READ_BYTES);
            ready!(poll_read_buf(Pin::new(&mut self.reader), cx, &mut room))?
        };
        if read == 0 {
            self.ended = true;
            return Poll::Ready(Ok(ReadEvent::End(self.decoder.decode_eof(&mut buffer))));
        }
        self.beat();
        Poll::Ready(self.decode(&mut buffer, credit))
    }

    /// Decodes bytes that were read before.
    fn go_on(&mut self, credit: u32) -> io::Result<ReadEvent> {
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

    /// Takes frames off the buffer until no complete one is left, or until their cost reaches `credit`.
    fn decode(&mut self, buffer: &mut BytesMut, credit: u32) -> io::Result<ReadEvent> {
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
        let ReadTimeouts { silence, idle, .. } = *self.timeouts;
        let idle_counts = !idle.is_zero() && self.decoder.is_past_first_line();
        if self.decoder.take_heard() {
            self.deadlines.begin(silence_counts.then_some(silence), idle_counts.then_some(idle));
        }
        self.rest = BytesMut::from(&buffer[..]);
        let junk_bytes = (before - buffer.len()).saturating_sub(in_frames);
        self.must_yield = junk_bytes >= MAX_JUNK_PER_TURN;
        Ok(self.read_event(frames, junk_bytes, cost.min(credit)))
    }

    /// Polls the timeouts while no bytes come.
    fn poll_timeouts(&mut self, credit: u32, cx: &mut Context<'_>) -> Poll<ReadEvent> {
        if !self.timeouts.line.is_zero() {
            self.deadlines.watch_line(self.decoder.unfinished_line(&self.rest), self.timeouts.line);
        }
        Poll::Ready(match ready!(self.deadlines.poll(cx)) {
            // After enough silence, the bytes read so far are one message.
            TimedOut::Silence => self.end_line(credit, FrameDecoder::silence),
            TimedOut::Line => self.end_line(credit, |decoder, rest| Some(decoder.abandon(rest))),
            TimedOut::Idle => ReadEvent::Idle,
        })
    }

    /// Ends a line without a line ending, which may make a frame of it.
    fn end_line(
        &mut self,
        credit: u32,
        end: impl FnOnce(&mut FrameDecoder, &mut BytesMut) -> Option<Frame>,
    ) -> ReadEvent {
        let mut rest = std::mem::take(&mut self.rest);
        let frames: Vec<Frame> = end(&mut self.decoder, &mut rest).into_iter().collect();
        self.rest = rest;
        let cost = frames.iter().map(cost_of).sum::<u32>().min(credit);
        self.read_event(frames, 0, cost)
    }

    /// Ends the frame reader with an error.
    fn end(&mut self, error: io::Error) -> ReadEvent {
        self.ended = true;
        ReadEvent::End(Err(error))
    }

    fn read_event(&mut self, frames: Vec<Frame>, junk_bytes: usize, cost: u32) -> ReadEvent {
        match Arc::clone(&self.credit).try_acquire_many_owned(cost) {
            Ok(credit) => ReadEvent::Read(Read {
                frames,
                junk_bytes,
                replies: self.decoder.take_replies(),
                kind: self.decoder.kind(),
                credit,
            }),
            Err(_) => unreachable!("no more is taken than there is credit for, and only here"),
        }
    }
}

/// Number of bytes in a line; 0 for other frames, because dropped bytes are not counted.
pub fn bytes_of(frame: &Frame) -> usize {
    if let Frame::Line(line) = frame { line.len() } else { 0 }
}

/// Cost of a frame in credit. A short line costs as much work as a longer one, and its answer can be longer than
/// itself.
fn cost_of(frame: &Frame) -> u32 {
    u32::try_from(bytes_of(frame)).unwrap_or(u32::MAX).max(MIN_COST)
}

impl<R: ReceiveHalf> Stream for FrameReader<R> {
    type Item = ReadEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ReadEvent>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut this.must_yield) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let credit = match ready!(this.poll_credit(cx)) {
            Ok(credit) => credit,
            Err(error) => return Poll::Ready(Some(this.end(error))),
        };
        if this.undecoded {
            return Poll::Ready(Some(this.go_on(credit).unwrap_or_else(|error| ReadEvent::End(Err(error)))));
        }
        match this.poll_read(credit, cx) {
            Poll::Ready(Ok(read_event)) => Poll::Ready(Some(read_event)),
            Poll::Ready(Err(error)) => Poll::Ready(Some(this.end(error))),
            Poll::Pending => this.poll_timeouts(credit, cx).map(Some),
        }
    }
}

#[cfg(test)]
mod tests;
