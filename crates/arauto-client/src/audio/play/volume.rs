//! [`Volume`]: scales samples.

/// A volume from 0 (silence) to 100 (unchanged). Steps are about equal to the ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume(u8);

/// Maximum volume: samples are unchanged.
pub const MAX_VOLUME: u8 = 100;

impl Default for Volume {
    fn default() -> Self {
        Self(MAX_VOLUME)
    }
}

/// Error: not a number from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a volume is a number from 0 to {MAX_VOLUME}")]
pub struct NoVolume;

impl std::str::FromStr for Volume {
    type Err = NoVolume;

    fn from_str(text: &str) -> Result<Self, NoVolume> {
        text.parse().ok().filter(|volume| *volume <= MAX_VOLUME).map(Self).ok_or(NoVolume)
    }
}

impl std::fmt::Display for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Volume {
    fn factor(self) -> f32 {
        (f32::from(self.0) / f32::from(MAX_VOLUME)).powi(3)
    }
}

/// Applies a volume to samples.
#[derive(Debug)]
pub struct Loudness {
    is: Volume,
    shall: Volume,
}

impl Loudness {
    /// Starts at `volume`.
    #[must_use]
    pub fn new(volume: Volume) -> Self {
        Self { is: volume, shall: volume }
    }

    /// Sets the volume for the samples that follow.
    pub fn set(&mut self, volume: Volume) {
        self.shall = volume;
    }

    /// Scales interleaved samples. A change of volume is spread over the length of `samples`, so that nothing clicks.
    #[expect(clippy::cast_precision_loss, reason = "frames of a second at the most")]
    pub fn apply(&mut self, channels: u8, samples: &mut [f32]) {
        let (from, to) = (self.is.factor(), self.shall.factor());
        let channels = usize::from(channels).max(1);
        let frames = samples.len() / channels;
        if frames == 0 || self.is == Volume::default() && self.shall == self.is {
            return;
        }
        for (at, frame) in samples.chunks_mut(channels).enumerate() {
            let factor = from + (to - from) * (at as f32 / frames as f32);
            for sample in frame {
                *sample *= factor;
            }
        }
        self.is = self.shall;
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        reason = "numbers of a test, small and exact"
    )]

    use super::*;

    #[test]
    fn volumes() {
        for (text, volume) in [("0", Ok(Volume(0))), ("100", Ok(Volume(100)))] {
            assert_eq!(text.parse(), volume);
        }
        for text in ["", "-1", "101", "1e1", "50%", "a"] {
            assert_eq!(text.parse::<Volume>(), Err(NoVolume), "{text}");
        }
    }

    #[test]
    fn it_rises_and_falls_without_steps() {
        let mut loudness = Loudness::new(Volume::default());
        let mut samples = vec![0.3; 8];
        loudness.apply(2, &mut samples);
        assert_eq!(samples, [0.3; 8]);
        loudness.set(Volume(0));
        loudness.apply(2, &mut samples);
        assert!(samples[0] == 0.3 && samples[1] == 0.3 && samples.is_sorted_by(|one, other| one >= other));
        loudness.apply(2, &mut samples);
        assert_eq!(samples, [0.0; 8]);
        loudness.set(Volume(50));
        let mut samples = vec![1.0; 8];
        loudness.apply(2, &mut samples);
        loudness.apply(2, &mut [1.0; 8]);
        samples.fill(1.0);
        loudness.apply(2, &mut samples);
        assert_eq!(samples, [0.125; 8]);
    }
}
