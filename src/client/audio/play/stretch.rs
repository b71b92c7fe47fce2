//! [`Stretch`]: sound a little faster or slower. The sender's clock and the sound card's are never the same; without this
//! the buffer would run full or dry some time. Nobody hears half a percent.

use super::Spec;

/// How much faster or slower at the most: a twelfth of a semitone.
pub const MOST: f64 = 0.005;

/// Turns frames at one rate into frames at another that is near it, by a cubic curve through the four frames around.
#[derive(Debug)]
pub struct Stretch {
    channels: usize,
    /// Interleaved; the frame at 1 is the one at or before `position`.
    waiting: Vec<f32>,
    /// Between the frames 1 and 2, from 0 to 1.
    position: f64,
    /// How much more than one frame that came makes one that goes.
    faster: f64,
}

impl Stretch {
    /// As it comes.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        let channels = usize::from(spec.channels);
        // The one before the first is silence.
        Self { channels, waiting: vec![0.0; channels], position: 0.0, faster: 0.0 }
    }

    /// From one rate to another, both above 0. The curve is no filter: where the second is much the lower one, the highest tones
    /// come back as others.
    #[must_use]
    pub fn between(channels: u8, from: u32, to: u32) -> Self {
        let channels = usize::from(channels);
        let faster = f64::from(from) / f64::from(to) - 1.0;
        Self { channels, waiting: vec![0.0; channels], position: 0.0, faster }
    }

    /// So much faster than it comes: 0 is as it comes. Bounded by [`MOST`].
    /// Returns what it is now.
    pub fn set_speed(&mut self, faster: f64) -> f64 {
        let faster = faster.clamp(-MOST, MOST);
        self.faster = faster;
        faster
    }

    /// Takes interleaved samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.waiting.extend_from_slice(samples);
    }

    /// How many frames it has taken and not given.
    #[must_use]
    pub fn waiting(&self) -> usize {
        (self.waiting.len() / self.channels).saturating_sub(1)
    }

    /// Gives so many frames at the most; how many it gave.
    pub fn pull(&mut self, frames: usize, out: &mut Vec<f32>) -> usize {
        let channels = self.channels;
        let held = self.waiting.len() / channels;
        let mut at = 1;
        let mut given = 0;
        while given < frames {
            if self.position == 0.0 && self.faster == 0.0 {
                // Untouched, so that a stream without loss is heard sample for sample.
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
            // Having made its way to where a frame stands, it can go on without a curve.
            if self.faster == 0.0 {
                self.settle();
            }
        }
        self.waiting.drain(..(at - 1) * channels);
        given
    }

    /// At the end: so many frames at the most of those for which others were waited for.
    pub fn finish(&mut self, frames: usize, out: &mut Vec<f32>) -> usize {
        self.position = 0.0;
        self.faster = 0.0;
        self.pull(frames, out)
    }

    /// At the usual speed again, the rest of the way to the next whole frame is gone in small steps.
    fn settle(&mut self) {
        const STEP: f64 = MOST / 10.0;
        self.position = if self.position < STEP { 0.0 } else { self.position - STEP };
    }
}

/// Catmull and Rom's curve through four values, between the second and the third.
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

    /// A tone stays a tone: every sample is where it should be on the curve, within a thousandth.
    #[test]
    fn faster_and_slower() {
        for faster in [MOST, -MOST, 0.0003, -0.0003] {
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
            // It comes back to the samples as they are.
            stretch.set_speed(0.0);
            stretch.push(&sound);
            stretch.pull(20_000, &mut out);
            assert!(stretch.position == 0.0);
        }
    }
}
