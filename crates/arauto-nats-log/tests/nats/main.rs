//! The log against a real nats-server. Each test starts its own on a free port of the loopback interface.
//!
//! ```text
//! cargo test -p arauto-nats-log --test nats
//! ```

mod admission;
mod cluster;
mod faults;
mod forged;
mod log;
mod node;
mod raw;
mod replicas;
mod server;
mod state;
