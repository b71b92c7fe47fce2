//! [`Table`]: the program's tables, which the entries of the log change.

use serde::de::DeserializeOwned;

use super::frame::Instance;

/// Where an entry of the program's tables stands.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The instance that appended it.
    pub writer: Instance,
    /// The position of its frame.
    pub position: u64,
    /// The time of its frame: milliseconds since 1970, never less than that of the entry before.
    pub time: u64,
}

/// The program's tables, which entries change.
pub trait Table {
    /// An entry.
    type Entry: DeserializeOwned;

    /// Whether the next frame may be carried out now. If not, the node reads no further until [`Node::go_on`].
    ///
    /// [`Node::go_on`]: super::node::Node::go_on
    fn has_room(&self) -> bool {
        true
    }

    /// Carries out an entry. Returns its outcome, which all nodes must compute alike.
    fn carry_out(&mut self, context: Context, entry: Self::Entry) -> u64;

    /// A frame of a ready instance counted, and its entries were carried out: what waits for a sign of life of the instance
    /// waits no longer.
    fn heard(&mut self, _context: Context) {}

    /// Removes what belongs to an instance that is gone. The context is that of the frame by which it went.
    fn end_of(&mut self, instance: Instance, context: Context);

    /// Begins anew, under this token.
    fn found(&mut self, token: u64);

    /// A number that is equal for equal tables, and unlikely to be equal for others.
    fn fingerprint(&self) -> u64;

    /// Encodes the tables for a node that joins.
    fn encode(&self) -> Vec<u8>;

    /// Replaces the tables by those that another node encoded. Returns whether they could be read.
    fn decode(&mut self, bytes: &[u8]) -> bool;
}
