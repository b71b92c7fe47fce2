//! [`Mix`]: mixes more than two channels down to two.

use symphonia::core::audio::{Channels, Position};

/// Positions on the left.
const LEFT: Position = Position::FRONT_LEFT
    .union(Position::FRONT_LEFT_CENTER)
    .union(Position::REAR_LEFT)
    .union(Position::SIDE_LEFT)
    .union(Position::TOP_FRONT_LEFT)
    .union(Position::TOP_REAR_LEFT);
/// Positions on the right.
const RIGHT: Position = Position::FRONT_RIGHT
    .union(Position::FRONT_RIGHT_CENTER)
    .union(Position::REAR_RIGHT)
    .union(Position::SIDE_RIGHT)
    .union(Position::TOP_FRONT_RIGHT)
    .union(Position::TOP_REAR_RIGHT);
/// Low-frequency channels, which stereo omits.
const LOW: Position = Position::LFE1.union(Position::LFE2);

/// Gain of -3 dB for channels at the side or rear, and for those in the middle (ITU-R BS.775).
const WEAKER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The share of each channel in the left and in the right output.
#[derive(Debug, PartialEq)]
pub(super) enum Mix {
    /// Mono or stereo, unchanged.
    AsIs(u8),
    /// The left and right share of each channel.
    Down(Vec<(f32, f32)>),
}

impl Mix {
    /// Creates a mix for these channels. `None` if there are more than two and their positions are unknown.
    pub(super) fn new(channels: &Channels) -> Option<Self> {
        match (channels.count(), channels) {
            (1, _) => Some(Self::AsIs(1)),
            (2, _) => Some(Self::AsIs(2)),
            (3.., Channels::Positioned(positions)) => Some(Self::Down(shares(*positions))),
            _ => None,
        }
    }

    pub(super) fn inputs(&self) -> usize {
        match self {
            Self::AsIs(channels) => usize::from(*channels),
            Self::Down(shares) => shares.len(),
        }
    }

    pub(super) fn outputs(&self) -> u8 {
        match self {
            Self::AsIs(channels) => *channels,
            Self::Down(_) => 2,
        }
    }

    /// Mixes interleaved samples.
    pub(super) fn apply(&self, samples: &[i16]) -> Vec<i16> {
        let Self::Down(shares) = self else { return samples.to_vec() };
        let mixed = samples.chunks_exact(shares.len()).flat_map(|frame| {
            let (left, right) =
                frame.iter().zip(shares).fold((0.0, 0.0), |(left, right), (sample, share)| {
                    let sample = f32::from(*sample);
                    (left + sample * share.0, right + sample * share.1)
                });
            [whole(left), whole(right)]
        });
        mixed.collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the shares of a side are 1 in all")]
fn whole(sample: f32) -> i16 {
    sample.round() as i16
}

/// Shares in the order of the channels. They add up to at most 1 for each output, so that nothing clips.
fn shares(positions: Position) -> Vec<(f32, f32)> {
    let share = |position: Position| match position {
        Position::FRONT_LEFT => (1.0, 0.0),
        Position::FRONT_RIGHT => (0.0, 1.0),
        position if LEFT.contains(position) => (WEAKER, 0.0),
        position if RIGHT.contains(position) => (0.0, WEAKER),
        position if LOW.contains(position) => (0.0, 0.0),
        _ => (WEAKER, WEAKER),
    };
    let mut shares: Vec<(f32, f32)> = positions.iter().map(share).collect();
    let (left, right) = shares.iter().fold((0.0, 0.0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
    // Both outputs are scaled alike; otherwise the middle would move.
    let sum = f32::max(left, right);
    for share in &mut shares {
        *share = (share.0 / sum.max(1.0), share.1 / sum.max(1.0));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_two_stay() {
        for (channels, count) in
            [(Channels::Positioned(Position::FRONT_CENTER), 1), (Channels::Discrete(2), 2)]
        {
            let mix = Mix::new(&channels).unwrap();
            assert_eq!((mix.inputs(), mix.outputs()), (usize::from(count), count));
            assert_eq!(mix.apply(&[1, -2, i16::MIN, i16::MAX]), [1, -2, i16::MIN, i16::MAX]);
        }
        assert_eq!(Mix::new(&Channels::Discrete(6)), None);
    }

    #[test]
    fn six_become_two() {
        let positions = Position::FRONT_LEFT
            | Position::FRONT_RIGHT
            | Position::FRONT_CENTER
            | Position::LFE1
            | Position::REAR_LEFT
            | Position::REAR_RIGHT;
        let mix = Mix::new(&Channels::Positioned(positions)).unwrap();
        assert_eq!((mix.inputs(), mix.outputs()), (6, 2));
        // 1 / (1 + 2 * 0.7071) is 0.4142.
        assert_eq!(mix.apply(&[10_000, 0, 0, 0, 0, 0]), [4_142, 0]);
        assert_eq!(mix.apply(&[0, 0, 10_000, 0, 0, 0]), [2_929, 2_929]);
        assert_eq!(mix.apply(&[0, 0, 0, 10_000, 0, 0]), [0, 0]);
        assert_eq!(mix.apply(&[0, 0, 0, 0, 0, -10_000]), [0, -2_929]);
        assert_eq!(mix.apply(&[i16::MAX; 6]), [i16::MAX; 2]);
        assert_eq!(mix.apply(&[i16::MIN; 6]), [i16::MIN; 2]);
    }
}
