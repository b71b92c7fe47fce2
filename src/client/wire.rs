//! [`Receiver`] and [`Sender`]: a connection that speaks messages, with line endings or without, as the server does.
//!
//! A server that has become silent is asked by an echo whether it is still there (`liveness.rs`), whatever the connection is
//! used for. The receiver does this, because it is the half that learns of silence; so both halves share the `Writer`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{Mutex, mpsc},
    task::coop::consume_budget,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    decoder::{Decoder, Framing, Item},
    dial::Stream,
    liveness::{Backlog, Due, Liveness},
};
use crate::protocol::Line;

/// The most that is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Messages of a [`queue`] that were not sent yet.
const QUEUED: usize = 16;

/// The pause between two messages to a server without line endings, which takes what one read brings for one message.
/// As long as the report's client waits.
const UNFRAMED_GAP: Duration = Duration::from_millis(300);

/// When asking a silent server is tried again if the socket had no room for the question.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the server sends.
pub struct Receiver {
    reader: ReadHalf<Box<dyn Stream>>,
    decoder: Decoder,
    bytes: BytesMut,
    ended: bool,
    /// When something came last.
    read_at: Instant,
    liveness: Liveness,
    writer: Arc<Mutex<Writer>>,
    is_unframed: Arc<AtomicBool>,
}

/// What is sent to the server.
pub struct Sender {
    writer: Arc<Mutex<Writer>>,
    is_unframed: Arc<AtomicBool>,
}

/// The sending side. Locked by a [`Sender`] for as long as it writes a message, and tried by the [`Receiver`] to ask a
/// question.
struct Writer {
    half: WriteHalf<Box<dyn Stream>>,
    /// What the socket has not taken yet. It stays here if whoever writes it gives up, so that no message is torn.
    out: BytesMut,
    backlog: Backlog,
    /// When the next message may be sent to a server without line endings.
    not_before: Option<Instant>,
    /// The sending side was shut down.
    is_finished: bool,
}

/// The server has become silent.
#[derive(Debug, thiserror::Error)]
#[error("no answer for {} s", .0.as_secs())]
struct NoAnswer(Duration);

/// Both halves of a new connection. Whether the server sends line endings is found out by how it asks for the name.
#[must_use]
pub fn halves(stream: Box<dyn Stream>) -> (Receiver, Sender) {
    halves_framed(stream, Framing::Undecided)
}

/// The same, where that may be known.
#[must_use]
pub fn halves_framed(stream: Box<dyn Stream>, framing: Framing) -> (Receiver, Sender) {
    let (reader, half) = split(stream);
    let now = Instant::now();
    let is_unframed = Arc::new(AtomicBool::new(framing == Framing::Unframed));
    let writer = Arc::new(Mutex::new(Writer {
        half,
        out: BytesMut::new(),
        backlog: Backlog::new(now),
        not_before: None,
        is_finished: false,
    }));
    let receiver = Receiver {
        reader,
        decoder: Decoder::new(framing),
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
    /// By which name the server knows us. Where there are no line endings, that tells where messages begin.
    pub fn call_me(&mut self, name: &str) {
        self.decoder.call_me(name);
    }

    /// Whether the server sends no line endings. Known once the name was asked for.
    #[must_use]
    pub fn is_unframed(&self) -> bool {
        self.decoder.framing() == Framing::Unframed
    }

    /// The next message, or `None` once the server has ended the connection. Dropped before it is done, it loses
    /// nothing.
    ///
    /// # Errors
    /// If the connection breaks, or the server gives no sign of life for 25 s.
    pub async fn next(&mut self) -> io::Result<Option<Item>> {
        // One read can hold thousands of messages. Without this, whoever takes them all in a loop would never come to see that
        // its time is over.
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
            let patience = self.decoder.patience(&self.bytes);
            let reading = self.reader.read_buf(&mut self.bytes);
            // By when it was read, not by when this was called.
            let silence = patience.map(|patience| self.read_at + patience);
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

    /// Whether an item is the answer to a question that this asked.
    fn is_for_us(&mut self, item: &Item) -> bool {
        matches!(item, Item::Message(message) if self.liveness.is_answer(message))
    }

    /// Asks a silent server whether it is still there, or gives it up.
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
        // A sender that is at it waits for room, for which the kernel has its own limit, or has paused.
        let writer = self.writer.try_lock().ok().filter(|writer| writer.takes_question(is_unframed, now));
        let (Some(mut writer), Some(question)) = (writer, self.liveness.question()) else {
            self.liveness.ask_later(now + ASK_AGAIN);
            return Ok(());
        };
        let backlog = writer.backlog.time(now);
        writer.put(&question, is_unframed);
        // What the socket does not take at once is sent before the next message.
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
        self.backlog.add(bytes.len(), now);
        if is_unframed {
            self.not_before = Some(now + UNFRAMED_GAP);
        }
    }

    /// Writes what is put. Dropped before it is done, it goes on the next time.
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
    /// Waits for the pause that a server without line endings needs before the next message. Dropped before it is done, it
    /// loses nothing.
    pub async fn paused(&self) {
        self.writer.lock().await.paused().await;
    }

    /// Sends a message. To a server without line endings, after a pause.
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

    /// How much longer than usual the server may take for an answer because of what was sent before.
    pub async fn backlog(&self) -> Duration {
        self.writer.lock().await.backlog.time(Instant::now())
    }

    /// Sends no more. The server answers what it got, and ends the connection.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn finish(&mut self) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        writer.is_finished = true;
        writer.half.shutdown().await
    }
}

/// The kernel's words for a peer that acknowledges nothing, as [`NoAnswer`] says it.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::TimedOut if error.raw_os_error().is_some() => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer: the server's machine acknowledges nothing")
        }
        _ => error,
    }
}

/// A line as a server reads it as a message: one that begins with a slash could be taken for a short form, and what a user
/// called `/all` says to one be said to all. Then SENDER is left out, which means oneself.
fn unmistakable(line: &Line) -> &[u8] {
    let bytes = line.as_bytes();
    match memchr::memmem::find(bytes, b" | ") {
        Some(sender_end) if bytes.starts_with(b"/") => &bytes[sender_end..],
        _ => bytes,
    }
}

/// Sends what it is given from a task of its own: a server that takes nothing for a while must be read from all the
/// same. If sending fails, the queue closes, and the [`Receiver`] learns of it too.
#[must_use]
pub fn queue(mut sender: Sender) -> mpsc::Sender<Line> {
    let (to, mut queue) = mpsc::channel::<Line>(QUEUED);
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
