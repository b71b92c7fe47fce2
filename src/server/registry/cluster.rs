//! The parts of a registry beside its tables while it is a node of a cluster. Plain structs; `actor/cluster.rs` uses them.

pub mod log_entry;
pub mod replica;
