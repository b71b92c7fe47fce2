//! [`FrameHeader`]: the four bytes that begin every frame of MPEG audio (ISO 11172-3, section 2.4.1.3).

/// The longest frame that a header can describe, in bytes: layer II of MPEG 2.5 with 160 kbit/s at 8 kHz (2,880 bytes),
/// and a byte of padding.
pub const MAX_FRAME_BYTES: usize = 2_881;

/// The fields of a frame's header.
///
/// ```
/// use arauto_rtsp::payload::mpeg::FrameHeader;
///
/// // MPEG 1, layer III, 128 kbit/s at 44.1 kHz in stereo.
/// let header = FrameHeader::parse(&[0xff, 0xfb, 0x90, 0x00]).unwrap();
/// assert_eq!((header.layer, header.rate, header.channels), (3, 44_100, 2));
/// assert_eq!((header.samples, header.bytes), (1_152, 417));
/// assert_eq!(FrameHeader::parse(b"ID3\x04"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// True for MPEG 1; false for MPEG 2 and 2.5, which have half and a quarter of its sample rates.
    pub is_mpeg_1: bool,
    /// Layer of the coding: 1, 2 or 3.
    pub layer: u8,
    /// Samples per second in each channel.
    pub rate: u32,
    /// Number of channels: 1 or 2.
    pub channels: u8,
    /// Samples per channel in the frame.
    pub samples: u32,
    /// Length of the frame in bytes, including this header.
    pub bytes: usize,
    /// Whether a checksum follows the header.
    has_checksum: bool,
}

/// Bit rates in kbit/s, for the indices 1 to 14.
const MPEG_1_LAYER_1: [u32; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const MPEG_1_LAYER_2: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const MPEG_1_LAYER_3: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG_2_LAYER_1: [u32; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const MPEG_2_LAYERS_2_3: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

impl FrameHeader {
    /// Parses the header at the front of these bytes, which may hold less or more than the frame. Returns `None` if
    /// there is no header, or if the header does not determine the frame's length ("free format").
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [sync, kind, rates, mode, ..] = *bytes else { return None };
        if sync != 0xff || kind & 0xe0 != 0xe0 {
            return None;
        }
        let (is_mpeg_1, divisor) = match kind >> 3 & 3 {
            3 => (true, 1),
            2 => (false, 2),
            0 => (false, 4),
            _ => return None,
        };
        let layer = match kind >> 1 & 3 {
            0 => return None,
            code => 4 - code,
        };
        let rate = match rates >> 2 & 3 {
            0 => 44_100,
            1 => 48_000,
            2 => 32_000,
            _ => return None,
        } / divisor;
        let bit_rates = match (is_mpeg_1, layer) {
            (true, 1) => MPEG_1_LAYER_1,
            (true, 2) => MPEG_1_LAYER_2,
            (true, _) => MPEG_1_LAYER_3,
            (false, 1) => MPEG_2_LAYER_1,
            (false, _) => MPEG_2_LAYERS_2_3,
        };
        let bit_rate = bit_rates.get(usize::from(rates >> 4).checked_sub(1)?)? * 1_000;
        let padding = u32::from(rates >> 1 & 1);
        let (samples, bytes) = match layer {
            1 => (384, (12 * bit_rate / rate + padding) * 4),
            3 if !is_mpeg_1 => (576, 72 * bit_rate / rate + padding),
            _ => (1_152, 144 * bit_rate / rate + padding),
        };
        let (bytes, channels) = (bytes as usize, if mode >> 6 == 3 { 1 } else { 2 });
        Some(Self { is_mpeg_1, layer, rate, channels, samples, bytes, has_checksum: kind & 1 == 0 })
    }

    /// Whether this frame holds no audio but an encoder's information about the file (a Xing, Info or VBRI tag).
    /// `frame` is the frame from its header on.
    #[must_use]
    pub fn is_information(&self, frame: &[u8]) -> bool {
        let side = match (self.is_mpeg_1, self.channels) {
            (true, 2) => 32,
            (true, _) | (false, 2) => 17,
            (false, _) => 9,
        };
        let at = 4 + if self.has_checksum { 2 } else { 0 } + side;
        let tag = |at: usize| frame.get(at..at + 4);
        let is_tag = matches!(tag(at), Some(b"Xing" | b"Info"));
        self.layer == 3 && (is_tag || tag(36) == Some(b"VBRI"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers() {
        let parse = |bytes: [u8; 4]| {
            let header = FrameHeader::parse(&bytes).unwrap();
            (header.layer, header.rate, header.channels, header.samples, header.bytes)
        };
        // 128 kbit/s at 44.1 kHz, without and with padding.
        assert_eq!(parse([0xff, 0xfb, 0x90, 0x00]), (3, 44_100, 2, 1_152, 417));
        assert_eq!(parse([0xff, 0xfb, 0x92, 0xc0]), (3, 44_100, 1, 1_152, 418));
        // MPEG 2, 64 kbit/s at 24 kHz; MPEG 2.5, 8 kbit/s at 8 kHz.
        assert_eq!(parse([0xff, 0xf3, 0x84, 0xc0]), (3, 24_000, 1, 576, 192));
        assert_eq!(parse([0xff, 0xe3, 0x18, 0xc0]), (3, 8_000, 1, 576, 72));
        // Layers II and I.
        assert_eq!(parse([0xff, 0xfd, 0xe8, 0x00]), (2, 32_000, 2, 1_152, 1_728));
        assert_eq!(parse([0xff, 0xff, 0x10, 0x00]), (1, 44_100, 2, 384, 32));
        assert_eq!(parse([0xff, 0xe5, 0xea, 0x00]), (2, 8_000, 2, 1_152, MAX_FRAME_BYTES));
        for other in [
            &b""[..],
            b"\xff\xfb\x90",
            b"ID3\x04",
            b"\xff\xfb\x00\x00",
            b"\xff\xfb\xf0\x00",
            b"\xff\xfb\x9c\x00",
            b"\xff\xeb\x90\x00",
            b"\xff\xf9\x90\x00",
        ] {
            assert_eq!(FrameHeader::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn frames_about_the_file() {
        for (header, at) in [
            ([0xff, 0xfb, 0x90, 0x00], 36),
            ([0xff, 0xfb, 0x90, 0xc0], 21),
            ([0xff, 0xfa, 0x90, 0xc0], 23),
            ([0xff, 0xf3, 0x84, 0xc0], 13),
        ] {
            let parsed = FrameHeader::parse(&header).unwrap();
            let mut frame = [0; 100];
            frame[..4].copy_from_slice(&header);
            assert!(!parsed.is_information(&frame));
            for tag in [b"Xing", b"Info"] {
                frame[at..at + 4].copy_from_slice(tag);
                assert!(parsed.is_information(&frame), "{header:?}");
                assert!(!parsed.is_information(&frame[..at + 3]));
            }
            frame[at] = 0;
            frame[36..40].copy_from_slice(b"VBRI");
            assert!(parsed.is_information(&frame));
        }
    }

    proptest! {
        #[test]
        fn bounded(bytes in any::<[u8; 4]>()) {
            if let Some(header) = FrameHeader::parse(&bytes) {
                prop_assert!((4..=MAX_FRAME_BYTES).contains(&header.bytes));
                prop_assert!((8_000..=48_000).contains(&header.rate));
            }
        }
    }
}
