//! The one place that knows all members: assigns names, finds receivers, and gives all output one order ([`actor`]).
//!
//! [`judge`] decides by the tables, which are plain structs: [`roster`] (members by name), [`pending_claim`] (sessions
//! that wait for a name whose bearer may be dead). [`output`] puts lines into the batch. [`streams`] are audio streams.

pub mod actor;
mod judge;
mod output;
mod pending_claim;
mod roster;
pub mod streams;
