//! Several servers with one order, without IO: a state machine over a replicated log.
//!
//! Each server, a node of the cluster, appends what its clients ask for to one log, and carries out only what it reads
//! back from the log, its own entries included. All nodes read the log in one order, so their tables are equal at equal
//! positions. Names are unique because the log has one order, not because of clocks or leases.
//!
//! ```text
//!  clients -> node --Frame--> log --Frame--> State::apply -> Table of every node
//!                                                 |
//!                                                 '-> Event: who joined, left, was reaped, differs
//! ```
//!
//! - [`frame`]: what a node appends at a time, and its encoding.
//! - [`state`]: which frames count, and what each entry does. Pure: no clock, no randomness.
//! - [`encoding`]: of frames, states and entries.
//! - [`instances`]: the nodes' runs, their signs of life, and the time of an entry.
//! - [`digest`]: finds two nodes that have read different logs.
//! - [`node`]: what one node does and when: appends, joins, holds, gives up others. Without IO, too.
//! - [`transfer`]: gives the state to a node that joins.
//!
//! The log itself, and the tables that entries change, belong to the program: see [`Table`].

pub mod digest;
pub mod encoding;
pub mod frame;
pub mod instances;
pub mod node;
pub mod node_name;
pub mod state;
pub mod table;
pub mod transfer;

pub use digest::{Checkpoint, Digest};
pub use encoding::Malformed;
pub use frame::{Agreed, Body, Entry, Founding, Frame, Instance};
pub use node_name::NodeName;
pub use state::{Event, Message, State, Verdict};
pub use table::Table;

/// Compiles and runs the example in README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
