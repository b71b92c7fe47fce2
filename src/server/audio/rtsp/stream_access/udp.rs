//! The UDP side of a connection: where a listener is sent to and from, and the tasks that read the sockets.

use std::{net::SocketAddr, rc::Rc};

use tokio_util::sync::CancellationToken;

use super::{
    super::{
        super::{
            fan_out::Backlog,
            outlet::{MAX_OUTLETS, Outlet},
            ports::{PortAllocator, PortPair},
            stream::RelayStream,
            streams::{Handle, SharedStreams},
            udp_reader,
        },
        backend::StreamRefusal,
    },
    StreamAccess,
};

impl StreamAccess {
    /// The client's destinations for UDP. The relay's own ports are rejected, because the relay would send to itself.
    pub(super) fn places(
        &self,
        rtp: u16,
        rtcp: u16,
        ports: &PortAllocator,
    ) -> Result<(SocketAddr, SocketAddr), StreamRefusal> {
        let is_here = self.peer.ip() == self.local.ip();
        if is_here && (ports.is_taken(rtp) || ports.is_taken(rtcp)) {
            return Err(StreamRefusal::BadPorts);
        }
        let at = |port| {
            let mut at = self.peer;
            at.set_port(port);
            at
        };
        Ok((at(rtp), at(rtcp)))
    }

    /// The index of the sockets that this listener is sent to from.
    pub(super) fn outlet(
        &self,
        stream: &mut RelayStream,
        ports: &PortAllocator,
    ) -> Result<usize, StreamRefusal> {
        let known = stream.outlets.iter().position(|outlet| outlet.local == self.local.ip());
        if let Some(number) = known {
            return Ok(number);
        }
        if stream.outlets.len() >= MAX_OUTLETS {
            return Err(StreamRefusal::NoPorts);
        }
        let pair = ports.take(self.local).map_err(|_| StreamRefusal::NoPorts)?;
        let outlet = Rc::new(Outlet { pair, backlog: Backlog::default(), local: self.local.ip() });
        let number = stream.outlets.len();
        let handle = Handle { id: stream.id, serial: stream.serial };
        let over = stream.over.clone();
        actix_rt::spawn(udp_reader::from_listeners(
            Rc::clone(&self.streams),
            handle,
            number,
            Rc::clone(&outlet),
            over,
        ));
        stream.outlets.push(outlet);
        Ok(number)
    }
}

/// Starts the task that reads the publisher's sockets until `over` is cancelled.
pub(super) fn spawn_reader(
    streams: &SharedStreams,
    handle: Handle,
    pair: Rc<PortPair>,
    over: CancellationToken,
) {
    actix_rt::spawn(udp_reader::from_publisher(Rc::clone(streams), handle, pair, over));
}
