//! Generates inputs: words of the target mixed with arbitrary bytes, and then damaged.

use super::Target;

/// Maximum length of an input, without the bytes that make choices.
const MAX_BYTES: usize = 4096;

/// Ranges of characters that are more likely to expose faults: Latin, combining marks, Greek, Cyrillic, Hebrew and
/// Arabic, Hangul, punctuation and format characters, letter-like symbols, Han, presentation forms, fullwidth, bold and
/// italic.
const CHARACTERS: [(u32, u32); 14] = [
    (0x20, 0x7e),
    (0x80, 0x24f),
    (0x300, 0x36f),
    (0x370, 0x3ff),
    (0x400, 0x52f),
    (0x590, 0x6ff),
    (0x1100, 0x11ff),
    (0x2000, 0x206f),
    (0x2100, 0x218f),
    (0x4e00, 0x4eff),
    (0xac00, 0xacff),
    (0xfb00, 0xfdff),
    (0xff00, 0xffef),
    (0x1_d400, 0x1_d7ff),
];

/// A small pseudo-random generator (`SplitMix64`). A seed gives the same numbers on every machine.
pub struct Random(u64);

impl Random {
    /// Creates a generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The remainder is below `end`, so it fits a `usize`.
        usize::try_from(self.number() % end as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }
}

/// Input number `number` of this seed.
#[must_use]
pub fn input(target: &Target, seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ number);
    let choices: Vec<u8> = (0..target.choices).map(|_| random.byte()).collect();
    let mut bytes = Vec::new();
    // Half of the inputs begin with a word, and most are short.
    if random.below(2) == 0 {
        bytes.extend_from_slice(word(target, &mut random));
    }
    let most = [2, 4, 12][random.below(3)];
    for _ in 0..random.below(most) {
        piece(&mut bytes, target, &mut random);
    }
    if random.below(3) == 0 {
        for _ in 0..=random.below(4) {
            damage(&mut bytes, &mut random);
        }
    }
    if target.is_text && random.below(8) != 0 {
        bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
    }
    bytes.truncate(MAX_BYTES);
    [choices, bytes].concat()
}

fn piece(bytes: &mut Vec<u8>, target: &Target, random: &mut Random) {
    match random.below(12) {
        0 => (0..random.below(12)).for_each(|_| bytes.push(random.byte())),
        1 => (0..random.below(40)).for_each(|_| bytes.push(b' ' + random.byte() % 95)),
        2 | 3 => {
            for _ in 0..random.below(12) {
                let (start, end) = CHARACTERS[random.below(CHARACTERS.len())];
                let code = start + u32::try_from(random.below((end - start) as usize + 1)).unwrap_or(0);
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        4 if random.below(4) == 0 => {
            let byte = random.byte();
            bytes.resize(bytes.len() + random.below(1500), byte);
        }
        _ => bytes.extend_from_slice(word(target, random)),
    }
}

fn word(target: &Target, random: &mut Random) -> &'static [u8] {
    target.words[random.below(target.words.len())]
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let length = random.below(16).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes[at] = random.byte(),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes.insert(at, random.byte()),
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let again = bytes[at..at + length].to_vec();
            bytes.splice(at..at, again);
        }
        _ => bytes.truncate(at),
    }
}
