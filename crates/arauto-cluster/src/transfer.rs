//! Gives the state to a node that joins: [`chunks`] cuts it, [`Assembly`] puts it together and checks it.

use serde::{Deserialize, Serialize};

use super::{
    digest::Digest,
    encoding::{Malformed, decoded, encoded},
    frame::Instance,
};

/// Most bytes of the state in a chunk. With its head, a chunk is smaller than a frame may be.
pub const CHUNK_BYTES: usize = 255 * 1024;

/// Most bytes of a state.
pub const MAX_STATE_BYTES: usize = 256 * 1024 * 1024;

/// A piece of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The instance that sends it.
    pub donor: Instance,
    /// The position in the log as of which the state is: that of the joiner's Hello.
    pub position: u64,
    /// Which piece it is, from 0.
    pub number: u32,
    /// How many pieces there are.
    pub count: u32,
    /// The hash of the whole.
    pub hash: Digest,
    /// The piece.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// Encodes the chunk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(self)
    }

    /// Decodes what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decoded(bytes)
    }
}

/// Cuts a state into chunks.
pub fn chunks(donor: Instance, position: u64, state: &[u8]) -> impl Iterator<Item = Chunk> {
    let hash = Digest::of(state);
    // A state without bytes is a chunk without bytes.
    let count = state.len().div_ceil(CHUNK_BYTES).max(1);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (0..count).map(move |number| {
        let begin = number as usize * CHUNK_BYTES;
        let end = state.len().min(begin + CHUNK_BYTES);
        Chunk { donor, position, number, count, hash, bytes: state[begin..end].to_vec() }
    })
}

/// Puts the chunks of one donor for one position together, in whatever order they come.
#[derive(Debug)]
pub struct Assembly {
    donor: Instance,
    position: u64,
    hash: Option<Digest>,
    pieces: Vec<Option<Vec<u8>>>,
}

/// The outcome of taking a chunk.
#[derive(Debug, PartialEq, Eq)]
pub enum Assembled {
    /// More have to come.
    Incomplete,
    /// The state is whole, and its hash is right.
    Whole(Vec<u8>),
    /// The chunk belongs to another state, or the whole is not what its hash says. It was dropped.
    Rejected,
}

impl Assembly {
    /// Waits for the state that `donor` gives as of `position`.
    #[must_use]
    pub fn new(donor: Instance, position: u64) -> Self {
        Self { donor, position, hash: None, pieces: Vec::new() }
    }

    /// Takes a chunk.
    pub fn take(&mut self, chunk: Chunk) -> Assembled {
        let number = chunk.number as usize;
        let is_ours = chunk.donor == self.donor
            && chunk.position == self.position
            && chunk.number < chunk.count
            && chunk.bytes.len() <= CHUNK_BYTES
            && chunk.count as usize <= MAX_STATE_BYTES / CHUNK_BYTES
            && self.hash.is_none_or(|hash| hash == chunk.hash && self.pieces.len() == chunk.count as usize);
        if !is_ours {
            return Assembled::Rejected;
        }
        if self.hash.is_none() {
            (self.hash, self.pieces) = (Some(chunk.hash), vec![None; chunk.count as usize]);
        }
        self.pieces[number] = Some(chunk.bytes);
        if self.pieces.iter().any(Option::is_none) {
            return Assembled::Incomplete;
        }
        let state: Vec<u8> = std::mem::take(&mut self.pieces).into_iter().flatten().flatten().collect();
        let hash = self.hash.take();
        if hash == Some(Digest::of(&state)) { Assembled::Whole(state) } else { Assembled::Rejected }
    }
}
