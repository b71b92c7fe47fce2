//! [`Unpacker`]: payloads to frames of MPEG audio.

use super::{super::Unit, FrameHeader, HEADER_BYTES, Position};

/// Reads payloads.
#[derive(Debug, Default)]
pub struct Unpacker {
    begun: Option<Begun>,
}

/// A frame of which more is to come, no longer than its header says.
#[derive(Debug)]
struct Begun {
    header: FrameHeader,
    timestamp: u32,
    bytes: Vec<u8>,
    /// The sequence number of the next fragment.
    next: u16,
}

impl Unpacker {
    /// Takes a payload. Gives the frames that are whole.
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

    /// Frames one after another. The last may go on in the next payload.
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

    /// The next fragment. The frame, if it was the last.
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

/// Timestamps go round.
#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
fn low(ticks: u64) -> u32 {
    ticks as u32
}
