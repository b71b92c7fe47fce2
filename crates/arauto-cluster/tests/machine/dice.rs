//! [`Dice`]: numbers at random that can be had again. [`Faults`]: how often something goes wrong.

/// Numbers at random, the same for the same seed (xorshift).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The faults of the way between a node and the log, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost_appends: u64,
    pub doubled_appends: u64,
    pub lost_acknowledgements: u64,
    pub holes_in_the_tail: u64,
    pub late: u64,
}

pub const NONE: Faults =
    Faults { lost_appends: 0, doubled_appends: 0, lost_acknowledgements: 0, holes_in_the_tail: 0, late: 0 };
pub const ALL: Faults = Faults {
    lost_appends: 10,
    doubled_appends: 10,
    lost_acknowledgements: 10,
    holes_in_the_tail: 10,
    late: 30,
};
