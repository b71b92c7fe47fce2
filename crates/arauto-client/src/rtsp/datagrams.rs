//! [`Datagrams`]: a pair of UDP sockets, with an even port for RTP and the next one for RTCP.

use std::{io, net::SocketAddr};

use tokio::net::UdpSocket;

use super::RtspEvent;

/// Maximum number of attempts to find two ports. The kernel picks the first; its neighbour is free about every second
/// time.
const MAX_TRIES: usize = 64;
/// Size of the receive buffers, in bytes: enough for any datagram.
const MAX_BYTES: usize = 65_535;

/// The sockets of one stream. Once connected, they receive datagrams only from the server's ports.
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
            // An error means that a datagram sent earlier did not arrive, which RTP tolerates.
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
    /// Binds two free ports of this address; the address's own port is ignored. The zone of a link-local address is
    /// kept.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut failure = io::ErrorKind::AddrInUse.into();
        for _ in 0..MAX_TRIES {
            let one = UdpSocket::bind(at_port(address, 0)).await?;
            let port = one.local_addr()?.port();
            match UdpSocket::bind(at_port(address, port ^ 1)).await {
                Ok(other) => {
                    let (rtp, rtcp) = if port % 2 == 0 { (one, other) } else { (other, one) };
                    let [rtp, rtcp] = [rtp, rtcp].map(|socket| Half { socket, buffer: vec![0; MAX_BYTES] });
                    return Ok(Self { rtp, rtcp });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Returns the ports for RTP and RTCP.
    pub(super) fn ports(&self) -> io::Result<(u16, u16)> {
        Ok((self.rtp.socket.local_addr()?.port(), self.rtcp.socket.local_addr()?.port()))
    }

    /// Restricts sending and receiving to these ports of the server.
    pub(super) async fn connect(&self, server: SocketAddr, (rtp, rtcp): (u16, u16)) -> io::Result<()> {
        self.rtp.socket.connect(at_port(server, rtp)).await?;
        self.rtcp.socket.connect(at_port(server, rtcp)).await
    }

    /// Returns the next packet. Cancel-safe.
    pub(super) async fn next(&mut self) -> RtspEvent {
        tokio::select! {
            packet = self.rtp.next() => RtspEvent::Rtp(packet),
            packet = self.rtcp.next() => RtspEvent::Rtcp(packet),
        }
    }

    /// Sends an RTP packet. Errors are ignored, because any datagram may be lost on the way.
    pub(super) async fn send_rtp(&self, packet: &[u8]) {
        let _ = self.rtp.socket.send(packet).await;
    }

    /// Sends RTCP packets in one datagram. Errors are ignored, too.
    pub(super) async fn send_rtcp(&self, packet: &[u8]) {
        let _ = self.rtcp.socket.send(packet).await;
    }
}
