//! Audio in the client: listening to streams, and publishing files as streams.
//!
//! - [`play`]: receives a stream and plays it to a sink.
//! - [`publish`]: sends files of the shared folder to the server when another client asks for them.

pub mod play;
pub mod publish;
