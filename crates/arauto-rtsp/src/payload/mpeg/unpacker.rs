//! [`MpegUnpacker`]: unpacks RTP payloads into frames of MPEG audio.

use super::{FrameHeader, HEADER_BYTES, Position};
use crate::payload::Unit;

/// Unpacks payloads into frames. Holds at most one incomplete frame.
///
/// ```
/// use arauto_rtsp::payload::{Unit, mpeg::MpegUnpacker};
///
/// // A frame of 417 bytes in two fragments. Each begins with its offset in the frame.
/// let frame = [&[0xff, 0xfb, 0x90, 0x00][..], &[0; 413]].concat();
/// let mut unpacker = MpegUnpacker::default();
/// assert_eq!(unpacker.take(1, 0, &[&[0, 0, 0, 0], &frame[..200]].concat()), []);
/// let units = unpacker.take(2, 0, &[&[0, 0, 0, 200], &frame[200..]].concat());
/// assert_eq!(units, [Unit { timestamp: 0, ticks: 2_351, bytes: frame }]);
/// ```
#[derive(Debug, Default)]
pub struct MpegUnpacker {
    begun: Option<Begun>,
}

/// An incomplete frame. Never grows beyond the length in its header.
#[derive(Debug)]
struct Begun {
    header: FrameHeader,
    timestamp: u32,
    bytes: Vec<u8>,
    /// Sequence number that the next fragment must have.
    next: u16,
}

impl MpegUnpacker {
    /// Takes a payload with RTP's sequence number and timestamp (in ticks of 1/90,000 s). Returns complete frames.
    /// Ignores a fragment whose predecessor is missing.
    pub fn take(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<Unit> {
        let begun = self.begun.take();
        let Some((header, bytes)) = payload.split_at_checked(HEADER_BYTES) else { return Vec::new() };
        match usize::from(u16::from_be_bytes([header[2], header[3]])) {
            0 => self.whole(sequence, timestamp, bytes),
            offset => begun
                .filter(|begun| begun.next == sequence && begun.bytes.len() == offset)
                .and_then(|begun| self.go_on(begun, bytes))
                .into_iter()
                .collect(),
        }
    }

    /// Splits consecutive frames. The last one may continue in the next payload.
    fn whole(&mut self, sequence: u16, timestamp: u32, mut bytes: &[u8]) -> Vec<Unit> {
        let mut units = Vec::new();
        let mut position = Position::default();
        while let Some(header) = FrameHeader::parse(bytes) {
            let begin = position.ticks();
            let timestamp = timestamp.wrapping_add(low(begin));
            let Some((frame, rest)) = bytes.split_at_checked(header.bytes) else {
                let next = sequence.wrapping_add(1);
                self.begun = Some(Begun { header, timestamp, bytes: bytes.to_vec(), next });
                break;
            };
            position.pass(&header);
            units.push(Unit { timestamp, ticks: low(position.ticks() - begin), bytes: frame.to_vec() });
            bytes = rest;
        }
        units
    }

    /// Appends a fragment, and returns the frame if it is complete.
    fn go_on(&mut self, mut begun: Begun, fragment: &[u8]) -> Option<Unit> {
        let missing = begun.header.bytes - begun.bytes.len();
        begun.bytes.extend_from_slice(&fragment[..fragment.len().min(missing)]);
        if begun.bytes.len() < begun.header.bytes {
            begun.next = begun.next.wrapping_add(1);
            self.begun = Some(begun);
            return None;
        }
        let Begun { header, timestamp, bytes, .. } = begun;
        let mut position = Position::default();
        position.pass(&header);
        Some(Unit { timestamp, ticks: low(position.ticks()), bytes })
    }
}

/// Truncates to 32 bits: RTP timestamps wrap around.
#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
fn low(ticks: u64) -> u32 {
    ticks as u32
}
