//! Payloads of 16-bit samples, high byte first (RFC 3551, section 4.5.11).

use super::{MAX_BYTES, Payload, Unit};

/// A payload holds at most 20 ms (section 4.2), so that a lost datagram loses little.
const PAYLOADS_PER_SECOND: u32 = 50;

/// Encodes samples as the bytes of a payload, interleaved if there are several channels.
///
/// ```
/// use arauto_rtsp::payload::l16::{samples, to_bytes};
///
/// let bytes = to_bytes([1, -2]);
/// assert_eq!(bytes, [0x00, 0x01, 0xff, 0xfe]);
/// assert_eq!(samples(&bytes).collect::<Vec<_>>(), [1, -2]);
/// ```
pub fn to_bytes(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
    samples.into_iter().flat_map(i16::to_be_bytes).collect()
}

/// Decodes the samples in these bytes. An odd byte at the end is ignored.
#[must_use]
pub fn samples(bytes: &[u8]) -> impl ExactSizeIterator<Item = i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
}

/// Packs samples into payloads of equal length, except the last.
///
/// ```
/// use arauto_rtsp::payload::{Payload, l16::L16Packer};
///
/// let mut packer = L16Packer::new(8_000, 2);
/// assert_eq!(packer.push(&[0; 639]), []);
/// assert_eq!(packer.push(&[0; 1]), [Payload { position: 0, ticks: 160, bytes: vec![0; 640] }]);
/// assert_eq!(packer.finish(), None);
/// ```
#[derive(Debug)]
pub struct L16Packer {
    /// Bytes of one sample in all channels.
    bytes_a_tick: usize,
    payload_bytes: usize,
    /// Samples per channel in the payloads returned so far.
    position: u64,
    /// Samples that do not fill a payload yet.
    rest: Vec<u8>,
}

impl L16Packer {
    /// `rate` is in samples per second and channel. `channels` is the number of interleaved channels; 0 counts as 1.
    #[must_use]
    pub fn new(rate: u32, channels: u8) -> Self {
        let bytes_a_tick = 2 * usize::from(channels.max(1));
        let ticks = (rate / PAYLOADS_PER_SECOND).max(1) as usize;
        let payload_bytes = bytes_a_tick * ticks.min(MAX_BYTES / bytes_a_tick);
        Self { bytes_a_tick, payload_bytes, position: 0, rest: Vec::new() }
    }

    /// Takes the bytes of samples, high byte first, and returns the full payloads. Two calls may share a sample.
    pub fn push(&mut self, samples: &[u8]) -> Vec<Payload> {
        self.rest.extend_from_slice(samples);
        let rest = std::mem::take(&mut self.rest);
        let full = rest.chunks_exact(self.payload_bytes);
        self.rest = full.remainder().to_vec();
        full.map(|bytes| self.payload(bytes.to_vec())).collect()
    }

    /// Returns the remaining samples as a last payload, if there are any. Discards an incomplete sample.
    pub fn finish(&mut self) -> Option<Payload> {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.truncate(bytes.len() / self.bytes_a_tick * self.bytes_a_tick);
        (!bytes.is_empty()).then(|| self.payload(bytes))
    }

    fn payload(&mut self, bytes: Vec<u8>) -> Payload {
        let (position, ticks) = (self.position, bytes.len() / self.bytes_a_tick);
        self.position += ticks as u64;
        Payload { position, ticks: u32::try_from(ticks).unwrap_or(u32::MAX), bytes }
    }
}

/// Unpacks payloads into samples.
///
/// ```
/// use arauto_rtsp::payload::{Unit, l16::L16Unpacker};
///
/// let unpacker = L16Unpacker::new(2);
/// let unit = Unit { timestamp: 160, ticks: 1, bytes: vec![0, 1, 0, 2] };
/// assert_eq!(unpacker.take(160, &[0, 1, 0, 2, 0]), Some(unit));
/// assert_eq!(unpacker.take(161, &[0, 1]), None);
/// ```
#[derive(Debug)]
pub struct L16Unpacker {
    bytes_a_tick: usize,
}

impl L16Unpacker {
    /// `channels` is the number of interleaved channels; 0 counts as 1.
    #[must_use]
    pub fn new(channels: u8) -> Self {
        Self { bytes_a_tick: 2 * usize::from(channels.max(1)) }
    }

    /// Returns the samples of a payload that are complete in all channels, or `None` if there are none. `timestamp` is
    /// the datagram's.
    #[must_use]
    pub fn take(&self, timestamp: u32, payload: &[u8]) -> Option<Unit> {
        let ticks = payload.len() / self.bytes_a_tick;
        let bytes = payload[..ticks * self.bytes_a_tick].to_vec();
        (ticks > 0).then(|| Unit { timestamp, ticks: u32::try_from(ticks).unwrap_or(u32::MAX), bytes })
    }
}
