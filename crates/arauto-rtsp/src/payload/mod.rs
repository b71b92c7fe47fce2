//! Conversion of audio units to RTP payloads ([`Packer`]) and back ([`Unpacker`]).
//!
//! A *unit* is the input of a decoder for one call: an MPEG audio frame, an Opus packet, or some samples for all
//! channels.
//!
//! - [`mpeg`]: frames of MPEG audio, and their payloads (RFC 2250).
//! - [`opus`]: Opus packets (RFC 7587), their duration, and how to split long ones.
//! - [`l16`]: samples (RFC 3551, section 4.5.11).

pub mod l16;
pub mod mpeg;
pub mod opus;

use crate::Format;

/// The largest payload that is sent, in bytes. With the headers of RTP (12), UDP (8) and IPv6 (40), 40 bytes of
/// Ethernet's 1,500 remain for a tunnel's header, so the datagram is not fragmented.
pub const MAX_BYTES: usize = 1_400;

/// The contents of one datagram after RTP's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Start time, in ticks of [`Format::clock_rate`] since the beginning of the audio.
    pub position: u64,
    /// Duration in the same ticks. 0 for all fragments of a frame except the last.
    pub ticks: u32,
    /// The bytes that follow RTP's header.
    pub bytes: Vec<u8>,
}

/// The input of a decoder for one call, as [`Unpacker::take`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// RTP timestamp of its beginning, in ticks of [`Format::clock_rate`], which wrap around.
    pub timestamp: u32,
    /// Duration in the same ticks.
    pub ticks: u32,
    /// A whole MPEG audio frame, a whole Opus packet, or samples, high byte first, equally many for each channel.
    pub bytes: Vec<u8>,
}

/// Packs units, in the order in which they arrive, into payloads of at most [`MAX_BYTES`].
///
/// ```
/// use arauto_rtsp::{Format, payload::{Packer, Payload}};
///
/// // A payload holds at most 20 ms: 160 samples of 2 bytes at 8 kHz.
/// let mut packer = Packer::new(Format::L16 { rate: 8_000, channels: 1 });
/// let payloads = packer.push(&[0; 500]);
/// assert_eq!(payloads, [Payload { position: 0, ticks: 160, bytes: vec![0; 320] }]);
/// assert_eq!(packer.finish(), Some(Payload { position: 160, ticks: 90, bytes: vec![0; 180] }));
/// ```
#[derive(Debug)]
pub struct Packer {
    kind: PackerKind,
}

#[derive(Debug)]
enum PackerKind {
    Mpeg(mpeg::MpegPacker),
    Opus(opus::OpusPacker),
    L16(l16::L16Packer),
}

impl Packer {
    /// Packs the units of a new stream.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let kind = match format {
            Format::Mp3 => PackerKind::Mpeg(mpeg::MpegPacker::default()),
            Format::Opus { .. } => PackerKind::Opus(opus::OpusPacker::default()),
            Format::L16 { rate, channels } => PackerKind::L16(l16::L16Packer::new(rate, channels)),
        };
        Self { kind }
    }

    /// Takes a whole frame, a whole packet, or any number of samples (high byte first, whole ones for all channels),
    /// and returns the payloads that are full. Bytes that are not a unit are ignored.
    pub fn push(&mut self, unit: &[u8]) -> Vec<Payload> {
        match &mut self.kind {
            PackerKind::Mpeg(packer) => packer.push(unit),
            PackerKind::Opus(packer) => packer.push(unit),
            PackerKind::L16(packer) => packer.push(unit),
        }
    }

    /// Returns what remains at the end of the stream, if anything does.
    pub fn finish(&mut self) -> Option<Payload> {
        match &mut self.kind {
            PackerKind::Mpeg(packer) => packer.finish(),
            PackerKind::Opus(_) => None,
            PackerKind::L16(packer) => packer.finish(),
        }
    }
}

/// Unpacks payloads into units. Buffers at most one fragmented frame of MPEG audio.
///
/// ```
/// use arauto_rtsp::{Format, payload::{Unit, Unpacker}};
///
/// // Configuration 31 of Opus, in the first byte, has frames of 20 ms.
/// let mut unpacker = Unpacker::new(Format::Opus { channels: 2 });
/// let units = unpacker.take(7, 48_000, &[0xfc, 1, 2]);
/// assert_eq!(units, [Unit { timestamp: 48_000, ticks: 960, bytes: vec![0xfc, 1, 2] }]);
/// assert_eq!(unpacker.take(8, 48_960, &[]), []);
/// ```
#[derive(Debug)]
pub struct Unpacker {
    kind: UnpackerKind,
}

#[derive(Debug)]
enum UnpackerKind {
    Mpeg(mpeg::MpegUnpacker),
    Opus,
    L16(l16::L16Unpacker),
}

impl Unpacker {
    /// Unpacks a stream from its beginning, or from the point at which a listener joins it.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let kind = match format {
            Format::Mp3 => UnpackerKind::Mpeg(mpeg::MpegUnpacker::default()),
            Format::Opus { .. } => UnpackerKind::Opus,
            Format::L16 { channels, .. } => UnpackerKind::L16(l16::L16Unpacker::new(channels)),
        };
        Self { kind }
    }

    /// Takes the payload of a datagram, with RTP's sequence number and timestamp (in ticks of [`Format::clock_rate`]),
    /// and returns the units that are complete, in order. Datagrams have to be given in the order of their sequence
    /// numbers. An invalid payload yields no units, and the units of missing datagrams are
    /// missing too.
    pub fn take(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<Unit> {
        match &mut self.kind {
            UnpackerKind::Mpeg(unpacker) => unpacker.take(sequence, timestamp, payload),
            UnpackerKind::Opus => opus::unpack(timestamp, payload).into_iter().collect(),
            UnpackerKind::L16(unpacker) => unpacker.take(timestamp, payload).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
