//! Opus by ruopus, packet by packet.

use ruopus::OpusDecoder;

use super::{Broken, Decoded, Spec};
use crate::media::payload::{Unit, opus};

pub struct Decoder {
    decoder: OpusDecoder,
}

/// What the decoder itself is told is lost: it goes on from there more smoothly. In frames.
const LOST: usize = 960;

impl Decoder {
    pub fn new(channels: u8) -> Self {
        Self { decoder: OpusDecoder::new(usize::from(channels)) }
    }

    pub fn decode(
        &mut self,
        unit: &Unit,
        spec: Spec,
        lost: bool,
        out: &mut Vec<f32>,
    ) -> Result<Decoded, Broken> {
        let frames = opus::ticks(&unit.bytes).ok_or(Broken)?;
        if lost {
            // What it would have been is concealed otherwise.
            let _ = self.decoder.decode_lost(LOST);
        }
        let samples = self.decoder.decode_packet(&unit.bytes).map_err(|_| Broken)?;
        // A packet may be nothing but a sign of silence, of any length: as long as it says.
        let wanted = usize::try_from(frames).unwrap_or_default() * usize::from(spec.channels);
        let begin = out.len();
        out.extend_from_slice(&samples);
        out.resize(begin + wanted, 0.0);
        Ok(Decoded::Whole)
    }
}
