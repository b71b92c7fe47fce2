//! [`Window`]: a node's entries that wait, and its one frame that is on its way.
//!
//! The next frame goes out when the one before was read back; what comes meanwhile gathers. A frame is appended again,
//! unchanged, only while no acknowledgement has come; one that was acknowledged is fetched. While the log's server is
//! not connected, nothing is given to its client, because such a client may send it long after.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;

use crate::{
    digest::Checkpoint,
    frame::{Body, Content, Entry, Frame, Instance, MAX_FRAME_BYTES},
    node::timing::{Now, Timing},
};

/// Most bytes of a frame that are not entries: its head (20), the time (10), whether it is joining (1), the checkpoint (36)
/// and the number of entries (3).
const MAX_REST_BYTES: usize = 70;

/// Bytes above which a frame takes no more entries: it has one that is longer, or several that are not. A reader carries out
/// a frame at once, and the outboxes of its clients take several such frames before it knows that one of them is full.
const FULL_FRAME_BYTES: usize = 64 * 1024;

/// A frame on its way.
#[derive(Debug)]
struct OnItsWay {
    number: u64,
    bytes: Vec<u8>,
    first: Duration,
    again_at: Duration,
    pause: Duration,
    /// The position at which the log has taken it.
    acknowledged: Option<u64>,
}

/// The entries that wait, and the frame that is on its way.
#[derive(Debug)]
pub struct Window<E> {
    /// Each with its length.
    waiting: VecDeque<(Entry<E>, usize)>,
    frame: Option<OnItsWay>,
    number: u64,
    last_read_back: u64,
    last_sent: Duration,
    is_due: bool,
}

/// The parts of a frame beside its entries.
#[derive(Debug)]
pub struct Rest {
    /// The writer.
    pub instance: Instance,
    /// Whether the writer is not ready yet.
    pub is_joining: bool,
    /// The writer's progress.
    pub checkpoint: Checkpoint,
}

impl<E: Serialize> Window<E> {
    /// Nothing waits.
    pub fn new(now: Now) -> Self {
        Self {
            waiting: VecDeque::new(),
            frame: None,
            number: 0,
            last_read_back: 0,
            last_sent: now.boot,
            is_due: false,
        }
    }

    /// Adds an entry. Returns whether it fits a frame; one that does not is dropped.
    pub fn push(&mut self, entry: Entry<E>) -> bool {
        let Ok(length) = postcard::serialize_with_flavor(&entry, postcard::ser_flavors::Size::default())
        else {
            return false;
        };
        let fits = length <= MAX_FRAME_BYTES - MAX_REST_BYTES;
        if fits {
            self.waiting.push_back((entry, length));
        }
        fits
    }

    /// Drops what waits and what is on its way, and begins with number 1.
    pub fn reset(&mut self, now: Now) {
        *self = Self::new(now);
    }

    /// Makes the next frame due at once, even if it has no entries.
    pub fn make_due(&mut self) {
        self.is_due = true;
    }

    /// The founding, which has the number 1, was read back.
    pub fn founded(&mut self) {
        (self.number, self.last_read_back) = (1, 1);
    }

    /// The next frame to append, if one is due and none is on its way; or the one on its way, if it is to be appended
    /// again. `says` gives what it says beside its entries.
    pub fn due(&mut self, now: Now, timing: &Timing, says: impl FnOnce() -> Rest) -> Option<Vec<u8>> {
        if let Some(frame) = &mut self.frame {
            if frame.acknowledged.is_some() || now.boot < frame.again_at {
                return None;
            }
            frame.pause = (2 * frame.pause).min(4 * timing.resend);
            frame.again_at = now.boot + frame.pause;
            return Some(frame.bytes.clone());
        }
        if self.waiting.is_empty() && !self.is_due && now.boot < self.last_sent + timing.beat {
            return None;
        }
        let (mut entries, mut length) = (Vec::new(), MAX_REST_BYTES);
        while let Some((entry, more)) = self.waiting.pop_front() {
            if length + more > FULL_FRAME_BYTES && !entries.is_empty() {
                self.waiting.push_front((entry, more));
                break;
            }
            length += more;
            entries.push(entry);
        }
        self.number += 1;
        let Rest { instance, is_joining, checkpoint } = says();
        let body = Body { written: now.wall, is_joining, checkpoint, entries };
        let frame = Frame { instance, number: self.number, content: Content::Body(body) };
        let Ok(bytes) = frame.encode() else { unreachable!("the lengths of its parts were added up") };
        (self.last_sent, self.is_due) = (now.boot, false);
        self.frame = Some(OnItsWay {
            number: self.number,
            bytes: bytes.clone(),
            first: now.boot,
            again_at: now.boot + timing.resend,
            pause: timing.resend,
            acknowledged: None,
        });
        Some(bytes)
    }

