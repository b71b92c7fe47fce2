//! Frames of MPEG audio, and their RTP payloads (RFC 2250, section 3.5): a header of 4 bytes, then as many whole frames
//! as fit, or a fragment of one frame.

mod header;
mod unpacker;

pub use header::{FrameHeader, MAX_FRAME_BYTES};
pub use unpacker::MpegUnpacker;

use super::{MAX_BYTES, Payload};

/// RTP ticks per second of MPEG audio, whatever its sample rate.
const CLOCK_RATE: u64 = 90_000;
/// Size of the payload header: 16 zero bits, then the fragment's offset in its frame, also 16 bits.
const HEADER_BYTES: usize = 4;
/// The most ticks of audio in one payload (0.1 s), and so the most that one lost datagram loses.
const MAX_TICKS: u64 = CLOCK_RATE / 10;

/// Position in a stream of frames. Counts samples, so that rounding to ticks does not accumulate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Ticks up to the last change of the sample rate.
    ticks: u64,
    samples: u64,
    rate: u32,
}

impl Position {
    fn ticks(self) -> u64 {
        self.ticks + self.samples * CLOCK_RATE / u64::from(self.rate.max(1))
    }

    /// Advances to the end of this frame.
    fn pass(&mut self, frame: &FrameHeader) {
        if self.rate != frame.rate {
            *self = Self { ticks: self.ticks(), samples: 0, rate: frame.rate };
        }
        self.samples += u64::from(frame.samples);
    }
}

/// Packs frames into payloads of at most 0.1 s, or splits a frame that is longer than a payload.
///
/// ```
/// use arauto_rtsp::payload::mpeg::MpegPacker;
///
/// // MPEG 1, layer III, 128 kbit/s at 44.1 kHz: 417 bytes and 1,152 samples, or 2,351 ticks.
/// let frame = [&[0xff, 0xfb, 0x90, 0x00][..], &[0; 413]].concat();
/// let mut packer = MpegPacker::default();
/// assert_eq!(packer.push(&frame), []);
/// let payload = packer.finish().unwrap();
/// assert_eq!((payload.position, payload.ticks), (0, 2_351));
/// assert_eq!(payload.bytes, [&[0; 4][..], &frame].concat());
/// ```
#[derive(Debug, Default)]
pub struct MpegPacker {
    position: Position,
    /// A payload's header and whole frames, or empty; then the position of the first frame.
    gathered: Vec<u8>,
    begin: u64,
}

impl MpegPacker {
    /// Takes one frame and returns the payloads that are full. Ignores a frame whose length is not that in its header.
    pub fn push(&mut self, frame: &[u8]) -> Vec<Payload> {
        let Some(header) = FrameHeader::parse(frame).filter(|header| header.bytes == frame.len()) else {
            return Vec::new();
        };
        let begin = self.position.ticks();
        self.position.pass(&header);
        let end = self.position.ticks();
        let mut payloads = Vec::new();
        if self.gathered.len() + frame.len() > MAX_BYTES || end - self.begin > MAX_TICKS {
            payloads.extend(self.payload(begin));
        }
        if HEADER_BYTES + frame.len() > MAX_BYTES {
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

    /// Returns the remaining frames as a last payload, if there are any.
    pub fn finish(&mut self) -> Option<Payload> {
        self.payload(self.position.ticks())
    }

    /// The payload of the frames gathered so far, which end at `end`.
    fn payload(&mut self, end: u64) -> Option<Payload> {
        let bytes = std::mem::take(&mut self.gathered);
        let ticks = u32::try_from(end - self.begin).unwrap_or(u32::MAX);
        (!bytes.is_empty()).then_some(Payload { position: self.begin, ticks, bytes })
    }
}

/// Splits a frame into several payloads, all with its timestamp.
fn fragments(frame: &[u8], begin: u64, end: u64) -> impl Iterator<Item = Payload> {
    let most = MAX_BYTES - HEADER_BYTES;
    let last = frame.len().div_ceil(most) - 1;
    frame.chunks(most).enumerate().map(move |(at, fragment)| {
        let offset = u16::try_from(at * most).unwrap_or(u16::MAX).to_be_bytes();
        let bytes = [&[0, 0], &offset[..], fragment].concat();
        let ticks = if at == last { u32::try_from(end - begin).unwrap_or(u32::MAX) } else { 0 };
        Payload { position: begin, ticks, bytes }
    })
}
