//! [`Audience`]: those who listen by HTTP, and the last second, which newcomers get at once.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{
    container::Packer,
    keys::Hold,
    numbering::{Rtp, is_after},
};
use crate::media::{
    Format,
    payload::{Unit, Unpacker},
};

/// How many chunks wait for one who reads slowly: some seconds. Past it, his stream ends.
pub const MOST_WAITING: usize = 512;

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
    packer: Packer,
    /// He counts for his key.
    _hold: Hold,
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
        self.listeners.push(Reader { sender, packer, _hold: hold });
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

    /// Sound for all. What comes late, or twice, is of no use to them. Returns how many were cut because they lag.
    pub fn carry(&mut self, rtp: &Rtp<'_>) -> usize {
        if self.last.is_some_and(|last| !is_after(rtp.sequence, last)) {
            return 0;
        }
        self.last = Some(rtp.sequence);
        let units = self.unpacker.take(rtp.sequence, rtp.timestamp, rtp.payload);
        let before = self.listeners.len();
        self.listeners.retain_mut(|Reader { sender, packer, .. }| {
            let mut bytes = Vec::new();
            for unit in &units {
                packer.pack(unit, &mut bytes);
            }
            bytes.is_empty() || sender.try_send(bytes.into()).is_ok()
        });
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

    #[test]
    fn units_of_nearly_nothing_at_the_same_time_are_bounded_too() {
        let mut audience = Audience::new(Format::Opus { channels: 1 });
        for sequence in 0..10_000u16 {
            // An Opus packet of one byte is silence.
            let datagram =
                [&[0x80, 96][..], &sequence.to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 7, 0xf8]].concat();
            audience.carry(&Rtp::parse(&datagram).unwrap());
        }
        assert_eq!(audience.recent.len(), MOST_UNITS);
        assert!(audience.add(1, Hold::default()).try_recv().unwrap().len() < 64 * 1024);
    }
}
