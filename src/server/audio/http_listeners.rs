//! [`Audience`]: the listeners of a stream by HTTP, and the last second of audio, which new listeners receive at once.

use std::{collections::VecDeque, time::Duration};

use arauto_rtsp::{
    Format,
    payload::{Unit, Unpacker},
};
use bytes::Bytes;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::Instant,
};

use super::{
    container::Packer,
    keys::Hold,
    rewrite::{Rtp, is_after},
    rtsp::MAX_PAUSE,
};

/// The most chunks queued for a listener, one for each datagram: 3 s of MP3 at one frame each, about 180 KiB at 1,400
/// bytes each. If its player is paused or slow, so that the queue is full, audio is left out until the listener has
/// taken all chunks.
pub const MAX_WAITING: usize = 128;

/// Audio that a new listener receives at once: enough for a browser to begin playing.
const AHEAD: Duration = Duration::from_secs(1);

/// The most bytes of that audio.
const MAX_AHEAD: usize = 512 * 1024;

/// The most units of that audio: a publisher may send arbitrarily short units, and each occupies more memory than its
/// bytes.
const MAX_UNITS: usize = 1_024;

/// A listener by HTTP.
#[derive(Debug)]
struct Reader {
    sender: Sender<Bytes>,
    /// Since when audio has been left out.
    behind: Option<Instant>,
    packer: Packer,
    /// Counts the listener for its key, and for its address.
    _hold: Hold,
}

impl Reader {
    /// Queues audio, or leaves it out. Returns false if the listener left, or has not emptied its queue for
    /// [`MAX_PAUSE`].
    fn carry(&mut self, units: &[Unit], now: Instant) -> bool {
        let Self { sender, behind, packer, .. } = self;
        if sender.is_closed() {
            return false;
        }
        if let Some(since) = *behind {
            if sender.capacity() < sender.max_capacity() {
                return now.saturating_duration_since(since) < MAX_PAUSE;
            }
            *behind = None;
        }
        if sender.capacity() == 0 {
            *behind = Some(now);
            return true;
        }
        let mut bytes = Vec::new();
        for unit in units {
            packer.pack(unit, &mut bytes);
        }
        bytes.is_empty() || sender.try_send(bytes.into()).is_ok()
    }
}

/// All listeners of one stream by HTTP.
#[derive(Debug)]
pub struct Audience {
    format: Format,
    listeners: Vec<Reader>,
    recent: VecDeque<Unit>,
    recent_bytes: usize,
    unpacker: Unpacker,
    /// The sequence number of the latest datagram.
    last: Option<u16>,
}

impl Audience {
    /// An audience without listeners.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            listeners: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            unpacker: Unpacker::new(format),
            last: None,
        }
    }

    /// Adds a listener. `serial` is a random number for Ogg; `hold` counts the listener for its key.
    pub fn add(&mut self, serial: u32, hold: Hold) -> Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let mut packer = Packer::new(self.format, serial);
        let mut bytes = packer.begin();
        for unit in &self.recent {
            packer.pack(unit, &mut bytes);
        }
        if !bytes.is_empty() {
            // The channel is empty, so it has room.
            let _ = sender.try_send(bytes.into());
        }
        self.listeners.push(Reader { sender, behind: None, packer, _hold: hold });
        receiver
    }

    /// The number of listeners.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Bytes kept for new listeners.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.recent_bytes
    }

    /// Removes listeners that left.
    pub fn sweep(&mut self) {
        self.listeners.retain(|reader| !reader.sender.is_closed());
    }

    /// Queues a datagram's audio for all listeners. Late and duplicate datagrams are dropped. Returns the number of
    /// listeners removed because they left, or did not empty their queue for [`MAX_PAUSE`].
    pub fn carry(&mut self, rtp: &Rtp<'_>, now: Instant) -> usize {
        if self.last.is_some_and(|last| !is_after(rtp.sequence, last)) {
            return 0;
        }
        self.last = Some(rtp.sequence);
        let units = self.unpacker.take(rtp.sequence, rtp.timestamp, rtp.payload);
        let before = self.listeners.len();
        self.listeners.retain_mut(|reader| reader.carry(&units, now));
        for unit in units {
            self.remember(unit);
        }
        before - self.listeners.len()
    }

    fn remember(&mut self, unit: Unit) {
        let most = u64::from(self.format.clock_rate()) * AHEAD.as_secs();
        self.recent_bytes += unit.bytes.len();
        self.recent.push_back(unit);
        while let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) {
            let span = last.timestamp.wrapping_sub(first.timestamp);
            let is_little = self.recent_bytes <= MAX_AHEAD && self.recent.len() <= MAX_UNITS;
            if u64::from(span) <= most && is_little {
                break;
            }
            self.recent_bytes -= self.recent.pop_front().map_or(0, |unit| unit.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A datagram with an MP3 frame of 104 bytes.
    fn frame(sequence: u16) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 2_351;
        let header =
            [&[0x80, 14][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 7, 0, 0, 0, 0]];
        [&header.concat()[..], &[0xff, 0xfb, 0x10, 0], &[0; 96], &u32::from(sequence).to_be_bytes()].concat()
    }

    #[test]
    fn a_listener_that_pauses_misses_sound_and_goes_on_with_what_is_played_then() {
        let mut now = Instant::now();
        let mut audience = Audience::new(Format::Mp3);
        let [mut paused, mut gone] = [(); 2].map(|()| audience.add(1, Hold::default()));
        let mut number = 0;
        let mut carry = |audience: &mut Audience, now: Instant| {
            number += 1;
            (audience.carry(&Rtp::parse(&frame(number)).unwrap(), now), number)
        };
        while carry(&mut audience, now).1 < 500 {}
        now += MAX_PAUSE.mul_f64(0.9);
        assert_eq!(carry(&mut audience, now).0, 0);
        let mut heard = 0;
        while paused.try_recv().is_ok() {
            heard += 1;
        }
        assert_eq!(heard, MAX_WAITING);
        let (_, current) = carry(&mut audience, now);
        assert!(paused.try_recv().unwrap().ends_with(&u32::from(current).to_be_bytes()));
        // A listener that never resumes is removed.
        now += MAX_PAUSE.mul_f64(0.2);
        assert_eq!(carry(&mut audience, now).0, 1);
        while gone.try_recv().is_ok() {}
        assert!(gone.is_closed() && audience.len() == 1);
    }

    #[test]
    fn units_of_nearly_nothing_at_the_same_time_are_bounded_too() {
        let mut audience = Audience::new(Format::Opus { channels: 1 });
        for sequence in 0..10_000u16 {
            // An Opus packet of one byte is silence.
            let datagram =
                [&[0x80, 96][..], &sequence.to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 7, 0xf8]].concat();
            audience.carry(&Rtp::parse(&datagram).unwrap(), Instant::now());
        }
        assert_eq!(audience.recent.len(), MAX_UNITS);
        assert!(audience.add(1, Hold::default()).try_recv().unwrap().len() < 64 * 1024);
    }
}
