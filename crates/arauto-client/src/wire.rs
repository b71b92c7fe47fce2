//! [`Receiver`] and [`Sender`]: the two halves of a connection that carries messages, with line endings or without,
//! as the server does.
//!
//! On every connection, the receiver sends an echo to a server that has become silent (`liveness.rs`). The receiver
//! does this because it is the half that notices silence, so both halves share the `Writer`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arauto_protocol::Line;
use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{Mutex, mpsc},
    task::coop::consume_budget,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    decoder::{Framing, Item, MessageDecoder},
    dial::Stream,
    liveness::{Due, InFlightBytes, Liveness},
};

/// Maximum size of one read, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// Capacity of a [`queue`], in messages.
const QUEUE_CAPACITY: usize = 16;

/// Pause between two messages to a server without line endings, which takes the bytes of one read for one message.
/// The report's client waits as long.
const UNFRAMED_GAP: Duration = Duration::from_millis(300);

/// Interval between attempts to send the echo while the socket has no room for it.
const ECHO_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The receiving half of a connection.
pub struct Receiver {
    reader: ReadHalf<Box<dyn Stream>>,
    decoder: MessageDecoder,
    bytes: BytesMut,
    ended: bool,
    /// When the last read returned.
    read_at: Instant,
    liveness: Liveness,
    writer: Arc<Mutex<Writer>>,
    is_unframed: Arc<AtomicBool>,
}

/// The sending half of a connection.
pub struct Sender {
    writer: Arc<Mutex<Writer>>,
    is_unframed: Arc<AtomicBool>,
}

/// The write side. A [`Sender`] holds its lock while it writes a message; the [`Receiver`] only tries the lock to
/// send an echo.
struct Writer {
    half: WriteHalf<Box<dyn Stream>>,
    /// Bytes that the socket has not taken yet. They stay here if the writing task is cancelled, so that no message
    /// is torn.
    out: BytesMut,
    in_flight: InFlightBytes,
    /// When the next message may be sent to a server without line endings.
    not_before: Option<Instant>,
    /// The write side was shut down.
    is_finished: bool,
}

/// The server was silent for this long, although an echo was sent.
#[derive(Debug, thiserror::Error)]
#[error("no answer for {} s", .0.as_secs())]
struct NoAnswer(Duration);

/// Splits a new connection into its halves. The name request shows whether the server sends line endings.
#[must_use]
pub fn halves(stream: Box<dyn Stream>) -> (Receiver, Sender) {
    halves_framed(stream, Framing::Undecided)
}

/// Splits a new connection whose framing may be known already.
#[must_use]
pub fn halves_framed(stream: Box<dyn Stream>, framing: Framing) -> (Receiver, Sender) {
    let (reader, half) = split(stream);
    let now = Instant::now();
    let is_unframed = Arc::new(AtomicBool::new(framing == Framing::Unframed));
    let writer = Arc::new(Mutex::new(Writer {
        half,
        out: BytesMut::new(),
        in_flight: InFlightBytes::new(now),
        not_before: None,
        is_finished: false,
    }));
    let receiver = Receiver {
        reader,
        decoder: MessageDecoder::new(framing),
        bytes: BytesMut::new(),
        ended: false,
        read_at: now,
        liveness: Liveness::new(now),
        writer: Arc::clone(&writer),
        is_unframed: Arc::clone(&is_unframed),
    };
    (receiver, Sender { writer, is_unframed })
}

impl Receiver {
    /// Sets this client's name as the server knows it. Without line endings, the name helps to find where messages
    /// begin.
    pub fn call_me(&mut self, name: &str) {
        self.decoder.call_me(name);
    }

    /// Whether the server sends no line endings. Known once the server has asked for the name.
    #[must_use]
    pub fn is_unframed(&self) -> bool {
        self.decoder.framing() == Framing::Unframed
    }

    /// Returns the next message, or `None` once the server has ended the connection. Cancel-safe.
    ///
    /// # Errors
    /// If the connection breaks, or nothing arrives for 25 s or longer although an echo was sent.
    pub async fn next(&mut self) -> io::Result<Option<Item>> {
        // A single read can hold thousands of messages. Without this, a caller that takes them in a loop would never
        // yield, and would miss its own deadline.
        consume_budget().await;
        loop {
            if let Some(item) = self.decoder.decode(&mut self.bytes) {
                if self.is_for_us(&item) {
                    continue;
                }
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(self.decoder.end(&mut self.bytes));
            }
            self.bytes.reserve(READ_BYTES);
            let before = self.bytes.len();
            let silence_timeout = self.decoder.silence_timeout(&self.bytes);
            let reading = self.reader.read_buf(&mut self.bytes);
            // Silence counts from the last read, however often this method is called meanwhile.
            let silence = silence_timeout.map(|timeout| self.read_at + timeout);
            let read = match silence.into_iter().chain(self.liveness.deadline()).min() {
                None => Ok(reading.await),
                Some(until) => timeout_at(until, reading).await,
            };
            let Ok(read) = read else {
                if silence.is_none_or(|silence| Instant::now() < silence) {
                    self.ask()?;
                    continue;
                }
                let item = self.decoder.silence(&mut self.bytes);
                self.is_unframed.store(self.decoder.framing() == Framing::Unframed, Ordering::Relaxed);
                match item {
                    Some(item) if !self.is_for_us(&item) => return Ok(Some(item)),
                    _ => continue,
                }
            };
            let read = read.map_err(in_words)?;
            if read > 0 {
                self.decoder.read_begins(before);
            }
            self.read_at = Instant::now();
            self.liveness.heard(self.read_at);
            self.ended = read == 0;
        }
    }

