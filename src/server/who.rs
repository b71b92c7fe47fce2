//! [`Who`]: how a session is named in the log.

use std::net::SocketAddr;

use slog::{KV, Record, Result, Serializer};

use super::messages::SessionId;
use crate::protocol::Name;

/// The keys that each line of a session carries. Built when a line is logged, so that it costs a session no memory.
pub struct Who<'a> {
    /// Its number.
    pub id: SessionId,
    /// The other end.
    pub peer: SocketAddr,
    /// Its name, once it has one.
    pub name: Option<&'a Name>,
}

impl KV for Who<'_> {
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> Result {
        serializer.emit_u64("id", self.id.0)?;
        serializer.emit_arguments("peer", &format_args!("{}", self.peer))?;
        match self.name {
            Some(name) => serializer.emit_str("name", name.as_str()),
            None => serializer.emit_none("name"),
        }
    }
}
