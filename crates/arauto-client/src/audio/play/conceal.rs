//! [`Concealer`]: fills gaps by repeating the last audio, fading to silence.

use std::{collections::VecDeque, time::Duration};

use super::Spec;

/// How much of the last audio is repeated: enough for a note to sound on, too little for a word to stutter.
const REPEATED: Duration = Duration::from_millis(20);
/// Duration from the beginning of a gap until the repeated audio has faded to silence.
const FADED: Duration = Duration::from_millis(80);
/// Duration of the fade-in after a gap, which prevents a click.
const RISE: Duration = Duration::from_millis(5);

/// Fills gaps in interleaved samples. A frame has one sample of each channel.
#[derive(Debug)]
pub struct Concealer {
    spec: Spec,
    /// The last real audio, at most [`REPEATED`] of it.
    heard: VecDeque<f32>,
    /// Frames concealed since then.
    concealed: usize,
    /// Frames of the fade-in that are done since the last gap; `usize::MAX` before the first gap.
    risen: usize,
}

impl Concealer {
    /// Creates a concealer that has no audio to repeat yet: it conceals with silence.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self { spec, heard: VecDeque::new(), concealed: 0, risen: usize::MAX }
    }

    /// Takes real audio before it is played. Changes only the fade-in after a gap.
    pub fn pass(&mut self, samples: &mut [f32]) {
        let channels = usize::from(self.spec.channels);
        let rise = self.spec.frames(RISE);
        if self.risen < rise {
            let left = rise - self.risen;
            for frame in samples.chunks_exact_mut(channels).take(left) {
                let loudness = part(self.risen, rise);
                for sample in frame {
                    *sample *= loudness;
                }
                self.risen += 1;
            }
        }
        self.concealed = 0;
        let most = self.spec.frames(REPEATED) * channels;
        self.heard.extend(samples.iter().skip(samples.len().saturating_sub(most)));
        self.heard.drain(..self.heard.len().saturating_sub(most));
    }

    /// Appends `frames` frames of concealment to `out`.
    pub fn conceal(&mut self, frames: usize, out: &mut Vec<f32>) {
        let channels = usize::from(self.spec.channels);
        let faded = self.spec.frames(FADED);
        let period = self.heard.len() / channels;
        for at in self.concealed..self.concealed.saturating_add(frames) {
            if at >= faded || period == 0 {
                out.extend(std::iter::repeat_n(0.0, channels));
                continue;
            }
            let loudness = 1.0 - part(at, faded);
            // Backward, then forward, and so on: consecutive frames are neighbours in the original, so there is no
            // click.
            let round = at % (2 * period);
            let from = if round < period { period - 1 - round } else { round - period };
            out.extend(
                self.heard.range(from * channels..(from + 1) * channels).map(|sample| sample * loudness),
            );
        }
        self.concealed = self.concealed.saturating_add(frames);
        self.risen = 0;
    }
}

/// Ratio of two numbers below 2^24, which `f32` holds exactly.
#[expect(clippy::cast_precision_loss, reason = "frames of some milliseconds")]
fn part(of: usize, whole: usize) -> f32 {
    of as f32 / whole.max(1) as f32
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

    const SPEC: Spec = Spec { rate: 48_000, channels: 2 };

    #[test]
    fn sound_passes_as_it_is_and_rises_after_a_gap() {
        let mut concealer = Concealer::new(SPEC);
        let mut out = Vec::new();
        let mut first = vec![0.5; 960];
        concealer.pass(&mut first);
        assert!(first.iter().all(|sample| *sample == 0.5));
        let mut second = vec![0.25; 960];
        concealer.pass(&mut second);
        assert!(second.iter().all(|sample| *sample == 0.25));
        concealer.conceal(48, &mut out);
        concealer.conceal(4_800, &mut out);
        assert_eq!(out.len(), 2 * 4_848);
        // Fades from the last audio to silence within 80 ms and never exceeds the loudest sample.
        assert!((out[0] - 0.25).abs() < 1e-6);
        assert!(out[2 * 3_840..].iter().all(|sample| *sample == 0.0));
        assert!(out[..2 * 3_840].iter().all(|sample| (0.0..=0.5).contains(sample)));
        let mut third = vec![0.25; 960];
        concealer.pass(&mut third);
        // The fade-in lasts 5 ms: 240 frames.
        assert!(third[..480].is_sorted() && third[0] == 0.0);
        assert!(third[480..].iter().all(|sample| *sample == 0.25));
    }

    #[test]
    fn nothing_heard_is_silence() {
        let mut out = Vec::new();
        Concealer::new(SPEC).conceal(10, &mut out);
        assert_eq!(out, [0.0; 20]);
    }

    /// No step is larger than those of the tone itself, so nothing clicks.
    #[test]
    fn a_tone_goes_on_without_clicks() {
        let spec = Spec { rate: 48_000, channels: 1 };
        let tone = |at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin();
        let mut concealer = Concealer::new(spec);
        let mut sound: Vec<_> = (0..4_800).map(tone).collect();
        concealer.pass(&mut sound);
        let mut out = sound;
        concealer.conceal(4_800, &mut out);
        let step = 440.0 * std::f32::consts::TAU / 48_000.0;
        for pair in out.windows(2) {
            assert!((pair[1] - pair[0]).abs() <= 1.1 * step, "{pair:?}");
        }
    }
}
