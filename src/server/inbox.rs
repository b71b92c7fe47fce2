//! [`Inbox`]: one session's reads, as frames.
//!
//! All sessions of an arbiter read into one buffer, so an idle session holds none. A session reads only while the
//! registry has less than `limits.inflight_bytes` of its work; otherwise the bytes stay with the kernel, and TCP
//! slows the sender.

use std::{
    cell::RefCell,
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

use super::connection::ReceiveHalf;
use crate::protocol::{Frame, FrameDecoder, Kind};

/// The most that is read at once.
const READ_BYTES: usize = 64 * 1024;

/// The buffer that all inboxes of an arbiter read into.
pub type ReadBuffer = Rc<RefCell<BytesMut>>;

/// What came in.
#[derive(Debug)]
pub enum Intake {
    /// One read.
    Read(Read),
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
    /// What kind of client it is known to be by now.
    pub kind: Kind,
    /// The read's share of `limits.inflight_bytes`.
    pub credit: OwnedSemaphorePermit,
}

type Acquire = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>>>>;

/// The reading side of a session.
pub struct Inbox<R> {
    reader: R,
    decoder: FrameDecoder,
    /// The beginning of a line whose end has not come yet.
    rest: BytesMut,
    buffer: ReadBuffer,
    credit: Arc<Semaphore>,
    /// The credit there is at the most.
    most: u32,
    /// Waiting for credit.
    acquiring: Option<Acquire>,
    /// Waiting for silence.
    silence: Option<Pin<Box<Sleep>>>,
    silence_length: Duration,
    ended: bool,
}

impl<R: ReceiveHalf> Inbox<R> {
    /// Reads lines of at most `message_bytes`, with at most `inflight_bytes` of them not yet carried out.
    pub fn new(
        reader: R,
        buffer: ReadBuffer,
        message_bytes: usize,
        inflight_bytes: usize,
        silence_length: Duration,
    ) -> Self {
        let most = u32::try_from(inflight_bytes).unwrap_or(u32::MAX);
        Self {
            reader,
            decoder: FrameDecoder::new(message_bytes),
            rest: BytesMut::new(),
            buffer,
            credit: Arc::new(Semaphore::new(most as usize)),
            most,
            acquiring: None,
            silence: None,
            silence_length,
            ended: false,
        }
    }

    /// Waits until half of the credit is there, so that reads do not come in crumbs.
    fn poll_credit(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let enough = self.most.div_ceil(2);
        loop {
            if let Some(acquire) = &mut self.acquiring {
                // What is acquired is given back at once: this only waits.
                let _ = ready!(acquire.as_mut().poll(cx));
                self.acquiring = None;
            }
            let available = self.credit.available_permits();
            if available >= enough as usize {
                return Poll::Ready(available);
            }
            self.acquiring = Some(Box::pin(Arc::clone(&self.credit).acquire_many_owned(enough)));
        }
    }

    /// One read into the shared buffer, behind the beginning of the line that was left from the last.
    fn poll_read(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<Intake>> {
        let shared = Rc::clone(&self.buffer);
        let mut buffer = shared.borrow_mut();
        buffer.clear();
        buffer.reserve(READ_BYTES);
        buffer.extend_from_slice(&self.rest);
        let read = {
            let mut room = (&mut *buffer).limit(most.min(READ_BYTES));
            ready!(poll_read_buf(Pin::new(&mut self.reader), cx, &mut room))?
        };
        self.silence = None;
        if read == 0 {
            self.ended = true;
            return Poll::Ready(Ok(Intake::End(self.decoder.decode_eof(&mut buffer))));
        }
        let mut frames = Vec::new();
        while let Some(frame) = self.decoder.decode(&mut buffer)? {
            frames.push(frame);
        }
        if self.decoder.read_done(&buffer) {
            self.silence = Some(Box::pin(sleep(self.silence_length)));
        }
        self.rest = BytesMut::from(&buffer[..]);
        Poll::Ready(Ok(self.intake(frames, read)))
    }

    /// Nothing came for long enough: what there is is a message.
    fn fall_silent(&mut self) -> Intake {
        self.silence = None;
        let mut rest = std::mem::take(&mut self.rest);
        let frames = self.decoder.silence(&mut rest).into_iter().collect();
        self.rest = rest;
        self.intake(frames, 0)
    }

    fn intake(&mut self, frames: Vec<Frame>, bytes: usize) -> Intake {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        match Arc::clone(&self.credit).try_acquire_many_owned(bytes) {
            Ok(credit) => Intake::Read(Read {
                frames,
                replies: self.decoder.take_replies(),
                kind: self.decoder.kind(),
                credit,
            }),
            Err(_) => unreachable!("no more is read than there is credit for"),
        }
    }
}

impl<R: ReceiveHalf> Stream for Inbox<R> {
    type Item = Intake;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Intake>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let most = ready!(this.poll_credit(cx));
        match this.poll_read(most, cx) {
            Poll::Ready(Ok(intake)) => Poll::Ready(Some(intake)),
            Poll::Ready(Err(error)) => {
                this.ended = true;
                Poll::Ready(Some(Intake::End(Err(error))))
            }
            Poll::Pending => {
                let Some(silence) = &mut this.silence else { return Poll::Pending };
                ready!(silence.as_mut().poll(cx));
                Poll::Ready(Some(this.fall_silent()))
            }
        }
    }
}
