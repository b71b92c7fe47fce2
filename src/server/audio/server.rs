//! Accepts RTSP connections, plain and over TLS; serves each, or rejects it.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, time::Duration};

use actix::{Message, Recipient};
use slog::{Logger, debug, warn};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    RtspListener,
    connection_limiter::{ConnectionLimiter, ConnectionPermit, Standing},
    outgoing::{End, Outgoing},
    rtsp::{
        response::{forbidden, unavailable},
        serve,
        stream_access::StreamAccess,
    },
    streams::SharedStreams,
};
use crate::server::{
    common::block::Block,
    net::{
        incoming::Incoming,
        tls::{credentials::Credentials, handshake::handshake},
    },
};

/// A message without effect from a connection's task to the relay. Its answer shows that the relay has handled all
/// messages sent before the connection was accepted. (A thread runs its own tasks before it handles messages from other
/// threads.)
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settle;

/// Time for which an evicted connection is held before it is closed. This slows down a client that reconnects whenever
/// its connection is closed.
const HOLD_TIME: Duration = Duration::from_secs(1);

/// Time from the server's end until connections whose stream ended with it are closed, if the server runs that long. A
/// player that receives RTCP BYE can have its TEARDOWN answered.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The state that all listening sockets share.
#[derive(Clone)]
pub struct RtspServer {
    /// The streams.
    pub streams: SharedStreams,
    /// Cancelled when the server closes.
    pub close: CancellationToken,
    /// Bounds the number of connections.
    pub limiter: Rc<RefCell<ConnectionLimiter>>,
    /// The actor that opens streams.
    pub relay: Recipient<Settle>,
    /// The server's log.
    pub log: Logger,
}

impl RtspServer {
    /// Accepts and serves connections of this socket until the server closes.
    ///
    /// # Errors
    /// If the socket cannot be registered with the runtime.
    pub async fn accept_all(self, RtspListener { socket, credentials }: RtspListener) -> io::Result<()> {
        let report = |error: &io::Error| {
            warn!(self.log, "cannot accept audio connections; retrying"; "error" => %error);
        };
        let mut incoming = Incoming::new(socket, &self.log)?;
        while let Some((stream, peer)) = self.close.run_until_cancelled(incoming.next(report)).await {
            self.receive(stream, peer, credentials.clone());
        }
        Ok(())
    }

    fn receive(&self, stream: TcpStream, peer: SocketAddr, credentials: Option<Credentials>) {
        if self.streams.borrow().is_banned(peer.ip()) {
            debug!(self.log, "audio connection refused: its address is banned"; "peer" => %peer);
            if credentials.is_none() {
                let _ = stream.try_write(&forbidden());
            }
            return;
        }
        let Some(permit) = ConnectionLimiter::enter(&self.limiter, Block::of(peer.ip())) else {
            debug!(self.log, "audio connection refused: too many connections");
            if credentials.is_none() {
                // The send buffer of a new socket has room for it.
                let _ = stream.try_write(&unavailable());
            }
            return;
        };
        let server = self.clone();
        actix_rt::spawn(async move {
            let let_in = match credentials {
                None => server.let_in(stream, peer, permit).await,
                Some(credentials) => server.let_in_by_tls(stream, peer, &credentials, permit).await,
            };
            if let Err(error) = let_in {
                debug!(server.log, "audio connection failed"; "error" => %error);
            }
        });
    }

    async fn let_in(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        mut permit: ConnectionPermit,
    ) -> io::Result<()> {
        let local = stream.local_addr()?;
        let fate = self.talk(&mut stream, (local, peer), false, &mut permit).await;
        // A connection that was only waiting to be closed is closed without a response.
        if fate == Fate::Evicted && !permit.is_closing() {
            self.hold(permit).await;
            let _ = stream.try_write(&unavailable());
        }
        Ok(())
    }

    async fn let_in_by_tls(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        credentials: &Credentials,
        mut permit: ConnectionPermit,
    ) -> io::Result<()> {
        let local = stream.local_addr()?;
        let deadline = Instant::now() + serve::SETUP_TIMEOUT;
        let evicted = permit.evicted();
        // Until the handshake begins, the socket is still available to be held.
        let mut byte = [0];
        let first = timeout_at(deadline, stream.peek(&mut byte));
        if evicted.run_until_cancelled(first).await.is_none() {
            self.hold(permit).await;
            return Ok(());
        }
        let shaking = handshake(stream.into_std()?, credentials.get(), deadline);
        let Some(shaken) = evicted.run_until_cancelled(shaking).await else { return Ok(()) };
        let mut stream = match shaken {
            Ok(stream) => stream,
            Err(failure) => {
                let is_plain = failure.takes_plain_text();
                if let (true, Some(mut socket)) = (is_plain, failure.socket) {
                    let words = b"RTSP/1.0 400 This port speaks RTSP over TLS: rtsps://\r\n\r\n";
                    socket.write_all(words).await?;
                }
                return Ok(());
            }
        };
        let fate = self.talk(&mut stream, (local, peer), true, &mut permit).await;
        if fate == Fate::Evicted && !permit.is_closing() {
            self.hold(permit).await;
        }
        Ok(())
    }

    /// Serves a connection until its end, or until it is evicted.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        (local, peer): (SocketAddr, SocketAddr),
        is_secure: bool,
        permit: &mut ConnectionPermit,
    ) -> Fate {
        // A client that has received an address finds its stream open. An error means that the relay has stopped.
        let _ = self.relay.send(Settle).await;
        let outgoing = Rc::new(Outgoing::default());
        let access =
            StreamAccess::new(Rc::clone(&self.streams), Rc::clone(&outgoing), local, peer, is_secure);
        let evicted = permit.evicted();
        let stands = |standing| permit.set_standing(standing);
        let served = serve::serve(stream, Rc::clone(&outgoing), access, stands, &self.log);
        let fate = async {
            match evicted.run_until_cancelled(served).await {
                Some(()) => Fate::Served,
                None => Fate::Evicted,
            }
        };
        tokio::pin!(fate);
        if let Some(fate) = self.close.run_until_cancelled(fate.as_mut()).await {
            return fate;
        }
        if outgoing.ending() == Some(End::Over)
            && let Ok(fate) = timeout(CLOSE_TIMEOUT, fate.as_mut()).await
        {
            return fate;
        }
        outgoing.end(End::Now);
        fate.await
    }

    /// Holds an evicted connection for [`HOLD_TIME`], unless too many are held.
    async fn hold(&self, mut permit: ConnectionPermit) {
        permit.set_standing(Standing::Closing);
        let evicted = permit.evicted();
        tokio::select! {
            () = sleep(HOLD_TIME) => {}
            () = evicted.cancelled() => {}
            () = self.close.cancelled() => {}
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The connection ended by itself, or with the server.
    Served,
    /// The connection was evicted.
    Evicted,
}
