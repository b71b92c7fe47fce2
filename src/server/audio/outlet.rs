//! [`Outlet`]: the sockets from which one of the server's addresses sends a stream by UDP.

use std::net::IpAddr;

use super::{fan_out::Backlog, ports::PortPair};

/// The most of the server's addresses that one stream is sent from.
pub const MAX_OUTLETS: usize = 16;

/// Sockets that listeners are sent to from, and the datagrams queued for them.
#[derive(Debug)]
pub struct Outlet {
    /// The sockets.
    pub pair: PortPair,
    /// Datagrams that the sockets did not take yet.
    pub backlog: Backlog,
    /// The server's address that its listeners connected to.
    pub local: IpAddr,
}
