//! The one place that knows all members: assigns names, finds receivers, and gives all output one order ([`actor`]).
//!
//! [`judge`] decides by the tables, which are plain structs: [`roster`] (members by name), [`pending_claim`] (sessions
//! that wait for a name whose bearer may be dead), [`presence`] (sessions that watch for joins and leaves),
//! [`message_ids`] (numbers and times). [`output`] puts lines into the batch. [`streams`] are audio streams.
//! [`cluster`] is what a registry needs beside them while other servers share its order.

pub mod actor;
mod cluster;
mod judge;
mod message_ids;
mod output;
mod pending_claim;
mod presence;
mod roster;
pub mod streams;