    /// Makes the frame on its way, if it was not acknowledged, due again at once.
    pub fn retry(&mut self, now: Now, timing: &Timing) {
        if let Some(frame) = &mut self.frame {
            (frame.again_at, frame.pause) = (now.boot, timing.resend);
        }
    }

    /// The log has taken the frame of this number, at this position. Returns whether it is the one on its way.
    pub fn acknowledge(&mut self, number: u64, position: u64) -> bool {
        let frame = self.frame.as_mut().filter(|frame| frame.number == number);
        frame.map(|frame| frame.acknowledged = Some(position)).is_some()
    }

    /// The log may have lost the frame on its way after it had taken it: it is appended again at once. If the log has it
    /// after all, it is there twice, and counts once.
    pub fn doubt_acknowledgement(&mut self, now: Now) {
        if let Some(frame) = &mut self.frame {
            (frame.acknowledged, frame.again_at) = (None, now.boot);
        }
    }

    /// The frame on its way, if the log has taken it at this position.
    pub fn acknowledged_at(&self, position: u64) -> Option<&[u8]> {
        let frame = self.frame.as_ref().filter(|frame| frame.acknowledged == Some(position))?;
        Some(&frame.bytes)
    }

    /// The position at which the log has taken the frame on its way, if it has.
    pub fn acknowledged(&self) -> Option<u64> {
        self.frame.as_ref()?.acknowledged
    }

    /// A frame of this writer was read back. Returns when it was first appended, if it is the one on its way.
    ///
    /// # Errors
    /// If another frame of this number is on its way: somebody else writes as this instance.
    pub fn read_back(&mut self, number: u64, bytes: &[u8]) -> Result<Option<Duration>, Forged> {
        match &self.frame {
            Some(frame) if frame.number == number && frame.bytes != bytes => Err(Forged),
            Some(frame) if frame.number == number => {
                let first = frame.first;
                self.frame = None;
                self.last_read_back = number;
                Ok(Some(first))
            }
            // One that was appended twice comes back twice.
            _ if number <= self.number => Ok(None),
            _ => Err(Forged),
        }
    }

    /// The number of the newest frame that came back; 0 if there is none.
    pub fn last_read_back(&self) -> u64 {
        self.last_read_back
    }

    /// When [`Self::due`] may have something.
    pub fn deadline(&self, timing: &Timing) -> Option<Duration> {
        match &self.frame {
            Some(frame) if frame.acknowledged.is_some() => None,
            Some(frame) => Some(frame.again_at),
            None => Some(self.last_sent + timing.beat),
        }
    }
}

/// A frame has the instance and the number of one on its way, and other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn longest() -> Rest {
        let checkpoint = Checkpoint { position: u64::MAX, digest: Digest([255; 16]), fingerprint: u64::MAX };
        Rest { instance: Instance(u64::MAX), is_joining: true, checkpoint }
    }

    #[test]
    fn a_frame_takes_entries_until_it_is_full_and_one_of_any_length_that_fits() {
        let now = Now { boot: Duration::from_secs(9), wall: u64::MAX };
        let mut window = Window::<Vec<u8>>::new(now);
        // One byte tells the kind of the entry, and three the length of its bytes.
        let bytes = MAX_FRAME_BYTES - MAX_REST_BYTES - 4;
        assert!(!window.push(Entry::Table(vec![0; bytes + 1])));
        assert!(window.push(Entry::Table(vec![0; bytes])));
        assert!(window.push(Entry::Bye));
        let frame = window.due(now, &Timing::default(), longest).map(|frame| frame.len());
        // The number of one entry takes one byte of three.
        assert_eq!(frame, Some(MAX_FRAME_BYTES - 2));
        assert_eq!(window.waiting.len(), 1, "what does not fit goes into the next frame");

        let mut window = Window::<Vec<u8>>::new(now);
        for _ in 0..MAX_FRAME_BYTES {
            window.push(Entry::Bye);
        }
        let frame = window.due(now, &Timing::default(), longest).map(|frame| frame.len());
        assert_eq!(frame, Some(FULL_FRAME_BYTES), "entries of one byte each");
    }
}
