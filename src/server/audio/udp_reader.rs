//! Tasks that read from UDP sockets, several datagrams at a time, and send queued datagrams.

use std::{net::SocketAddr, rc::Rc};

use arauto_rtsp::input::MAX_DATAGRAM;
use tokio::{net::UdpSocket, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    outlet::Outlet,
    ports::PortPair,
    stream::{Carried, DatagramKind},
    streams::{Handle, SharedStreams},
};

/// Datagrams read from a socket before the task yields.
const MAX_READS_PER_TURN: usize = 64;

/// Relays datagrams that reach the publisher's sockets, until the stream or this publisher's setup ends.
pub async fn from_publisher(
    streams: SharedStreams,
    handle: Handle,
    pair: Rc<PortPair>,
    over: CancellationToken,
) {
    loop {
        let kind = tokio::select! {
            () = over.cancelled() => return,
            Ok(()) = pair.rtp.readable() => DatagramKind::Sound,
            Ok(()) = pair.rtcp.readable() => DatagramKind::Report,
            else => return,
        };
        take(&streams, handle, kind, &pair);
        // A publisher that never stops sending must not starve other tasks.
        tokio::task::yield_now().await;
    }
}

/// Relays the datagrams that the publisher's socket holds now, at most [`MAX_READS_PER_TURN`].
pub fn take(streams: &SharedStreams, handle: Handle, kind: DatagramKind, pair: &PortPair) {
    let socket = if kind == DatagramKind::Sound { &pair.rtp } else { &pair.rtcp };
    read(socket, |from, bytes| {
        let now = Instant::now();
        let mut streams = streams.borrow_mut();
        let Some(stream) = streams.get(handle) else { return };
        let carried = stream.hear_publisher(kind, from, bytes, now);
        if carried != Carried::Done {
            streams.react(handle, carried);
        }
    });
}

/// Processes datagrams that listeners send to an outlet's sockets, and sends queued datagrams, until the stream ends.
pub async fn from_listeners(
    streams: SharedStreams,
    handle: Handle,
    number: usize,
    outlet: Rc<Outlet>,
    over: CancellationToken,
) {
    let Outlet { pair, backlog, .. } = &*outlet;
    let hear = |kind, socket| {
        read(socket, |from, bytes| {
            if let Some(stream) = streams.borrow_mut().get(handle) {
                stream.hear_listener(number, kind, from, bytes, Instant::now());
            }
        });
    };
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            Ok(()) = pair.rtp.readable() => hear(DatagramKind::Sound, &pair.rtp),
            Ok(()) = pair.rtcp.readable() => hear(DatagramKind::Report, &pair.rtcp),
            () = waits(&outlet) => backlog.drain(&pair.rtp),
            else => return,
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until datagrams are queued and the socket is writable.
async fn waits(outlet: &Outlet) {
    while outlet.backlog.is_empty() {
        outlet.backlog.filled().await;
    }
    // Sending reports any error.
    let _ = outlet.pair.rtp.writable().await;
}

fn read(socket: &UdpSocket, mut hear: impl FnMut(SocketAddr, &[u8])) {
    // Room for one byte more than the maximum, which reveals longer datagrams.
    let mut bytes = [0; MAX_DATAGRAM + 1];
    for _ in 0..MAX_READS_PER_TURN {
        match socket.try_recv_from(&mut bytes) {
            Ok((length, _)) if length > MAX_DATAGRAM => {}
            Ok((length, from)) => hear(from, &bytes[..length]),
            Err(_) => return,
        }
    }
}
