//! [`Outgoing`]: the output queue of one RTSP connection: responses, and audio between them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Buf, Bytes};

/// The most bytes queued for one connection, some seconds of audio. If a player is paused or slow, so that the queue is
/// full, the queued audio is dropped, and so is new audio until the player has taken the rest.
pub const MAX_WAITING: usize = 512 * 1024;

/// While this many bytes are queued, no further request is read.
const MAX_BEFORE_READ: usize = 64 * 1024;

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The stream has ended: queued output is written, and the client has a moment to close the connection itself.
    Over,
    /// As soon as the queued output is written.
    Now,
}

/// The queue. The stream fills it, and the connection's task empties it.
#[derive(Debug, Default)]
pub struct Outgoing(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Part>,
    bytes: usize,
    /// Datagrams are dropped until the queue is empty.
    is_behind: bool,
    end: Option<End>,
    waker: Option<Waker>,
}

/// A response, or a datagram in its frame.
#[derive(Debug)]
struct Part {
    bytes: Bytes,
    may_be_dropped: bool,
}

impl State {
    fn push(&mut self, part: Part) {
        self.bytes += part.bytes.len();
        self.parts.push_back(part);
        self.wake();
    }

    /// Drops all datagrams except the first part, which may be partly written.
    fn drop_datagrams(&mut self) {
        let mut is_first = true;
        self.parts.retain(|part| std::mem::take(&mut is_first) || !part.may_be_dropped);
        self.bytes = self.parts.iter().map(|part| part.bytes.len()).sum();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Outgoing {
    /// Queues a response. Responses are bounded because [`Self::has_room`] stops the reading of requests.
    pub fn answer(&self, bytes: Vec<u8>) {
        self.0.borrow_mut().push(Part { bytes: bytes.into(), may_be_dropped: false });
    }

    /// Queues a datagram in a frame. Returns whether it was queued: not if the queue is full, and then not until it is
    /// empty.
    pub fn frame(&self, bytes: Bytes) -> bool {
        let mut state = self.0.borrow_mut();
        if state.end.is_some() {
            return false;
        }
        state.is_behind &= !state.parts.is_empty();
        if !state.is_behind && state.bytes + bytes.len() > MAX_WAITING {
            state.is_behind = true;
            state.drop_datagrams();
        }
        if state.is_behind {
            return false;
        }
        state.push(Part { bytes, may_be_dropped: true });
        true
    }

    /// Queues a datagram that ends the audio. Later overflows do not drop it.
    pub fn last_frame(&self, bytes: Bytes) {
        let mut state = self.0.borrow_mut();
        if state.end.is_none() {
            state.push(Part { bytes, may_be_dropped: false });
        }
    }

    /// Requests the end of the connection. The first request counts, but [`End::Now`] replaces [`End::Over`].
    pub fn end(&self, end: End) {
        let mut state = self.0.borrow_mut();
        if matches!((state.end, end), (None, _) | (Some(End::Over), End::Now)) {
            state.end = Some(end);
            state.wake();
        }
    }

    /// How the connection is to end, if an end was requested.
    pub fn ending(&self) -> Option<End> {
        self.0.borrow().end
    }

    /// Whether a further request may be read.
    pub fn has_room(&self) -> bool {
        self.0.borrow().bytes < MAX_BEFORE_READ
    }

    /// Whether all output is written.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().parts.is_empty()
    }

    /// The bytes to write next. Cheap, because they are shared.
    pub fn front(&self) -> Option<Bytes> {
        self.0.borrow().parts.front().map(|part| part.bytes.clone())
    }

    /// Removes bytes of the first part that were written.
    pub fn written(&self, bytes: usize) {
        let mut state = self.0.borrow_mut();
        let bytes = bytes.min(state.parts.front().map_or(0, |part| part.bytes.len()));
        state.bytes -= bytes;
        if let Some(front) = state.parts.front_mut() {
            front.bytes.advance(bytes);
            if front.bytes.is_empty() {
                state.parts.pop_front();
            }
        }
    }

    /// Wakes this task when more output is queued or an end is requested.
    pub fn listen(&self, cx: &Context<'_>) {
        self.0.borrow_mut().waker = Some(cx.waker().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lags_misses_datagrams_and_no_answer() {
        let outgoing = Outgoing::default();
        outgoing.answer(b"abc".to_vec());
        outgoing.written(2);
        assert_eq!(outgoing.front().as_deref(), Some(&b"c"[..]));
        outgoing.written(1);
        assert!(outgoing.is_empty());
        let frame = Bytes::from(vec![0; 1024]);
        assert!(outgoing.frame(frame.clone()));
        outgoing.written(24);
        outgoing.answer(b"abc".to_vec());
        let taken = (0..600).filter(|_| outgoing.frame(frame.clone())).count();
        assert_eq!(taken, MAX_WAITING / 1024 - 1);
        assert_eq!(outgoing.0.borrow().bytes, 1_000 + 3);
        outgoing.last_frame(Bytes::from_static(b"bye"));
        // The partly written part is completed, then what must not be lost; after that, datagrams are queued again.
        for part in [&[0; 1_000][..], b"abc", b"bye"] {
            assert!(!outgoing.frame(frame.clone()));
            assert_eq!(outgoing.front().as_deref(), Some(part));
            outgoing.written(part.len());
        }
        assert!(outgoing.frame(frame.clone()));
        assert_eq!(outgoing.front(), Some(frame));
    }

    #[test]
    fn an_end_comes_after_what_waits() {
        let outgoing = Outgoing::default();
        assert!(outgoing.frame(Bytes::from_static(b"$")));
        outgoing.end(End::Over);
        assert!(!outgoing.frame(Bytes::from_static(b"$")) && !outgoing.is_empty());
        outgoing.end(End::Now);
        assert_eq!(outgoing.ending(), Some(End::Now));
    }
}
