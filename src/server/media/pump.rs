//! Tasks that read from UDP sockets, many datagrams a turn, and send what a socket did not take before.

use std::{net::SocketAddr, rc::Rc};

use tokio::{net::UdpSocket, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    ports::Pair,
    stream::{Carried, Kind, Outlet},
    streams::{Handle, Shared},
};

/// The longest datagram that is passed on. Longer ones would go in pieces, or not at all.
pub const MOST_DATAGRAM: usize = 2048;

/// How many are read before others have their turn.
const AT_ONCE: usize = 64;

/// Carries what comes to the publisher's sockets, until the stream or this publisher is over.
pub async fn from_publisher(streams: Shared, handle: Handle, pair: Rc<Pair>, over: CancellationToken) {
    loop {
        let kind = tokio::select! {
            () = over.cancelled() => return,
            Ok(()) = pair.rtp.readable() => Kind::Sound,
            Ok(()) = pair.rtcp.readable() => Kind::Report,
            else => return,
        };
        take(&streams, handle, kind, &pair);
        // Even a publisher that never stops sending is one of many.
        tokio::task::yield_now().await;
    }
}

/// Carries what the publisher's sockets hold now, up to a bound.
pub fn take(streams: &Shared, handle: Handle, kind: Kind, pair: &Pair) {
    let socket = if kind == Kind::Sound { &pair.rtp } else { &pair.rtcp };
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

/// Hears what comes to the sockets from which listeners are sent to, until the stream is over, and sends what waits.
pub async fn from_listeners(
    streams: Shared,
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
            Ok(()) = pair.rtp.readable() => hear(Kind::Sound, &pair.rtp),
            Ok(()) = pair.rtcp.readable() => hear(Kind::Report, &pair.rtcp),
            () = waits(&outlet) => backlog.drain(&pair.rtp),
            else => return,
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until something waits, and the socket takes it.
async fn waits(outlet: &Outlet) {
    while outlet.backlog.is_empty() {
        outlet.backlog.filled().await;
    }
    // An error shows when it is sent.
    let _ = outlet.pair.rtp.writable().await;
}

fn read(socket: &UdpSocket, mut hear: impl FnMut(SocketAddr, &[u8])) {
    // One byte more than may be, so that what is longer shows.
    let mut bytes = [0; MOST_DATAGRAM + 1];
    for _ in 0..AT_ONCE {
        match socket.try_recv_from(&mut bytes) {
            Ok((length, _)) if length > MOST_DATAGRAM => {}
            Ok((length, from)) => hear(from, &bytes[..length]),
            Err(_) => return,
        }
    }
}
