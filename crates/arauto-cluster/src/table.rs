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

    /// Carries out an entry. Returns its outcome, which all nodes must compute alike.
    fn carry_out(&mut self, context: Context, entry: Self::Entry) -> u64;

    /// Removes what belongs to an instance that is gone.
    fn end_of(&mut self, instance: Instance, position: u64);

    /// Begins anew, under this token.
    fn found(&mut self, token: u64);

    /// A number that is equal for equal tables, and unlikely to be equal for others.
    fn fingerprint(&self) -> u64;

    /// Encodes the tables for a node that joins.
    fn encode(&self) -> Vec<u8>;

    /// Replaces the tables by those that another node encoded. Returns whether they could be read.
    fn decode(&mut self, bytes: &[u8]) -> bool;
}
