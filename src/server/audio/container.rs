//! [`Packer`]: encodes audio as a file without end, for listeners by HTTP. Without IO.
//!
//! MP3 frames need no container, Opus goes into pages of Ogg (RFC 7845), L16 follows a WAV header.

use std::fmt;

use arauto_rtsp::{Format, payload::Unit};
use ogg::{PacketWriteEndInfo, PacketWriter};

/// The largest length field; stands for an unknown length.
const ENDLESS: u32 = u32::MAX;

/// Bytes of the WAV header that its own length field does not count.
const RIFF_HEADER: u32 = 8;

/// Encodes units into the container for one listener.
pub struct Packer {
    format: Format,
    ogg: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// Timestamp of the last unit, and its position in ticks after the first one.
    first: Option<(u32, u64)>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Packer {
    /// Encodes for one listener. `serial` is the serial number of its Ogg stream.
    pub fn new(format: Format, serial: u32) -> Self {
        Self { format, ogg: PacketWriter::new(Vec::new()), serial, first: None }
    }

    /// Returns the header that precedes all audio.
    pub fn begin(&mut self) -> Vec<u8> {
        match self.format {
            Format::Mp3 => Vec::new(),
            Format::L16 { rate, channels } => wav_header(rate, channels),
            Format::Opus { channels } => {
                self.page(opus_head(channels), 0);
                self.page(opus_tags(), 0);
                std::mem::take(self.ogg.inner_mut())
            }
        }
    }

    /// Appends a unit to `to`.
    pub fn pack(&mut self, unit: &Unit, to: &mut Vec<u8>) {
        match self.format {
            Format::Mp3 => return to.extend_from_slice(&unit.bytes),
            // WAV has the low byte first.
            Format::L16 { .. } => {
                return to.extend(unit.bytes.chunks_exact(2).flat_map(|sample| [sample[1], sample[0]]));
            }
            Format::Opus { .. } => {}
        }
        let (last, place) = self.first.unwrap_or((unit.timestamp, 0));
        let place = place + u64::from(unit.timestamp.wrapping_sub(last));
        self.first = Some((unit.timestamp, place));
        // An Ogg page's position is the end of its last packet.
        self.page(unit.bytes.clone(), place + u64::from(unit.ticks));
        to.append(self.ogg.inner_mut());
    }

    fn page(&mut self, packet: Vec<u8>, end: u64) {
        let written = self.ogg.write_packet(packet, self.serial, PacketWriteEndInfo::EndPage, end);
        if let Err(error) = written {
            unreachable!("a Vec takes everything: {error}");
        }
    }
}

/// The header of a WAV file of unknown length.
fn wav_header(rate: u32, channels: u8) -> Vec<u8> {
    let channels = u16::from(channels);
    let frame = channels * 2;
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend(ENDLESS.to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16u32.to_le_bytes());
    header.extend(1u16.to_le_bytes());
    header.extend(channels.to_le_bytes());
    header.extend(rate.to_le_bytes());
    header.extend((rate * u32::from(frame)).to_le_bytes());
    header.extend(frame.to_le_bytes());
    header.extend(16u16.to_le_bytes());
    header.extend(b"data");
    header.extend((ENDLESS - RIFF_HEADER - 36).to_le_bytes());
    header
}

/// The identification header (RFC 7845, section 5.1). Its pre-skip is 0, because the listener joins a running stream.
fn opus_head(channels: u8) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend(0u16.to_le_bytes());
    head.extend(48_000u32.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// The comment header (RFC 7845, section 5.2).
fn opus_tags() -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let vendor = b"arauto";
    tags.extend(6u32.to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ogg::PacketReader;

    use super::*;

    fn unit(timestamp: u32, ticks: u32, bytes: &[u8]) -> Unit {
        Unit { timestamp, ticks, bytes: bytes.to_vec() }
    }

    #[test]
    fn mp3_is_the_frames() {
        let mut packer = Packer::new(Format::Mp3, 1);
        let mut bytes = packer.begin();
        packer.pack(&unit(0, 1, b"frame"), &mut bytes);
        packer.pack(&unit(1, 1, b"frame"), &mut bytes);
        assert_eq!(bytes, b"frameframe");
    }

    #[test]
    fn l16_is_wav() {
        let mut packer = Packer::new(Format::L16 { rate: 44_100, channels: 2 }, 1);
        let mut bytes = packer.begin();
        assert_eq!(bytes.len(), 44);
        packer.pack(&unit(0, 1, &[1, 2, 3, 4]), &mut bytes);
        assert_eq!(bytes[44..], [2, 1, 4, 3]);
        assert_eq!(bytes[24..28], 44_100u32.to_le_bytes());
        assert_eq!(bytes[28..32], 176_400u32.to_le_bytes());
    }

    #[test]
    fn opus_is_ogg_whose_pages_say_where_they_end() {
        let format = Format::Opus { channels: 2 };
        let mut packer = Packer::new(format, 7);
        let mut bytes = packer.begin();
        // 20 ms each; the packet between them is lost.
        for timestamp in [0xffff_ff00, 0xffff_ff00u32.wrapping_add(1_920)] {
            packer.pack(&unit(timestamp, 960, &[0xfc, 1, 2]), &mut bytes);
        }
        let mut reader = PacketReader::new(Cursor::new(bytes));
        let mut packets = Vec::new();
        while let Ok(Some(packet)) = reader.read_packet() {
            assert_eq!(packet.stream_serial(), 7);
            packets.push((packet.absgp_page(), packet.data));
        }
        assert!(packets[0].1.starts_with(b"OpusHead") && packets[1].1.starts_with(b"OpusTags"));
        assert_eq!(packets[2..], [(960, vec![0xfc, 1, 2]), (2_880, vec![0xfc, 1, 2])]);
    }
}
