//! The one place that knows all members: assigns names, finds receivers, and gives all output one order ([`actor`]).
//!
//! The tables are plain structs: [`roster`] (members by name), [`pending_claim`] (sessions that wait for a name whose bearer
//! may be dead), [`stream_directory`] (audio streams), [`advertised_addresses`] (where a client gets its streams).

pub mod actor;
pub mod advertised_addresses;
pub mod pending_claim;
pub mod roster;
pub mod stream_directory;
