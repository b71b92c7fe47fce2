//! [`Outgoing`]: what waits to be written to an RTSP connection: answers, and sound between them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    task::{Context, Waker},
};

use bytes::{Buf, Bytes};

/// The most bytes of sound that wait for one connection: some seconds. Who takes less than comes is cut.
pub const MOST_WAITING: usize = 512 * 1024;

/// While so many bytes wait, no further request is read.
const MUCH: usize = 64 * 1024;

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The stream is over: what waits is written, and the other end has a moment to leave by itself.
    Over,
    /// At once after what waits.
    Now,
    /// It lagged: what waits is given up.
    Lagged,
}

/// The queue. The stream fills it, the connection's task empties it.
#[derive(Debug, Default)]
pub struct Outgoing(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Bytes>,
    bytes: usize,
    end: Option<End>,
    waker: Option<Waker>,
}

impl State {
    fn push(&mut self, part: Bytes) {
        self.bytes += part.len();
        self.parts.push_back(part);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Outgoing {
    /// An answer to a request; as many as are read wait.
    pub fn answer(&self, bytes: Vec<u8>) {
        self.0.borrow_mut().push(bytes.into());
    }

    /// A datagram in a frame. If too much waits, the connection ends instead. Returns whether it was taken.
    pub fn frame(&self, bytes: Bytes) -> bool {
        let mut state = self.0.borrow_mut();
        if state.end.is_some() {
            return false;
        }
        if state.bytes + bytes.len() > MOST_WAITING {
            state.parts.clear();
            state.bytes = 0;
            state.end = Some(End::Lagged);
            state.wake();
            return false;
        }
        state.push(bytes);
        true
    }

    /// Ends the connection. The first end that is asked for counts, but for one that is sooner.
    pub fn end(&self, end: End) {
        let mut state = self.0.borrow_mut();
        if matches!((state.end, end), (None, _) | (Some(End::Over), End::Now)) {
            state.end = Some(end);
            state.wake();
        }
    }

    /// How it is to end, if it is.
    pub fn ending(&self) -> Option<End> {
        self.0.borrow().end
    }

    /// Whether a further request may be read.
    pub fn has_room(&self) -> bool {
        self.0.borrow().bytes < MUCH
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().parts.is_empty()
    }

    /// What is to be written next. Cheap: the bytes are shared.
    pub fn front(&self) -> Option<Bytes> {
        self.0.borrow().parts.front().cloned()
    }

    /// So many bytes of the first part were written.
    pub fn written(&self, bytes: usize) {
        let mut state = self.0.borrow_mut();
        let bytes = bytes.min(state.parts.front().map_or(0, Bytes::len));
        state.bytes -= bytes;
        if let Some(front) = state.parts.front_mut() {
            front.advance(bytes);
            if front.is_empty() {
                state.parts.pop_front();
            }
        }
    }

    /// Wakes this task when there is more, or an end.
    pub fn listen(&self, cx: &Context<'_>) {
        self.0.borrow_mut().waker = Some(cx.waker().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lags_is_cut_and_answers_are_not_lost_before() {
        let outgoing = Outgoing::default();
        outgoing.answer(b"abc".to_vec());
        outgoing.written(2);
        assert_eq!(outgoing.front().as_deref(), Some(&b"c"[..]));
        outgoing.written(1);
        assert!(outgoing.is_empty());
        let frame = Bytes::from(vec![0; 1024]);
        let taken = (0..600).filter(|_| outgoing.frame(frame.clone())).count();
        assert_eq!(taken, MOST_WAITING / 1024);
        assert!(outgoing.is_empty() && outgoing.ending() == Some(End::Lagged));
        outgoing.end(End::Now);
        assert_eq!(outgoing.ending(), Some(End::Lagged));
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
