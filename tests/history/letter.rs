//! [`Letter`]: a message between clients. Its line states the letter's fields, and these determine every byte of the
//! line, so that a receiver detects any change.

use std::fmt;

/// Maximum length of a message: the server's default.
const MESSAGE_BYTES: usize = 1024;

/// Characters that lines are filled with, including some that a parser could take for the end of a field or a message.
const ALPHABET: [char; 16] =
    ['a', 'b', 'c', 'd', 'e', '0', '1', '2', ' ', '|', '/', '\\', '"', 'é', '…', '\t'];

/// Identifies a session of a client. The slot stands for the client and determines its name; after a session has ended,
/// the client may begin another, which is its next life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub slot: u16,
    pub life: u16,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", name(self.slot), self.life)
    }
}

/// The name of the client in this slot.
pub fn name(slot: u16) -> String {
    format!("c{slot}")
}

/// The receivers of a letter, and the operation that reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// `broadcast`
    All,
    /// `broadcast_not_me`
    Others,
    /// `private_message` to the client with the name of this slot.
    One(u16),
    /// `echo`
    Myself,
}

impl To {
    pub fn is_broadcast(self) -> bool {
        matches!(self, Self::All | Self::Others)
    }
}

/// The fields that determine the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    pub from: Id,
    /// Its number among all that its session sent to any receiver, from 0.
    pub number: u32,
    pub to: To,
    /// Minimum length of its line in bytes. Filling never exceeds [`MESSAGE_BYTES`].
    pub size: u16,
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {} ({:?}, {} bytes)", self.number, self.from, self.to, self.size)
    }
}

impl Letter {
    /// Its line, without a line ending.
    pub fn line(&self) -> String {
        let Self { from, number, to, size } = self;
        let me = name(from.slot);
        let (destination, operation) = match to {
            To::All => ("all clients".to_owned(), "broadcast"),
            To::Others => ("all clients".to_owned(), "broadcast_not_me"),
            To::One(slot) => (name(*slot), "private_message"),
            To::Myself => (me.clone(), "echo"),
        };
        let mut line = format!("{me} | {destination} | {operation} | {} {number} {size} ", from.life);
        let mut random = fastrand::Rng::with_seed(u64::from(from.slot) << 48 | u64::from(*number));
        while line.len() < usize::from(*size) {
            let next = random.choice(ALPHABET).unwrap_or('a');
            line.push(if line.len() + next.len_utf8() > MESSAGE_BYTES { '.' } else { next });
        }
        line
    }

    /// Reads a letter from a line; `None` unless each byte is as [`Self::line`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, " | ");
        let (sender, destination, operation, data) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let slot = |name: &str| name.strip_prefix('c')?.parse().ok();
        let mut data = data.splitn(4, ' ');
        let life = data.next()?.parse().ok()?;
        let from = Id { slot: slot(sender)?, life };
        let to = match operation {
            "broadcast" => To::All,
            "broadcast_not_me" => To::Others,
            "private_message" => To::One(slot(destination)?),
            "echo" => To::Myself,
            _ => return None,
        };
        let letter = Self { from, number: data.next()?.parse().ok()?, to, size: data.next()?.parse().ok()? };
        (letter.line() == text).then_some(letter)
    }
}

#[test]
fn a_line_is_its_letter_and_no_other_line_is() {
    let from = Id { slot: 3, life: 2 };
    for (number, to) in (0..20).zip([To::All, To::Others, To::One(7), To::Myself].into_iter().cycle()) {
        let size = u16::try_from(number * 54).unwrap().min(1024);
        let letter = Letter { from, number, to, size };
        let line = letter.line();
        assert!(line.len() >= usize::from(size) && line.len() <= MESSAGE_BYTES, "{}", line.len());
        assert_eq!(Letter::read(&line), Some(letter));
        for (at, character) in line.char_indices() {
            let other = if character == 'x' { 'y' } else { 'x' };
            let altered = format!("{}{other}{}", &line[..at], &line[at + character.len_utf8()..]);
            assert_eq!(Letter::read(&altered), None, "{altered}");
        }
        assert_eq!(Letter::read(&line[..line.floor_char_boundary(line.len() - 1)]), None);
        assert_eq!(Letter::read(&format!("{line}.")), None);
    }
}
