//! [`Audience`]: those who listen by HTTP, and the last second, which newcomers get at once.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::Instant,
};

use super::{
    container::Packer,
    keys::Hold,
    numbering::{Rtp, is_after},
    rtsp::MAX_PAUSE,
};
use crate::media::{
    Format,
    payload::{Unit, Unpacker},
};

/// How many chunks wait for a listener that reads slowly: 3 s of MP3, and at most some 180 KiB. What comes beyond it, while its
/// player is paused or slow, is left out until the listener has taken those.
pub const MOST_WAITING: usize = 128;

/// What a newcomer gets at once: enough for a browser to begin.
const AHEAD: Duration = Duration::from_secs(1);

/// The most bytes of that.
const MOST_AHEAD: usize = 512 * 1024;

/// The most units of that: a publisher may send as short ones as it likes, and each is more than its bytes.
const MOST_UNITS: usize = 1_024;

/// One of them.
#[derive(Debug)]
struct Reader {
    sender: Sender<Bytes>,
    /// Since when sound is left out.
    behind: Option<Instant>,
    packer: Packer,
    /// He counts for his key.
    _hold: Hold,
}

impl Reader {
    /// Sends sound, or leaves it out. False if the listener is gone.
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

/// All who listen to one stream by HTTP.
#[derive(Debug)]
pub struct Audience {
    format: Format,
    listeners: Vec<Reader>,
    recent: VecDeque<Unit>,
    recent_bytes: usize,
    unpacker: Unpacker,
    /// The number of the latest datagram.
    last: Option<u16>,
}

impl Audience {
    /// Nobody yet.
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

    /// One more, who holds a place of his key. `serial` is a number by chance.
    pub fn add(&mut self, serial: u32, hold: Hold) -> Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let mut packer = Packer::new(self.format, serial);
        let mut bytes = packer.begin();
        for unit in &self.recent {
            packer.pack(unit, &mut bytes);
        }
        if !bytes.is_empty() {
            // There is room: it is the first.
            let _ = sender.try_send(bytes.into());
        }
        self.listeners.push(Reader { sender, behind: None, packer, _hold: hold });
        receiver
    }

    /// How many listen.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// How many bytes are kept for newcomers.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.recent_bytes
    }

    /// Drops those who left.
    pub fn sweep(&mut self) {
        self.listeners.retain(|reader| !reader.sender.is_closed());
    }

    /// Sound for all. What comes late, or twice, is of no use to them. Returns how many were cut because they left, or took
    /// nothing for [`MAX_PAUSE`].
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
            let is_little = self.recent_bytes <= MOST_AHEAD && self.recent.len() <= MOST_UNITS;
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

    /// A frame of MP3 of 104 bytes in a datagram.
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
        assert_eq!(heard, MOST_WAITING);
        let (_, current) = carry(&mut audience, now);
        assert!(paused.try_recv().unwrap().ends_with(&u32::from(current).to_be_bytes()));
        // Whoever never goes on is given up.
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
        assert_eq!(audience.recent.len(), MOST_UNITS);
        assert!(audience.add(1, Hold::default()).try_recv().unwrap().len() < 64 * 1024);
    }
}
