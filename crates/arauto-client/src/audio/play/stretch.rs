//! [`Stretch`]: plays audio slightly faster or slower. The clocks of the sender and of the sound card always differ;
//! without correction the buffer would overflow or run dry at some time. A change of 0.5 % is inaudible.

use super::Spec;

/// Maximum change of speed: a twelfth of a semitone.
pub const MAX_STRETCH: f64 = 0.005;

/// Converts frames from one rate to another near it, by cubic interpolation between the four nearest frames.
#[derive(Debug)]
pub struct Stretch {
    channels: usize,
    /// Interleaved frames. Frame 1 is the one at or before `position`.
    waiting: Vec<f32>,
    /// Position between frames 1 and 2, from 0 to 1.
    position: f64,
    /// Input frames per output frame, minus 1.
    faster: f64,
}

impl Stretch {
    /// Creates a stretch that leaves the speed unchanged.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let channels = usize::from(spec.channels);
        // The frame before the first is silence.
        Self { channels, waiting: vec![0.0; channels], position: 0.0, faster: 0.0 }
    }

    /// Converts between two sample rates, both above 0. The interpolation is no low-pass filter: if `to` is much lower
    /// than `from`, the highest tones alias.
    #[must_use]
    pub fn between(channels: u8, from: u32, to: u32) -> Self {
        let channels = usize::from(channels);
        let faster = f64::from(from) / f64::from(to) - 1.0;
        Self { channels, waiting: vec![0.0; channels], position: 0.0, faster }
    }

    /// Sets the speed change, clamped to ±[`MAX_STRETCH`]; 0 leaves the speed unchanged. Returns the speed now in
    /// force.
    pub fn set_speed(&mut self, faster: f64) -> f64 {
        let faster = faster.clamp(-MAX_STRETCH, MAX_STRETCH);
        self.faster = faster;
        faster
    }

    /// Takes interleaved samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.waiting.extend_from_slice(samples);
    }

    /// Number of frames taken and not given yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        (self.waiting.len() / self.channels).saturating_sub(1)
    }

    /// Appends at most `frames` frames to `out`. Returns how many.
    pub fn pull(&mut self, frames: usize, out: &mut Vec<f32>) -> usize {
        let channels = self.channels;
        let held = self.waiting.len() / channels;
        let mut at = 1;
        let mut given = 0;
        while given < frames {
            if self.position == 0.0 && self.faster == 0.0 {
                // Copied unchanged, so that a stream without loss is reproduced sample for sample.
                let whole = (frames - given).min(held.saturating_sub(at));
                out.extend_from_slice(&self.waiting[at * channels..(at + whole) * channels]);
                (at, given) = (at + whole, given + whole);
                break;
            }
            if at + 2 >= held {
                break;
            }
            let around = &self.waiting[(at - 1) * channels..(at + 3) * channels];
            out.extend((0..channels).map(|channel| {
                cubic([0, 1, 2, 3].map(|frame| around[frame * channels + channel]), self.position)
            }));
            given += 1;
            self.position += 1.0 + self.faster;
            while self.position >= 1.0 {
                self.position -= 1.0;
                at += 1;
            }
            // Once the position is back on a whole frame, frames are copied again.
            if self.faster == 0.0 {
                self.settle();
            }
        }
        self.waiting.drain(..(at - 1) * channels);
        given
    }

    /// At the end: appends at most `frames` of the frames that waited for later ones. Returns how many.
    pub fn finish(&mut self, frames: usize, out: &mut Vec<f32>) -> usize {
        self.position = 0.0;
        self.faster = 0.0;
        self.pull(frames, out)
    }

    /// At normal speed again, moves the position to a whole frame in small steps.
    fn settle(&mut self) {
        const STEP: f64 = MAX_STRETCH / 10.0;
        self.position = if self.position < STEP { 0.0 } else { self.position - STEP };
    }
}

/// Catmull-Rom interpolation between the second and the third value.
fn cubic([before, from, to, after]: [f32; 4], position: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
    let x = position as f32;
    let linear = to - before;
    let square = 2.0 * before - 5.0 * from + 4.0 * to - after;
    let cube = 3.0 * (from - to) + after - before;
    from + 0.5 * x * (linear + x * (square + x * cube))
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
    fn as_it_comes_without_a_change() {
        let mut stretch = Stretch::new(SPEC);
        let sound: Vec<_> = (0..2_000_u16).map(f32::from).collect();
        let mut out = Vec::new();
        for part in sound.chunks(250) {
            stretch.push(part);
            stretch.pull(100, &mut out);
        }
        while stretch.pull(7, &mut out) > 0 {}
        assert_eq!(out, sound);
    }

    /// A sine stays a sine: every sample is on the expected curve, within a thousandth.
    #[test]
    fn faster_and_slower() {
        for faster in [MAX_STRETCH, -MAX_STRETCH, 0.0003, -0.0003] {
            let tone = |at: f64| (at * 1_000.0 * std::f64::consts::TAU / 48_000.0).sin();
            let mut stretch = Stretch::new(Spec { channels: 1, ..SPEC });
            stretch.set_speed(faster);
            let sound: Vec<_> = (0..48_000).map(|at| tone(f64::from(at)) as f32).collect();
            let mut out = Vec::new();
            for part in sound.chunks(480) {
                stretch.push(part);
                stretch.pull(10_000, &mut out);
            }
            let expected = 48_000.0 / (1.0 + faster);
            assert!((out.len() as f64 - expected).abs() < 5.0, "{faster}: {}", out.len());
            for (at, sample) in out.iter().enumerate().skip(2) {
                let right = tone(at as f64 * (1.0 + faster));
                assert!((f64::from(*sample) - right).abs() < 1e-3, "{faster}, {at}: {sample} {right}");
            }
            // At speed 0, samples are copied unchanged again.
            stretch.set_speed(0.0);
            stretch.push(&sound);
            stretch.pull(20_000, &mut out);
            assert!(stretch.position == 0.0);
        }
    }
}
