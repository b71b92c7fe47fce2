//! [`Frame`]: what a node appends to the log at a time, and its encoding.
//!
//! A frame begins with a head of [`HEAD_BYTES`] bytes, the same in all formats; the rest is
//! [postcard](https://postcard.jamesmunns.com/wire-format).
//!
//! ```text
//! 0        1        2      3        4          12       20
//! | 'A'    | format | kind | 0      | instance | number | rest ...
//! ```
//!
//! The byte at 3 is kept for sealing frames; a frame in which it is not 0 is not read. Integers are little-endian.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    digest::Checkpoint,
    encoding::{Malformed, decoded, encoded_after},
};

/// The format that this version writes and reads.
pub const FORMAT: u8 = 2;

/// Most bytes of a frame.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;

/// The bytes of the head.
pub const HEAD_BYTES: usize = 20;

/// The first byte of a frame.
const MARK: u8 = b'A';

/// One run of a node: a number chosen at random when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instance(pub u64);

impl std::fmt::Display for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The settings that all nodes must have alike, encoded by the program. Compared as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed(pub Vec<u8>);

/// A frame. `E` is an entry of the program's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<E> {
    /// The writer.
    pub instance: Instance,
    /// Counts the writer's frames, from 1.
    pub number: u64,
    /// The content.
    pub content: Content<E>,
}

/// The content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<E> {
    /// Entries, none of which founds a cluster.
    Body(Body<E>),
    /// Begins a cluster anew. Judged by its position alone, so it stands by itself.
    Found(Founding),
}

/// The content of an ordinary frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body<E> {
    /// The writer's time in milliseconds since 1970.
    pub written: u64,
    /// Whether the writer is not ready yet. A node without the state cannot know, and only what ready nodes append shows
    /// it that the cluster lives.
    pub is_joining: bool,
    /// The writer's progress.
    pub checkpoint: Checkpoint,
    /// The entries. A frame without any is a sign of life.
    pub entries: Vec<Entry<E>>,
}

/// Begins a cluster anew, without members. Void unless it is the message after `last`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    /// The writer's time in milliseconds since 1970.
    pub written: u64,
    /// The position of the newest message that the writer knew.
    pub last: u64,
    /// Names this log. Chosen at random.
    pub token: u64,
    /// The settings that all nodes must have from now on.
    pub agreed: Agreed,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry<E> {
    /// A node wants to join: a donor gives it the state as of this position.
    Hello(Agreed),
    /// A node has the state and may have members.
    Ready,
    /// A node leaves; its members are gone.
    Bye,
    /// A node is gone, and so are its members. Void if the node has appended a frame after this number.
    Reap(Instance, u64),
    /// The whole cluster ends. What comes after it is void.
    CloseAll,
    /// Changes the program's tables.
    Table(E),
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The format of the rest.
    pub format: u8,
    /// Whether the rest is a [`Founding`].
    pub is_founding: bool,
    /// The writer.
    pub instance: Instance,
    /// Counts the writer's frames, from 1.
    pub number: u64,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// They do not begin with a head.
    #[error("the head is not one of a frame")]
    NoHead,
    /// The head is well, and the rest cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A frame is longer than [`MAX_FRAME_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is longer than {MAX_FRAME_BYTES} bytes")]
pub struct TooLong(pub usize);

impl Head {
    /// Reads the head, and returns it with the rest.
    ///
    /// # Errors
    /// If the bytes do not begin with a head, or are too long for a frame.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(FrameError::NoHead)?;
        let ([MARK, format, kind @ (0 | 1), 0], numbers) =
            head.split_first_chunk().ok_or(FrameError::NoHead)?
        else {
            return Err(FrameError::NoHead);
        };
        let (instance, number) = numbers.split_first_chunk().ok_or(FrameError::NoHead)?;
        let number = number.first_chunk().ok_or(FrameError::NoHead)?;
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameError::NoHead);
        }
        let head = Self {
            format: *format,
            is_founding: *kind == 1,
            instance: Instance(u64::from_le_bytes(*instance)),
            number: u64::from_le_bytes(*number),
        };
        Ok((head, rest))
    }
}

impl<E: Serialize> Frame<E> {
    /// Encodes the frame.
    ///
    /// # Errors
    /// If it would be longer than [`MAX_FRAME_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let kind = u8::from(matches!(self.content, Content::Found(_)));
        let mut bytes = vec![MARK, FORMAT, kind, 0];
        bytes.extend(self.instance.0.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        let bytes = match &self.content {
            Content::Body(body) => encoded_after(bytes, body),
            Content::Found(founding) => encoded_after(bytes, founding),
        };
        if bytes.len() > MAX_FRAME_BYTES { Err(TooLong(bytes.len())) } else { Ok(bytes) }
    }
}

impl<E: DeserializeOwned> Frame<E> {
    /// Decodes what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are not a frame of [`FORMAT`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let (head, rest) = Head::read(bytes)?;
        let content =
            if head.is_founding { Content::Found(decoded(rest)?) } else { Content::Body(decoded(rest)?) };
        Ok(Self { instance: head.instance, number: head.number, content })
    }
}