    /// Whether the item is the answer to an echo of this connection.
    fn is_for_us(&mut self, item: &Item) -> bool {
        matches!(item, Item::Message(message) if self.liveness.is_answer(message))
    }

    /// Sends an echo to a silent server, or gives the server up.
    fn ask(&mut self) -> io::Result<()> {
        let now = Instant::now();
        match self.liveness.due(now) {
            None => return Ok(()),
            Some(Due::Gone(silence)) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, NoAnswer(silence)));
            }
            Some(Due::Ask) => {}
        }
        let is_unframed = self.is_unframed.load(Ordering::Relaxed);
        // If a sender holds the lock, it waits for room, for which the kernel has its own time limit, or it pauses.
        let writer = self.writer.try_lock().ok().filter(|writer| writer.takes_question(is_unframed, now));
        let (Some(mut writer), Some(question)) = (writer, self.liveness.question()) else {
            self.liveness.ask_later(now + ECHO_RETRY_INTERVAL);
            return Ok(());
        };
        let backlog = writer.in_flight.time(now);
        writer.put(&question, is_unframed);
        // Bytes that the socket does not take at once are sent before the next message.
        if let Some(written) = writer.write_out().now_or_never() {
            written.map_err(in_words)?;
        }
        self.liveness.asked(now, backlog);
        Ok(())
    }
}

impl Writer {
    fn takes_question(&self, is_unframed: bool, now: Instant) -> bool {
        let is_pausing = is_unframed && self.not_before.is_some_and(|then| now < then);
        !self.is_finished && self.out.is_empty() && !is_pausing
    }

    fn put(&mut self, line: &Line, is_unframed: bool) {
        let now = Instant::now();
        let bytes = line.as_bytes();
        let bytes = if is_unframed { bytes.strip_suffix(b"\n").unwrap_or(bytes) } else { unmistakable(line) };
        self.out.extend_from_slice(bytes);
        self.in_flight.add(bytes.len(), now);
        if is_unframed {
            self.not_before = Some(now + UNFRAMED_GAP);
        }
    }

    /// Writes all buffered bytes. If cancelled, the next call continues.
    async fn write_out(&mut self) -> io::Result<()> {
        self.half.write_all_buf(&mut self.out).await?;
        self.half.flush().await
    }

    async fn paused(&self) {
        if let Some(then) = self.not_before {
            sleep_until(then).await;
        }
    }
}

impl Sender {
    /// Waits for the pause that a server without line endings needs before the next message. Cancel-safe.
    pub async fn paused(&self) {
        self.writer.lock().await.paused().await;
    }

    /// Sends a message; to a server without line endings, after the pause.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, line: &Line) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        let is_unframed = self.is_unframed.load(Ordering::Relaxed);
        if is_unframed {
            writer.paused().await;
        }
        writer.put(line, is_unframed);
        writer.write_out().await.map_err(in_words)
    }

    /// Returns how much longer than usual an answer may take because of the data sent before.
    pub async fn backlog(&self) -> Duration {
        self.writer.lock().await.in_flight.time(Instant::now())
    }

    /// Shuts the write side down. The server answers what it has received, and ends the connection.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn finish(&mut self) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        writer.is_finished = true;
        writer.half.shutdown().await
    }
}

/// Words the kernel's timeout, for a peer that acknowledges nothing, in the manner of [`NoAnswer`].
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::TimedOut if error.raw_os_error().is_some() => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer: the server's machine acknowledges nothing")
        }
        _ => error,
    }
}

/// Returns the bytes of a line that a server cannot take for a short form. A line beginning with a slash could be
/// one: a private message of a user called `/all` would go to all clients. Such a line is sent without SENDER, which
/// means the client itself.
fn unmistakable(line: &Line) -> &[u8] {
    let bytes = line.as_bytes();
    match memchr::memmem::find(bytes, b" | ") {
        Some(sender_end) if bytes.starts_with(b"/") => &bytes[sender_end..],
        _ => bytes,
    }
}

/// Sends lines from a task of its own, because reading must go on while the server takes nothing. If sending fails,
/// the queue closes, and the [`Receiver`] gets an error, too.
#[must_use]
pub fn queue(mut sender: Sender) -> mpsc::Sender<Line> {
    let (to, mut queue) = mpsc::channel::<Line>(QUEUE_CAPACITY);
    tokio::spawn(async move {
        while let Some(line) = queue.recv().await {
            if sender.send(&line).await.is_err() {
                return;
            }
        }
    });
    to
}

#[cfg(test)]
mod tests;
