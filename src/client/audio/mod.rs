//! Sound in the client.
//!
//! - [`publish`]: from the shared folder to whoever asked for it.

pub mod publish;
