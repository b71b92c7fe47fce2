//! Doors: who connects for audio is served, or told that there is no place.

use std::{cell::Cell, io, rc::Rc, time::Duration};

use actix::{Message, Recipient};
use slog::{Logger, debug, warn};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::tls::{credentials::Credentials, handshake::handshake},
    Door,
    outgoing::{End, Outgoing},
    rtsp::{
        guest::Guest,
        serve::{self, Standing},
        session::unavailable,
    },
    streams::Shared,
};

/// A connection's task to the relay: whatever was said before the connection was there is to be done first. (A thread's own
/// tasks go before messages of others.)
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settle;

/// Connections at a time.
pub const MOST_CONNECTIONS: usize = 4_096;

/// Connections at a time that were not set up for any stream.
pub const MOST_STRANGERS: usize = 256;

/// Connections at a time whose stream has ended and that take no place any more. Further ones keep their places until they
/// are closed.
pub const MOST_LEAVING: usize = 1_024;

/// Time from the server's end until connections whose stream ended with it are closed, if the server runs that long. A
/// player that is told by RTCP BYE can have its TEARDOWN answered.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Rest after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What all doors share.
#[derive(Clone)]
pub struct Hall {
    /// The streams.
    pub streams: Shared,
    /// Cancelled in the end.
    pub close: CancellationToken,
    /// How many are in.
    pub inside: Rc<Inside>,
    /// Who opens streams.
    pub relay: Recipient<Settle>,
    /// The server's log.
    pub log: Logger,
}

/// How many are in.
#[derive(Debug, Default)]
pub struct Inside {
    all: Cell<usize>,
    strangers: Cell<usize>,
    leaving: Cell<usize>,
}

/// One who is in.
struct Presence {
    inside: Rc<Inside>,
    standing: Standing,
}

impl Presence {
    /// One more, if there is room.
    fn take(inside: &Rc<Inside>) -> Option<Self> {
        let Inside { all, strangers, .. } = &**inside;
        let has_room = all.get() < MOST_CONNECTIONS && strangers.get() < MOST_STRANGERS;
        has_room.then(|| {
            inside.count(Standing::Stranger, 1);
            Self { inside: Rc::clone(inside), standing: Standing::Stranger }
        })
    }

    /// Takes the places of another standing, and gives back those of the one before.
    fn stand(&mut self, standing: Standing) {
        let is_new = match (self.standing, standing) {
            (before, after) if before == after => false,
            // One that showed a key stays known.
            (Standing::SetUp, Standing::Stranger) => false,
            (_, Standing::Leaving) => self.inside.leaving.get() < MOST_LEAVING,
            _ => true,
        };
        if is_new {
            self.inside.count(self.standing, -1);
            self.inside.count(standing, 1);
            self.standing = standing;
        }
    }
}

impl Inside {
    fn count(&self, standing: Standing, change: isize) {
        let Self { all, strangers, leaving } = self;
        let counts = match standing {
            Standing::Stranger => &[all, strangers][..],
            Standing::SetUp => &[all],
            Standing::Leaving => &[leaving],
        };
        for count in counts {
            count.update(|count| count.saturating_add_signed(change));
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.inside.count(self.standing, -1);
    }
}

impl Hall {
    /// Serves those who come by this door, until all is over.
    ///
    /// # Errors
    /// If it cannot be listened on.
    pub async fn keep(self, Door { socket, credentials }: Door) -> io::Result<()> {
        let listener = TcpListener::from_std(socket)?;
        let mut is_failing = false;
        while let Some(accepted) = self.close.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    is_failing = false;
                    self.receive(stream, credentials.clone());
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        warn!(self.log, "cannot accept connections for audio, will go on trying"; "error" => %error);
                    }
                    self.close.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
        Ok(())
    }

    fn receive(&self, stream: TcpStream, credentials: Option<Credentials>) {
        let Some(presence) = Presence::take(&self.inside) else {
            debug!(self.log, "no place for an audio connection"; "strangers" => self.inside.strangers.get());
            if credentials.is_none() {
                // A new socket has room for it.
                let _ = stream.try_write(&unavailable());
            }
            return;
        };
        let hall = self.clone();
        actix_rt::spawn(async move {
            if let Err(error) = hall.let_in(stream, credentials, presence).await {
                debug!(hall.log, "an audio connection came to nothing"; "error" => %error);
            }
        });
    }

    async fn let_in(
        &self,
        stream: TcpStream,
        credentials: Option<Credentials>,
        presence: Presence,
    ) -> io::Result<()> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        // Whoever was told an address finds its stream. An error means that all is over.
        let _ = self.relay.send(Settle).await;
        let outgoing = Rc::new(Outgoing::default());
        let guest =
            Guest::new(Rc::clone(&self.streams), Rc::clone(&outgoing), local, peer, credentials.is_some());
        let Some(credentials) = credentials else {
            self.talk(stream, outgoing, guest, presence).await;
            return Ok(());
        };
        let deadline = Instant::now() + serve::PATIENCE;
        match handshake(stream.into_std()?, credentials.get(), deadline).await {
            Ok(stream) => self.talk(stream, outgoing, guest, presence).await,
            Err(failure) => {
                let is_plain = failure.takes_plain_text();
                if let (true, Some(mut socket)) = (is_plain, failure.socket) {
                    socket
                        .write_all(b"RTSP/1.0 400 This port speaks RTSP over TLS: rtsps://\r\n\r\n")
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        outgoing: Rc<Outgoing>,
        guest: Guest,
        mut presence: Presence,
    ) {
        let stands = |standing| presence.stand(standing);
        let served = serve::serve(stream, Rc::clone(&outgoing), guest, stands, &self.log);
        tokio::pin!(served);
        if self.close.run_until_cancelled(served.as_mut()).await.is_some() {
            return;
        }
        if outgoing.ending() == Some(End::Over) && timeout(CLOSE_GRACE, served.as_mut()).await.is_ok() {
            return;
        }
        outgoing.end(End::Now);
        served.await;
    }
}
