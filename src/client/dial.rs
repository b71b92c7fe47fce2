//! [`Dialer`]: the way to a server.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::Target;
use crate::escape::Escaped;

/// How long a connection may take to be made, for all of a host's addresses together.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// After how much silence the kernel asks whether the server is still there, and how often, so that a server that lost its
/// power is noticed in half a minute.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// A connection, whatever is between.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection {
    /// It could not be made.
    #[error("cannot connect to {target}: {why}")]
    Failed {
        /// Where to, fit for printing.
        target: String,
        /// What the system says.
        why: io::Error,
    },
    /// Nobody answered.
    #[error("cannot connect to {target}: no answer within {} s", CONNECT_WITHIN.as_secs())]
    Silence {
        /// Where to, fit for printing.
        target: String,
    },
}

/// The way to one server, as often as it is needed.
#[derive(Clone, Debug)]
pub struct Dialer {
    target: Target,
}

impl Dialer {
    /// The way to this server.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target }
    }

    /// Which server.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Connects.
    ///
    /// # Errors
    /// If that fails, or takes longer than [`CONNECT_WITHIN`].
    pub async fn dial(&self) -> Result<Box<dyn Stream>, NoConnection> {
        Ok(Box::new(connect(&self.target).await?))
    }
}

async fn connect(target: &Target) -> Result<TcpStream, NoConnection> {
    let shown = || Escaped(target).to_string();
    let connecting = TcpStream::connect((target.host.as_str(), target.port));
    let stream = match timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => return Err(NoConnection::Failed { target: shown(), why }),
        Err(_) => return Err(NoConnection::Silence { target: shown() }),
    };
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    // Either only makes it better.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    Ok(stream)
}
