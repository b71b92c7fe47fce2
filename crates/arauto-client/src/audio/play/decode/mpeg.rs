//! Decodes MPEG audio frame by frame with symphonia.

use arauto_rtsp::payload::{Unit, mpeg::FrameHeader};
use symphonia::{
    core::{
        codecs::audio::{
            AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
            well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3},
        },
        packet::PacketRef,
        units::{Duration, Timestamp},
    },
    default::codecs::MpaDecoder,
};

use super::{DecodeError, Decoded, Spec};
use crate::audio::play::stretch::Stretch;

pub struct MpegDecoder {
    header: FrameHeader,
    inner: MpaDecoder,
    /// Converts from the sample rate of the frames to that of the stream, where they differ.
    converter: Option<Stretch>,
    /// Bytes of previous frames that the decoder still has. The data of a layer III frame may begin in them (bit
    /// reservoir).
    reservoir: usize,
}

/// Largest possible `main_data_begin`: it has 9 bits.
const MAX_RESERVOIR: usize = 511;

impl MpegDecoder {
    pub fn new(unit: &Unit) -> Result<Self, DecodeError> {
        let header = FrameHeader::parse(&unit.bytes).ok_or(DecodeError)?;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(match header.layer {
            1 => CODEC_ID_MP1,
            2 => CODEC_ID_MP2,
            _ => CODEC_ID_MP3,
        });
        let inner =
            MpaDecoder::try_new(&parameters, &AudioDecoderOptions::default()).map_err(|_| DecodeError)?;
        Ok(Self { header, inner, converter: None, reservoir: 0 })
    }

    pub fn decode(
        &mut self,
        unit: &Unit,
        spec: Spec,
        lost: bool,
        out: &mut Vec<f32>,
    ) -> Result<Decoded, DecodeError> {
        let header = FrameHeader::parse(&unit.bytes).ok_or(DecodeError)?;
        let kind = |header: &FrameHeader| (header.layer, header.channels, header.rate);
        if kind(&header) != kind(&self.header) {
            *self = Self::new(unit)?;
            // The sink keeps the rate that the stream began with.
            let is_other = header.rate != spec.rate;
            self.converter = is_other.then(|| Stretch::between(spec.channels, header.rate, spec.rate));
        } else if lost {
            // Without a reset, the decoder would use what is left in the reservoir in place of the lost data: noise.
            self.inner.reset();
            self.reservoir = 0;
        }
        let needed = main_data_begin(&header, &unit.bytes);
        let is_damaged = needed > self.reservoir;
        let packet =
            PacketRef::new(0, Timestamp::default(), Duration::from(u64::from(header.samples)), &unit.bytes);
        let decoded = self.inner.decode_ref(&packet);
        let Ok(decoded) = decoded else {
            self.inner.reset();
            self.reservoir = 0;
            return Err(DecodeError);
        };
        let mut samples = Vec::new();
        decoded.copy_to_vec_interleaved(&mut samples);
        match &mut self.converter {
            None => fit(&samples, header.channels, spec.channels, out),
            Some(converter) => {
                let mut fitting = Vec::new();
                fit(&samples, header.channels, spec.channels, &mut fitting);
                converter.push(&fitting);
                converter.pull(usize::MAX, out);
            }
        }
        self.reservoir = (self.reservoir + unit.bytes.len()).min(MAX_RESERVOIR);
        Ok(if is_damaged { Decoded::Damaged } else { Decoded::Whole })
    }
}

/// Bytes before this frame at which its main data begins (ISO 11172-3, 2.4.2.7).
fn main_data_begin(header: &FrameHeader, frame: &[u8]) -> usize {
    let has_check = frame.get(1).is_some_and(|byte| byte & 1 == 0);
    let at = if has_check { 6 } else { 4 };
    match (header.layer, frame.get(at..at + 2)) {
        (3, Some(&[first, second])) if header.is_mpeg_1 => usize::from(first) << 1 | usize::from(second >> 7),
        (3, Some(&[first, _])) => usize::from(first),
        _ => 0,
    }
}

/// Appends `samples` with the number of channels that the stream began with.
fn fit(samples: &[f32], channels: u8, wanted: u8, out: &mut Vec<f32>) {
    match (channels, wanted) {
        (1, 2) => out.extend(samples.iter().flat_map(|sample| [*sample; 2])),
        (2, 1) => out.extend(samples.chunks_exact(2).map(|frame| f32::midpoint(frame[0], frame[1]))),
        _ => out.extend_from_slice(samples),
    }
}
