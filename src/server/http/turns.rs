//! [`Turns`]: a connection of which the HTTP library gets one request at a time.
//!
//! The library parses all input that it has buffered before it answers the first request: 128 KiB can hold about 1,000
//! requests. While they wait for a client that does not read the responses, the library keeps reading without pause. So
//! it gets the head of one request, and nothing more until a response was written and flushed. Bytes that follow wait
//! here, at most 4 KiB, and then in the kernel.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Bytes read at a time.
const READ_BYTES: usize = 4 * 1024;

/// Time for which the client may take nothing of a response, unless the response is a stream.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, and whether its client or the server acts next.
pub struct Turns<S> {
    stream: S,
    /// Bytes that were read and not passed on.
    ahead: BytesMut,
    turn: Turn,
    /// Number of requests that may still come.
    left: u32,
    /// Flag to set once a whole head has come.
    asked: Option<Arc<AtomicBool>>,
    /// Flag that is true while a request is being answered.
    is_busy: Option<Arc<AtomicBool>>,
    /// Timer that runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Flag and the time for which the client may take nothing while it is set.
    lasting: Option<(Arc<AtomicBool>, Duration)>,
}

enum Turn {
    /// The client's turn to send a request. `in_line`: the current line is not empty. An empty line, `\n` or `\r\n`,
    /// ends the head.
    Asking { in_line: bool },
    /// The server's turn to answer.
    Answering { wrote: bool, reader: Option<Waker> },
    /// No more requests are taken.
    Over,
}

impl<S> Turns<S> {
    /// Takes at most `requests` requests from a stream.
    pub fn at_most(stream: S, requests: u32) -> Self {
        Self {
            stream,
            ahead: BytesMut::new(),
            turn: Turn::Asking { in_line: true },
            left: requests,
            asked: None,
            is_busy: None,
            stalled: None,
            lasting: None,
        }
    }

    /// Lets the client take nothing for `stall` while `flag` is set.
    pub fn lasting(self, flag: Arc<AtomicBool>, stall: Duration) -> Self {
        Self { lasting: Some((flag, stall)), ..self }
    }

    /// Sets `asked` once there is a request.
    pub fn telling(self, asked: Arc<AtomicBool>) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Keeps `is_busy` true while a request is being answered.
    pub fn busy(self, is_busy: Arc<AtomicBool>) -> Self {
        Self { is_busy: Some(is_busy), ..self }
    }

    /// Returns the connection and the bytes that were read beyond the last request.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.ahead)
    }

    /// Passes on the outcome of a write, or fails with `TimedOut` if the client takes nothing for too long.
    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let lasting = self.lasting.as_ref().filter(|(flag, _)| flag.load(Ordering::Relaxed));
        let stall = lasting.map_or(STALL_TIMEOUT, |(_, stall)| *stall);
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing of the answer is taken")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, ahead, turn, asked, is_busy, .. } = self.get_mut();
        let in_line = match turn {
            Turn::Asking { in_line } => in_line,
            Turn::Answering { reader, .. } => {
                *reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Turn::Over => return Poll::Ready(Ok(())),
        };
        if ahead.is_empty() {
            let mut room = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(stream).poll_read(cx, &mut read))?;
            ahead.extend_from_slice(read.filled());
        }
        let most = ahead.len().min(buffer.remaining());
        let end = head_end(&ahead[..most], in_line);
        buffer.put_slice(&ahead.split_to(end.unwrap_or(most)));
        if end.is_some() {
            *turn = Turn::Answering { wrote: false, reader: None };
            for flag in asked.take().iter().chain(&*is_busy) {
                flag.store(true, Ordering::Relaxed);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns how many of the bytes belong to a head that ends among them. `in_line`: whether the current line is not
/// empty.
fn head_end(bytes: &[u8], in_line: &mut bool) -> Option<usize> {
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if !*in_line => return Some(place + 1),
            b'\n' => *in_line = false,
            b'\r' => {}
            _ => *in_line = true,
        }
    }
    None
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if polled.is_ready()
            && let Turn::Answering { wrote, .. } = &mut this.turn
        {
            *wrote = true;
        }
        this.watch(polled, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.watch(polled, cx))?;
        if let Turn::Answering { wrote: true, reader } = &mut this.turn {
            if let Some(reader) = reader.take() {
                reader.wake();
            }
            this.left = this.left.saturating_sub(1);
            this.turn = if this.left == 0 { Turn::Over } else { Turn::Asking { in_line: true } };
            if let Some(is_busy) = &this.is_busy {
                is_busy.store(false, Ordering::Relaxed);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch(polled, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Returns what can be read without waiting for more.
    async fn read(turns: &mut Turns<tokio::io::DuplexStream>) -> Option<String> {
        let mut buffer = [0; 1024];
        let read = tokio::time::timeout(Duration::from_millis(1), turns.read(&mut buffer)).await.ok()?;
        Some(String::from_utf8_lossy(&buffer[..read.unwrap()]).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_is_given_when_the_one_before_is_answered() {
        let (mut client, server) = duplex(64 * 1024);
        let mut turns = Turns::at_most(server, 2);
        client.write_all(b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET /2\n\nGET /3\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut turns).await.unwrap(), "GET / HTTP/1.1\r\nA: b\r\n\r\n");
        assert_eq!(read(&mut turns).await, None);
        turns.flush().await.unwrap();
        assert_eq!(read(&mut turns).await, None, "nothing was written yet");
        turns.write_all(b"one").await.unwrap();
        turns.flush().await.unwrap();
        assert_eq!(read(&mut turns).await.unwrap(), "GET /2\n\n");
        assert_eq!(read(&mut turns).await, None);
        turns.write_all(b"two").await.unwrap();
        turns.flush().await.unwrap();
        assert_eq!(read(&mut turns).await.unwrap(), "", "no more are taken");
        let (_, ahead) = turns.into_parts();
        assert_eq!(&ahead[..], b"GET /3\r\n\r\n");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_busy_from_the_end_of_a_request_to_the_end_of_its_answer() {
        let (mut client, server) = duplex(64 * 1024);
        let is_busy = Arc::<AtomicBool>::default();
        let mut turns = Turns::at_most(server, 2).busy(Arc::clone(&is_busy));
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        read(&mut turns).await.unwrap();
        assert!(!is_busy.load(Ordering::Relaxed), "a head that has no end yet");
        client.write_all(b"\r\n").await.unwrap();
        read(&mut turns).await.unwrap();
        assert!(is_busy.load(Ordering::Relaxed));
        turns.write_all(b"one").await.unwrap();
        turns.flush().await.unwrap();
        assert!(!is_busy.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_of_an_answer_is_given_up() {
        let (_client, server) = duplex(16);
        let mut turns = Turns::at_most(server, 1);
        let error = turns.write_all(&[b'x'; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
