//! The WAV format: a header (RIFF, format 1) and samples of 16 bits.

use super::Spec;

/// Length of the header.
pub const HEADER_BYTES: usize = 44;
/// Largest number of sample bytes that a header can state.
pub const MAX_BYTES: u32 = u32::MAX - 36;
const BYTES_PER_SAMPLE: u8 = 2;

/// Header for `bytes` bytes of samples. `None` states the maximum, so that a reader reads on to the end.
#[must_use]
pub fn header(spec: Spec, bytes: Option<u32>) -> [u8; HEADER_BYTES] {
    let Spec { rate, channels } = spec;
    let frame = BYTES_PER_SAMPLE * channels;
    let mut header = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&bytes.map_or(u32::MAX, |bytes| bytes.min(MAX_BYTES) + 36).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16_u32.to_le_bytes());
    put(&1_u16.to_le_bytes());
    put(&u16::from(channels).to_le_bytes());
    put(&rate.to_le_bytes());
    put(&rate.saturating_mul(u32::from(frame)).to_le_bytes());
    put(&u16::from(frame).to_le_bytes());
    put(&(8 * u16::from(BYTES_PER_SAMPLE)).to_le_bytes());
    put(b"data");
    put(&bytes.map_or(u32::MAX, |bytes| bytes.min(MAX_BYTES)).to_le_bytes());
    header
}

/// Converts samples to 16 bits, little-endian. Samples decoded from 16 bits are restored exactly.
#[must_use]
pub fn to_bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| to_i16(*sample).to_le_bytes()).collect()
}

/// Converts a sample to 16 bits.
#[expect(clippy::cast_possible_truncation, reason = "it is in bounds")]
#[must_use]
pub fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_stays_as_it_is() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(to_i16(f32::from(sample) / 32_768.0), sample);
        }
        assert_eq!((to_i16(1.0), to_i16(-2.0), to_i16(f32::NAN)), (i16::MAX, i16::MIN, 0));
    }

    #[test]
    fn exactly() {
        let header = header(Spec { rate: 44_100, channels: 2 }, Some(8));
        assert_eq!(
            header,
            *b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data\x08\0\0\0"
        );
    }
}
