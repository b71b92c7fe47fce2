//! Frames of MPEG audio, and how RTP carries them (RFC 2250, section 3.5): a header of 4 bytes, then as many whole frames
//! as there is room for, or a fragment of one.

mod header;
mod unpacker;

pub use header::{FrameHeader, MOST_FRAME_BYTES};
pub use unpacker::Unpacker;

use super::{MOST_BYTES, Payload};

/// RTP's ticks a second for MPEG audio, whatever its own rate.
const CLOCK_RATE: u64 = 90_000;
/// 16 bits of nothing, then where in its frame the fragment begins.
const HEADER_BYTES: usize = 4;
/// The most ticks of sound in one payload (0.1 s): what is lost with it.
const MOST_TICKS: u64 = CLOCK_RATE / 10;

/// Where one is in a stream of frames, so that what is lost in rounding does not add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Up to where the rate changed last.
    ticks: u64,
    samples: u64,
    rate: u32,
}

impl Position {
    fn ticks(self) -> u64 {
        self.ticks + self.samples * CLOCK_RATE / u64::from(self.rate.max(1))
    }

    /// The next frame begins so much later.
    fn pass(&mut self, frame: &FrameHeader) {
        if self.rate != frame.rate {
            *self = Self { ticks: self.ticks(), samples: 0, rate: frame.rate };
        }
        self.samples += u64::from(frame.samples);
    }
}

/// Makes payloads of frames.
#[derive(Debug, Default)]
pub struct Packer {
    position: Position,
    /// Whole frames after a payload's header, if any, and where they begin.
    gathered: Vec<u8>,
    begin: u64,
}

impl Packer {
    /// Takes one frame: exactly as many bytes as its header says. Gives payloads that are full.
    pub fn push(&mut self, frame: &[u8]) -> Vec<Payload> {
        let Some(header) = FrameHeader::parse(frame).filter(|header| header.bytes == frame.len()) else {
            return Vec::new();
        };
        let begin = self.position.ticks();
        self.position.pass(&header);
        let end = self.position.ticks();
        let mut payloads = Vec::new();
        if self.gathered.len() + frame.len() > MOST_BYTES || end - self.begin > MOST_TICKS {
            payloads.extend(self.payload(begin));
        }
        if HEADER_BYTES + frame.len() > MOST_BYTES {
            payloads.extend(fragments(frame, begin, end));
            return payloads;
        }
        if self.gathered.is_empty() {
            self.begin = begin;
            self.gathered.extend_from_slice(&[0; HEADER_BYTES]);
        }
        self.gathered.extend_from_slice(frame);
        payloads
    }

    /// Gives what is left.
    pub fn finish(&mut self) -> Option<Payload> {
        self.payload(self.position.ticks())
    }

    /// What was gathered, which ends there.
    fn payload(&mut self, end: u64) -> Option<Payload> {
        let bytes = std::mem::take(&mut self.gathered);
        let ticks = u32::try_from(end - self.begin).unwrap_or(u32::MAX);
        (!bytes.is_empty()).then_some(Payload { position: self.begin, ticks, bytes })
    }
}

/// One frame in several payloads, all with its timestamp.
fn fragments(frame: &[u8], begin: u64, end: u64) -> impl Iterator<Item = Payload> {
    let most = MOST_BYTES - HEADER_BYTES;
    let last = frame.len().div_ceil(most) - 1;
    frame.chunks(most).enumerate().map(move |(at, fragment)| {
        let offset = u16::try_from(at * most).unwrap_or(u16::MAX).to_be_bytes();
        let bytes = [&[0, 0], &offset[..], fragment].concat();
        let ticks = if at == last { u32::try_from(end - begin).unwrap_or(u32::MAX) } else { 0 };
        Payload { position: begin, ticks, bytes }
    })
}
