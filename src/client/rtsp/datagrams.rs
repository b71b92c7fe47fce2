//! [`Datagrams`]: two UDP sockets, an even port for RTP and the next for RTCP.

use std::{io, net::SocketAddr};

use tokio::net::UdpSocket;

use super::Event;

/// How often ports are looked for. The kernel gives any; each second time the next one is free.
const MOST_TRIES: usize = 64;
/// Room for any datagram.
const MOST_BYTES: usize = 65_535;

/// The sockets of one stream. Once connected, the kernel hands over what comes from the server's ports, and nothing
/// else.
pub(super) struct Datagrams {
    rtp: Half,
    rtcp: Half,
}

struct Half {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Half {
    async fn next(&mut self) -> Vec<u8> {
        loop {
            // What fails is that something sent before did not arrive; RTP lives with that.
            if let Ok(length) = self.socket.recv(&mut self.buffer).await {
                return self.buffer[..length].to_vec();
            }
        }
    }
}

fn at_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

impl Datagrams {
    /// Two free ports of this address, whatever its own. The zone of a link-local address is kept.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut failure = io::ErrorKind::AddrInUse.into();
        for _ in 0..MOST_TRIES {
            let one = UdpSocket::bind(at_port(address, 0)).await?;
            let port = one.local_addr()?.port();
            match UdpSocket::bind(at_port(address, port ^ 1)).await {
                Ok(other) => {
                    let (rtp, rtcp) = if port % 2 == 0 { (one, other) } else { (other, one) };
                    let [rtp, rtcp] = [rtp, rtcp].map(|socket| Half { socket, buffer: vec![0; MOST_BYTES] });
                    return Ok(Self { rtp, rtcp });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// For RTP and RTCP.
    pub(super) fn ports(&self) -> io::Result<(u16, u16)> {
        Ok((self.rtp.socket.local_addr()?.port(), self.rtcp.socket.local_addr()?.port()))
    }

    /// Takes from these ports of the server only, and sends there.
    pub(super) async fn connect(&self, server: SocketAddr, (rtp, rtcp): (u16, u16)) -> io::Result<()> {
        self.rtp.socket.connect(at_port(server, rtp)).await?;
        self.rtcp.socket.connect(at_port(server, rtcp)).await
    }

    /// The next that comes. Dropped before it is done, it loses nothing.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            packet = self.rtp.next() => Event::Rtp(packet),
            packet = self.rtcp.next() => Event::Rtcp(packet),
        }
    }

    /// Sends RTP. One that cannot be sent is lost, as any may be on its way.
    pub(super) async fn send_rtp(&self, packet: &[u8]) {
        let _ = self.rtp.socket.send(packet).await;
    }

    /// Sends RTCP, in the same way.
    pub(super) async fn send_rtcp(&self, packet: &[u8]) {
        let _ = self.rtcp.socket.send(packet).await;
    }
}
