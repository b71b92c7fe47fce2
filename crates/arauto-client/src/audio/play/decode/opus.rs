//! Decodes Opus packet by packet with ruopus.

use arauto_rtsp::payload::{Unit, opus};

use super::{DecodeError, Decoded, Spec};

pub struct OpusDecoder {
    decoder: ruopus::OpusDecoder,
}

/// Frames of loss reported to the decoder (20 ms at 48 kHz), so that it continues more smoothly after a gap.
const LOST: usize = 960;

impl OpusDecoder {
    pub fn new(channels: u8) -> Self {
        Self { decoder: ruopus::OpusDecoder::new(usize::from(channels)) }
    }

    pub fn decode(
        &mut self,
        unit: &Unit,
        spec: Spec,
        lost: bool,
        out: &mut Vec<f32>,
    ) -> Result<Decoded, DecodeError> {
        let frames = opus::ticks(&unit.bytes).ok_or(DecodeError)?;
        if lost {
            // The decoder's own concealment is discarded: the caller fills gaps in another way.
            let _ = self.decoder.decode_lost(LOST);
        }
        let samples = self.decoder.decode_packet(&unit.bytes).map_err(|_| DecodeError)?;
        // A packet may only signal silence, of any duration: the output is as long as the packet says.
        let wanted = usize::try_from(frames).unwrap_or_default() * usize::from(spec.channels);
        let begin = out.len();
        out.extend_from_slice(&samples);
        out.resize(begin + wanted, 0.0);
        Ok(Decoded::Whole)
    }
}
