//! [`Incoming`]: the connections that arrive at a listening socket, and the errors of accepting them.

use std::{io, iter, mem, net::SocketAddr, time::Duration};

use rustix::io::Errno;
use slog::{Logger, debug};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Pause after an error that the next accept would meet as well. Without it, running out of file descriptors would
/// cause a busy loop.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Accepts the connections of one listening socket.
#[derive(Debug)]
pub struct Incoming {
    listener: TcpListener,
    /// The last accept met an error that concerns all connections.
    is_failing: bool,
    log: Logger,
}

impl Incoming {
    /// Accepts from this socket, which must be non-blocking.
    ///
    /// # Errors
    /// If the socket cannot be registered with the runtime.
    pub fn new(socket: std::net::TcpListener, log: &Logger) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(socket)?, is_failing: false, log: log.clone() })
    }

    /// Waits for the next connection, and retries after errors. `report` gets the first error of each series that
    /// concerns all connections. Dropping the future loses no connection.
    pub async fn next(&mut self, report: impl Fn(&io::Error)) -> (TcpStream, SocketAddr) {
        let Self { listener, is_failing, log } = self;
        retry(async || listener.accept().await, is_failing, log, report).await
    }

    /// Stops waiting. Returns the connections that are established in the kernel and not accepted, until there is none
    /// or one cannot be accepted.
    ///
    /// # Errors
    /// If the socket cannot be taken from the runtime.
    pub fn into_waiting(self) -> io::Result<impl Iterator<Item = (std::net::TcpStream, SocketAddr)>> {
        let listener = self.listener.into_std()?;
        let accept = move || listener.accept();
        Ok(iter::repeat_with(accept)
            .filter(|accepted| !accepted.as_ref().is_err_and(concerns_one_connection))
            .map_while(Result::ok))
    }
}

/// Accepts until that succeeds: at once after an error of one connection, else after [`RETRY_INTERVAL`].
async fn retry<T>(
    accept: impl AsyncFn() -> io::Result<T>,
    is_failing: &mut bool,
    log: &Logger,
    report: impl Fn(&io::Error),
) -> T {
    loop {
        match accept().await {
            Ok(accepted) => {
                *is_failing = false;
                return accepted;
            }
            Err(error) if concerns_one_connection(&error) => {
                debug!(log, "connection closed before it was accepted"; "error" => %error);
            }
            Err(error) => {
                // Reported once for a series of failures, not ten times per second.
                if !mem::replace(is_failing, true) {
                    report(&error);
                }
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

/// Whether an error concerns one connection and says nothing about the next: a signal, a firewall, or an error of the
/// new connection itself, which Linux returns from accept(2). All others, such as a lack of file descriptors or memory,
/// would come again at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::INTR
                | Errno::PERM
                | Errno::CONNABORTED
                | Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::NONET
                | Errno::NOPROTOOPT
                | Errno::PROTO
                | Errno::TIMEDOUT
        )
    )
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use slog::{Discard, o};
    use tokio::time::Instant;

    use super::*;

    /// Accepts one connection after these errors. Returns the errors that were reported and the time that it took.
    async fn accept_after(errors: &[Errno], is_failing: &mut bool) -> (Vec<Errno>, Duration) {
        let (next, reported, start) = (Cell::new(0), RefCell::default(), Instant::now());
        let accept = async || match errors.get(next.replace(next.get() + 1)) {
            Some(errno) => Err(io::Error::from(*errno)),
            None => Ok(()),
        };
        let report =
            |error: &io::Error| Vec::push(&mut reported.borrow_mut(), Errno::from_io_error(error).unwrap());
        retry(accept, is_failing, &Logger::root(Discard, o!()), report).await;
        (reported.take(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_aborted_connection_delays_no_other() {
        let errors = [Errno::CONNABORTED, Errno::PROTO, Errno::PERM, Errno::INTR, Errno::TIMEDOUT];
        assert_eq!(accept_after(&errors, &mut false).await, (vec![], Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn exhaustion_is_reported_once_and_retried_at_intervals() {
        let mut is_failing = false;
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            let errors = [errno, Errno::CONNABORTED, errno, errno];
            assert_eq!(accept_after(&errors, &mut is_failing).await, (vec![errno], 3 * RETRY_INTERVAL));
            assert!(!is_failing, "an accepted connection ends the series");
        }
    }
}
