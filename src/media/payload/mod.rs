//! How RTP carries what a stream holds: units of sound to payloads ([`Packer`]) and back ([`Unpacker`]).
//!
//! A *unit* is what a decoder takes at a time: an MPEG audio frame, an Opus packet, or some samples for all channels.
//!
//! - [`mpeg`]: frames of MPEG audio, and their payloads (RFC 2250).
//! - [`opus`]: Opus packets (RFC 7587): how long they are, and how to make short ones of long ones.
//! - [`l16`]: samples (RFC 3551, section 4.5.11).

pub mod l16;
pub mod mpeg;
pub mod opus;

use super::Format;

/// The most bytes of a payload that is sent: with the headers of RTP, UDP and IPv6 it goes through a tunnel over Ethernet
/// in one piece.
pub const MOST_BYTES: usize = 1_400;

/// What one datagram carries after RTP's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// When it begins, in ticks of [`Format::clock_rate`] since the beginning of the sound.
    pub position: u64,
    /// How long it lasts, in the same. 0 for all fragments of a frame but the last.
    pub ticks: u32,
    /// What follows RTP's header.
    pub bytes: Vec<u8>,
}

/// What a decoder takes at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// RTP's timestamp of its beginning.
    pub timestamp: u32,
    /// How long it lasts, in the same ticks.
    pub ticks: u32,
    /// A whole MPEG audio frame, a whole Opus packet, or samples, the high byte first, as many for each channel.
    pub bytes: Vec<u8>,
}

/// Makes payloads of at most [`MOST_BYTES`], in the order in which units come.
#[derive(Debug)]
pub struct Packer {
    kind: PackerKind,
}

#[derive(Debug)]
enum PackerKind {
    Mpeg(mpeg::Packer),
    Opus(opus::Packer),
    L16(l16::Packer),
}

impl Packer {
    /// For a stream that begins.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let kind = match format {
            Format::Mp3 => PackerKind::Mpeg(mpeg::Packer::default()),
            Format::Opus { .. } => PackerKind::Opus(opus::Packer::default()),
            Format::L16 { rate, channels } => PackerKind::L16(l16::Packer::new(rate, channels)),
        };
        Self { kind }
    }

    /// Takes a whole frame, a whole packet, or any number of samples (the high byte first, whole ones for all channels).
    /// Gives what is full. What is no unit is left out.
    pub fn push(&mut self, unit: &[u8]) -> Vec<Payload> {
        match &mut self.kind {
            PackerKind::Mpeg(packer) => packer.push(unit),
            PackerKind::Opus(packer) => packer.push(unit),
            PackerKind::L16(packer) => packer.push(unit),
        }
    }

    /// Gives what is left, at the end.
    pub fn finish(&mut self) -> Option<Payload> {
        match &mut self.kind {
            PackerKind::Mpeg(packer) => packer.finish(),
            PackerKind::Opus(_) => None,
            PackerKind::L16(packer) => packer.finish(),
        }
    }
}

/// Makes units of payloads. Keeps one frame of MPEG audio in fragments at the most.
#[derive(Debug)]
pub struct Unpacker {
    kind: UnpackerKind,
}

#[derive(Debug)]
enum UnpackerKind {
    Mpeg(mpeg::Unpacker),
    Opus,
    L16(l16::Unpacker),
}

impl Unpacker {
    /// For a stream that begins, or is joined.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let kind = match format {
            Format::Mp3 => UnpackerKind::Mpeg(mpeg::Unpacker::default()),
            Format::Opus { .. } => UnpackerKind::Opus,
            Format::L16 { channels, .. } => UnpackerKind::L16(l16::Unpacker::new(channels)),
        };
        Self { kind }
    }

    /// Takes what a datagram carries; datagrams are to be given in the order of their sequence numbers. Gives the units
    /// that are whole, in order. What is no payload gives none, and where datagrams are missing, so are the units that
    /// were in them.
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
