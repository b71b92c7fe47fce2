//! Opus packets in RTP (RFC 7587), each in a payload of its own. Parses what this needs of a packet (RFC 6716, section
//! 3): its duration and its frames.

use super::{MAX_BYTES, Payload, Unit};

/// RTP ticks per second of Opus, and the rate at which a packet's samples are counted.
pub const CLOCK_RATE: u32 = 48_000;
/// The longest packet, in ticks of [`CLOCK_RATE`]: 120 ms (RFC 6716, section 3.4).
pub const MAX_TICKS: u32 = CLOCK_RATE * 120 / 1_000;
/// The longest frame, in bytes.
const MAX_FRAME_BYTES: usize = 1_275;

/// Samples per channel in a packet, counted at [`CLOCK_RATE`]. Returns `None` if the bytes are not a packet, as far as
/// that shows without decoding.
///
/// ```
/// use arauto_rtsp::payload::opus::ticks;
///
/// // The first byte's high 5 bits are the configuration: 31 has frames of 20 ms. The low 2 bits are 0 for one frame
/// // and 1 for two.
/// assert_eq!(ticks(&[31 << 3, 1]), Some(960));
/// assert_eq!(ticks(&[31 << 3 | 1, 1, 1]), Some(1_920));
/// assert_eq!(ticks(&[]), None);
/// ```
#[must_use]
pub fn ticks(packet: &[u8]) -> Option<u32> {
    let ticks = frame_ticks(*packet.first()?) * frame_count(packet)?;
    (1..=MAX_TICKS).contains(&ticks).then_some(ticks)
}

/// Ticks of one frame, from a packet's first byte.
fn frame_ticks(toc: u8) -> u32 {
    match toc >> 3 {
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

fn frame_count(packet: &[u8]) -> Option<u32> {
    match packet.first()? & 3 {
        0 => Some(1),
        1 | 2 => Some(2),
        _ => packet.get(1).map(|count| u32::from(count & 0x3f)),
    }
}

/// Returns the frames of a packet, in order, or `None` if the packet violates RFC 6716.
///
/// ```
/// use arauto_rtsp::payload::opus::frames;
///
/// // Two frames of equal length, then two of which the first has the length 1.
/// assert_eq!(frames(&[0xfd, 1, 2, 3, 4]), Some(vec![&[1, 2][..], &[3, 4]]));
/// assert_eq!(frames(&[0xfe, 1, 2, 3, 4]), Some(vec![&[2][..], &[3, 4]]));
/// assert_eq!(frames(&[0xfe, 9, 2]), None);
/// ```
#[must_use]
pub fn frames(packet: &[u8]) -> Option<Vec<&[u8]>> {
    ticks(packet)?;
    let (toc, rest) = packet.split_first()?;
    let frames = match toc & 3 {
        0 => vec![rest],
        1 => equal(rest, 2)?,
        2 => {
            let (length, rest) = frame_length(rest)?;
            let (first, second) = rest.split_at_checked(length)?;
            vec![first, second]
        }
        _ => counted(rest)?,
    };
    frames.iter().all(|frame| frame.len() <= MAX_FRAME_BYTES).then_some(frames)
}

/// Splits a packet of code 3: its first byte here has the number of frames, whether their lengths differ, and whether
/// there is padding.
fn counted(rest: &[u8]) -> Option<Vec<&[u8]>> {
    let (flags, mut rest) = rest.split_first()?;
    let count = usize::from(flags & 0x3f);
    if flags & 0x40 != 0 {
        let mut padding = 0;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            padding += if *byte == 255 { 254 } else { usize::from(*byte) };
            if *byte != 255 {
                break;
            }
        }
        rest = &rest[..rest.len().checked_sub(padding)?];
    }
    if flags & 0x80 == 0 {
        return equal(rest, count);
    }
    let mut lengths = Vec::new();
    for _ in 1..count {
        let (length, after) = frame_length(rest)?;
        lengths.push(length);
        rest = after;
    }
    let mut frames = Vec::new();
    for length in lengths {
        let (frame, after) = rest.split_at_checked(length)?;
        frames.push(frame);
        rest = after;
    }
    frames.push(rest);
    Some(frames)
}

fn equal(bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    let length = bytes.len().checked_div(count).filter(|length| length * count == bytes.len())?;
    Some((0..count).map(|at| &bytes[at * length..][..length]).collect())
}

/// Parses a length of one or two bytes. Returns it and the bytes after it.
fn frame_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 252 {
        return Some((usize::from(*first), rest));
    }
    let (second, rest) = rest.split_first()?;
    Some((4 * usize::from(*second) + usize::from(*first), rest))
}

/// Packs each packet into a payload. A packet of more than [`MAX_BYTES`] is split into packets of one frame.
///
/// ```
/// use arauto_rtsp::payload::{Payload, opus::OpusPacker};
///
/// let mut packer = OpusPacker::default();
/// assert_eq!(packer.push(&[0xfc, 1]), [Payload { position: 0, ticks: 960, bytes: vec![0xfc, 1] }]);
/// // Two frames of 20 ms and 1,000 bytes.
/// let halves = packer.push(&[&[0xfd][..], &[7; 2_000]].concat());
/// assert_eq!(halves.iter().map(|payload| payload.position).collect::<Vec<_>>(), [960, 1_920]);
/// assert_eq!(halves[1].bytes, [&[0xfc][..], &[7; 1_000]].concat());
/// ```
#[derive(Debug, Default)]
pub struct OpusPacker {
    position: u64,
}

