//! [`Rtp`]: a parsed RTP datagram, and [`HeaderRewrite`]: the header that a listener receives in place of the
//! publisher's.

use rtp_types::RtpPacket;

/// Bytes of RTP's fixed header (RFC 3550, section 5.1).
pub const HEADER: usize = 12;

/// A datagram of audio.
#[derive(Clone, Copy, Debug)]
pub struct Rtp<'a> {
    /// The whole datagram.
    pub bytes: &'a [u8],
    /// Its payload type.
    pub payload_type: u8,
    /// Its sequence number, which wraps around.
    pub sequence: u16,
    /// Its timestamp in ticks of the format's clock, which wraps around.
    pub timestamp: u32,
    /// Its sender's SSRC.
    pub ssrc: u32,
    /// Its payload, without header, extension and padding.
    pub payload: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Parses a datagram. Returns `None` if it is not RTP version 2, or if it is too short for its parts.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let packet = RtpPacket::parse(bytes).ok()?;
        let begin = packet.payload_offset();
        let payload = bytes.get(begin..begin + packet.payload_len())?;
        Some(Self {
            bytes,
            payload_type: packet.payload_type(),
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload,
        })
    }

    /// The bytes after the fixed header.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}

/// How a listener's header differs from the publisher's. Loss and order remain visible to the listener, and no listener
/// can derive another's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRewrite {
    /// The relay's SSRC for this listener.
    pub ssrc: u32,
    /// Offset that is added to sequence numbers.
    pub sequence: u16,
    /// Offset that is added to timestamps.
    pub timestamp: u32,
}

impl HeaderRewrite {
    /// Draws unpredictable numbers (RFC 3550, section 5.1).
    ///
    /// # Errors
    /// If the system cannot provide random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        // Both offsets are taken from one random number.
        let offsets = getrandom::u64()?;
        let [_, _, high, low, time @ ..] = offsets.to_be_bytes();
        Ok(Self {
            ssrc: getrandom::u32()?,
            sequence: u16::from_be_bytes([high, low]),
            timestamp: u32::from_be_bytes(time),
        })
    }

    /// Converts a publisher's sequence number for this listener.
    pub fn sequence(&self, of_publisher: u16) -> u16 {
        of_publisher.wrapping_add(self.sequence)
    }

    /// Converts a publisher's timestamp for this listener.
    pub fn timestamp(&self, of_publisher: u32) -> u32 {
        of_publisher.wrapping_add(self.timestamp)
    }

    /// The fixed header for this listener. Version, padding, extension, source count and marker are the publisher's.
    pub fn header(&self, rtp: &Rtp<'_>, payload_type: u8) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[0] = rtp.bytes[0];
        header[1] = rtp.bytes[1] & 0x80 | payload_type;
        header[2..4].copy_from_slice(&self.sequence(rtp.sequence).to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp(rtp.timestamp).to_be_bytes());
        header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        header
    }
}

/// Whether the sequence number `one` is later than `other`, modulo wraparound.
pub fn is_after(one: u16, other: u16) -> bool {
    let ahead = one.wrapping_sub(other);
    ahead != 0 && ahead < 0x8000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram(sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, 0xe1];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend(7u32.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn wraps_and_keeps_the_rest() {
        let bytes = datagram(0xffff, 0xffff_fff0, b"sound");
        let rtp = Rtp::parse(&bytes).unwrap();
        assert_eq!((rtp.payload_type, rtp.sequence, rtp.ssrc, rtp.payload), (97, 0xffff, 7, &b"sound"[..]));
        let rewrite = HeaderRewrite { ssrc: 9, sequence: 2, timestamp: 0x20 };
        let sent = [&rewrite.header(&rtp, 14)[..], rtp.rest()].concat();
        let heard = Rtp::parse(&sent).unwrap();
        assert_eq!((heard.payload_type, heard.sequence, heard.timestamp, heard.ssrc), (14, 1, 0x10, 9));
        assert_eq!((heard.payload, sent[1] & 0x80), (&b"sound"[..], 0x80));
    }

    #[test]
    fn after() {
        assert!(is_after(0, 0xffff) && is_after(5, 4));
        assert!(!is_after(4, 4) && !is_after(4, 5) && !is_after(0xffff, 0));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>, first: u8) {
            for bytes in [bytes.clone(), [&[0x80 | first & 0x3f][..], &bytes].concat()] {
                if let Some(rtp) = Rtp::parse(&bytes) {
                    let rewrite = HeaderRewrite { ssrc: 1, sequence: 2, timestamp: 3 };
                    let sent = [&rewrite.header(&rtp, 96)[..], rtp.rest()].concat();
                    prop_assert_eq!(Rtp::parse(&sent).unwrap().payload, rtp.payload);
                }
            }
        }
    }
}
