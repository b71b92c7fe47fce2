//! Audio in the client: hearing what others play, and playing to them.
//!
//! - [`play`]: from datagrams to sound.
//! - [`publish`]: from the shared folder to whoever asked for it.

pub mod play;
pub mod publish;
