//! [`Letter`]: what clients write to each other. Each says who wrote it and which of his it is, and proves itself: its
//! last byte follows from its first.

use std::fmt;

/// The longest message, as the server has it by default.
const MESSAGE_BYTES: usize = 1024;

/// What lines are filled with: among it what could be taken for the end of a field or of a message.
const ALPHABET: [char; 16] =
    ['a', 'b', 'c', 'd', 'e', '0', '1', '2', ' ', '|', '/', '\\', '"', 'é', '…', '\t'];

/// One session of a client, from its confirmation to its end. A client is a slot, and has a name that follows from it;
/// when its session has ended, it may live again.
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

/// What the client in this slot is called.
pub fn name(slot: u16) -> String {
    format!("c{slot}")
}

/// Whom a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// `broadcast`
    All,
    /// `broadcast_not_me`
    Others,
    /// `private_message` to whoever bears this slot's name.
    One(u16),
    /// `echo`
    Myself,
}

impl To {
    pub fn is_broadcast(self) -> bool {
        matches!(self, Self::All | Self::Others)
    }
}

/// A message, without its bytes: those follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    pub from: Id,
    /// Which of those that its sender wrote, counted from 0, whomever they are for.
    pub number: u32,
    pub to: To,
    /// The least bytes that its line has; the greatest there may be are not passed.
    pub size: u16,
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {} ({:?}, {} bytes)", self.number, self.from, self.to, self.size)
    }
}

impl Letter {
    /// Its line, without an ending.
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

    /// The letter that this line is, if it is one to the last byte.
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
    for (number, to) in (0..200).zip([To::All, To::Others, To::One(7), To::Myself].into_iter().cycle()) {
        let size = u16::try_from(number * 6).unwrap().min(1024);
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
