//! [`AudioDecoder`]: decodes units of encoded audio to samples.

mod mpeg;
mod opus;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arauto_rtsp::{
    Format,
    payload::{Unit, l16, mpeg::FrameHeader},
};

use super::Spec;

/// Quality of a decoded unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// All samples are decoded.
    Whole,
    /// Some samples are silent, because they need data of a lost unit.
    Damaged,
}

/// Error: a unit is not valid in the announced format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audio is not in the format that was announced")]
pub struct DecodeError;

/// Decodes the units of one stream in order. Never panics, whatever the input.
pub struct AudioDecoder {
    spec: Spec,
    format: Format,
    kind: Kind,
}

enum Kind {
    Mpeg(Box<mpeg::MpegDecoder>),
    Opus(Box<opus::OpusDecoder>),
    L16,
}

impl AudioDecoder {
    /// Creates a decoder for a stream whose first unit is `first`.
    ///
    /// # Errors
    /// If `first` is not a valid unit of `format`.
    pub fn new(format: Format, first: &Unit) -> Result<Self, DecodeError> {
        let spec = spec(format, first).ok_or(DecodeError)?;
        Ok(Self { spec, format, kind: Kind::new(format, spec, first)? })
    }

    /// Sample rate and channel count of the output.
    #[must_use]
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Appends the samples of a unit to `out`, interleaved, from -1 to 1. `lost` says that units before it are missing.
    ///
    /// # Errors
    /// If the unit cannot be decoded. `out` is then unchanged, and later units may still succeed.
    pub fn decode(&mut self, unit: &Unit, lost: bool, out: &mut Vec<f32>) -> Result<Decoded, DecodeError> {
        let begin = out.len();
        let (kind, spec) = (&mut self.kind, self.spec);
        // The decoders are third-party code and their input is untrusted: a panic counts as a broken unit.
        let done = catch_unwind(AssertUnwindSafe(|| match kind {
            Kind::Mpeg(decoder) => decoder.decode(unit, spec, lost, out),
            Kind::Opus(decoder) => decoder.decode(unit, spec, lost, out),
            Kind::L16 => {
                out.extend(l16::samples(&unit.bytes).map(|sample| f32::from(sample) / 32_768.0));
                Ok(Decoded::Whole)
            }
        }));
        let done = done.unwrap_or_else(|_| {
            // After a panic the decoder's state is unknown, so it is replaced.
            if let Ok(kind) = Kind::new(self.format, spec, unit) {
                self.kind = kind;
            }
            Err(DecodeError)
        });
        if done.is_err() {
            out.truncate(begin);
        }
        for sample in &mut out[begin..] {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        done
    }
}

impl Kind {
    fn new(format: Format, spec: Spec, unit: &Unit) -> Result<Self, DecodeError> {
        Ok(match format {
            Format::Mp3 => Self::Mpeg(Box::new(mpeg::MpegDecoder::new(unit)?)),
            Format::Opus { .. } => Self::Opus(Box::new(opus::OpusDecoder::new(spec.channels))),
            Format::L16 { .. } => Self::L16,
        })
    }
}

/// Sample rate and channel count of a stream whose first unit is `first`; `None` if that is not a valid unit.
#[must_use]
pub fn spec(format: Format, first: &Unit) -> Option<Spec> {
    Some(match format {
        Format::Mp3 => {
            let header = FrameHeader::parse(&first.bytes)?;
            Spec { rate: header.rate, channels: header.channels }
        }
        Format::Opus { channels } => Spec { rate: format.clock_rate(), channels },
        Format::L16 { rate, channels } => Spec { rate, channels },
    })
}

/// Converts `ticks` of `clock_rate` to frames at the rate of `spec`, rounded to the nearest.
#[must_use]
pub fn frames_of(ticks: u64, clock_rate: u32, spec: Spec) -> u64 {
    let frames = u128::from(ticks) * u128::from(spec.rate) + u128::from(clock_rate) / 2;
    u64::try_from(frames / u128::from(clock_rate.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Arbitrary bytes cause no panic, no more samples than a unit can hold, and no sample out of range.
        #[test]
        fn whatever_comes(units in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..20)) {
            for format in [Format::Mp3, Format::Opus { channels: 2 }, Format::L16 { rate: 8_000, channels: 1 }] {
                let mut decoder: Option<AudioDecoder> = None;
                for (first, rest, lost) in &units {
                    let mut bytes = match format {
                        // A frame of 104 bytes: layer III, 32 kbit/s, 44.1 kHz.
                        Format::Mp3 => vec![0xff, 0xfb, 0x10, *first],
                        _ => vec![*first],
                    };
                    bytes.extend(rest);
                    if format == Format::Mp3 {
                        bytes.resize(104, 0);
                    }
                    let unit = Unit { timestamp: 0, ticks: 0, bytes };
                    if decoder.is_none() {
                        decoder = AudioDecoder::new(format, &unit).ok();
                    }
                    let Some(decoder) = &mut decoder else { continue };
                    let mut out = Vec::new();
                    if decoder.decode(&unit, *lost, &mut out).is_err() {
                        prop_assert!(out.is_empty());
                    }
                    prop_assert!(out.len() <= 2 * 5_760);
                    prop_assert!(out.iter().all(|sample| (-1.0..=1.0).contains(sample)));
                }
            }
        }
    }
}