impl OpusPacker {
    /// Takes one packet and returns its payloads; none if the bytes are not a packet.
    pub fn push(&mut self, packet: &[u8]) -> Vec<Payload> {
        let (Some(ticks), Some(&toc)) = (ticks(packet), packet.first()) else { return Vec::new() };
        if packet.len() <= MAX_BYTES {
            return vec![self.payload(packet.to_vec(), ticks)];
        }
        let frames = frames(packet).unwrap_or_default();
        // The last two bits are the frame-count code; 0 stands for one frame.
        let alone = |frame: &[u8]| [&[toc & !3], frame].concat();
        frames.into_iter().map(|frame| self.payload(alone(frame), frame_ticks(toc))).collect()
    }

    fn payload(&mut self, bytes: Vec<u8>, ticks: u32) -> Payload {
        let position = self.position;
        self.position += u64::from(ticks);
        Payload { position, ticks, bytes }
    }
}

/// Returns the packet in a payload, or `None` if the payload is not a packet. `timestamp` is the datagram's.
///
/// ```
/// use arauto_rtsp::payload::{Unit, opus::unpack};
///
/// assert_eq!(unpack(960, &[0xfc, 1]), Some(Unit { timestamp: 960, ticks: 960, bytes: vec![0xfc, 1] }));
/// assert_eq!(unpack(960, &[]), None);
/// ```
#[must_use]
pub fn unpack(timestamp: u32, payload: &[u8]) -> Option<Unit> {
    Some(Unit { timestamp, ticks: ticks(payload)?, bytes: payload.to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths() {
        for (packet, expected) in [
            // SILK 60 ms; hybrid 10 ms; CELT 2.5 ms and 20 ms, one frame and two.
            (&[0x18, 1][..], Some(2_880)),
            (&[0x60, 1], Some(480)),
            (&[0x80, 1], Some(120)),
            (&[0xfc, 1], Some(960)),
            (&[0xfd, 1, 1], Some(1_920)),
            // The second byte counts the frames, which may last up to 120 ms.
            (&[0xff, 6, 1], Some(5_760)),
            (&[0xff, 7, 1], None),
            (&[0xff, 0], None),
            (&[0xff], None),
            (&[], None),
        ] {
            assert_eq!(ticks(packet), expected, "{packet:?}");
        }
    }

    #[test]
    fn frames_of_packets() {
        assert_eq!(frames(&[0xfc, 1, 2]), Some(vec![&[1, 2][..]]));
        assert_eq!(frames(&[0xfd, 1, 2, 3, 4]), Some(vec![&[1, 2][..], &[3, 4]]));
        assert_eq!(frames(&[0xfd, 1, 2, 3]), None);
        assert_eq!(frames(&[0xfe, 1, 2, 3, 4]), Some(vec![&[2][..], &[3, 4]]));
        assert_eq!(frames(&[0xfe, 4, 2, 3, 4]), None);
        let long = [&[0xfe, 252, 1][..], &[7; 256], &[8]].concat();
        assert_eq!(frames(&long), Some(vec![&[7; 256][..], &[8]]));
        // Three frames of equal length, of different lengths, and two with padding.
        assert_eq!(frames(&[0xff, 3, 1, 2, 3]), Some(vec![&[1][..], &[2], &[3]]));
        assert_eq!(frames(&[0xff, 0x83, 1, 0, 1, 2]), Some(vec![&[1][..], &[], &[2]]));
        assert_eq!(frames(&[0xff, 0x42, 2, 1, 2, 0, 0]), Some(vec![&[1][..], &[2]]));
        assert_eq!(frames(&[0xff, 0x42, 5, 1, 2, 0, 0]), None);
    }

    #[test]
    fn a_packet_too_long_goes_in_its_frames() {
        let (one, two) = ([1; 1_000], [2; 900]);
        // A length of 1,000 bytes is coded as 252 + 4 × 187.
        let packet = [&[0xfe, 252, 187][..], &one, &two].concat();
        let mut packer = OpusPacker::default();
        packer.push(&[0xfc, 9]);
        let payloads = packer.push(&packet);
        assert_eq!(
            payloads,
            [
                Payload { position: 960, ticks: 960, bytes: [&[0xfc][..], &one].concat() },
                Payload { position: 1_920, ticks: 960, bytes: [&[0xfc][..], &two].concat() },
            ]
        );
    }

    proptest! {
        #[test]
        fn frames_never_hold_more_than_the_packet(packet in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(frames) = frames(&packet) {
                let ticks = ticks(&packet).unwrap();
                prop_assert_eq!(frames.len(), frame_count(&packet).unwrap() as usize);
                prop_assert!(frames.iter().map(|frame| frame.len()).sum::<usize>() < packet.len());
                prop_assert!(ticks <= MAX_TICKS);
            }
        }
    }
}
