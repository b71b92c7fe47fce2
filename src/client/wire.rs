//! [`Receiver`] and [`Sender`]: a connection that speaks messages, with line endings or without, as the server does.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::mpsc,
    task::coop::consume_budget,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    decoder::{Decoder, Framing, Item},
    dial::Stream,
};
use crate::protocol::Line;

/// The most that is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Messages of a [`queue`] that were not sent yet.
const QUEUED: usize = 16;

/// The pause between two messages to a server without line endings, which takes what one read brings for one message.
/// As long as the report's client waits.
const UNFRAMED_GAP: Duration = Duration::from_millis(300);

/// What the server sends.
pub struct Receiver {
    reader: ReadHalf<Box<dyn Stream>>,
    decoder: Decoder,
    bytes: BytesMut,
    ended: bool,
    /// When something came last.
    read_at: Instant,
    is_unframed: Arc<AtomicBool>,
}

/// What is sent to the server.
pub struct Sender {
    writer: WriteHalf<Box<dyn Stream>>,
    /// When the next message may be sent to a server without line endings.
    not_before: Option<Instant>,
    is_unframed: Arc<AtomicBool>,
}

/// Both halves of a new connection. Whether the server sends line endings is found out by how it asks for the name.
#[must_use]
pub fn halves(stream: Box<dyn Stream>) -> (Receiver, Sender) {
    halves_framed(stream, Framing::Undecided)
}

/// The same, where that may be known.
#[must_use]
pub fn halves_framed(stream: Box<dyn Stream>, framing: Framing) -> (Receiver, Sender) {
    let (reader, writer) = split(stream);
    let is_unframed = Arc::new(AtomicBool::new(framing == Framing::Unframed));
    let receiver = Receiver {
        reader,
        decoder: Decoder::new(framing),
        bytes: BytesMut::new(),
        ended: false,
        read_at: Instant::now(),
        is_unframed: Arc::clone(&is_unframed),
    };
    (receiver, Sender { writer, not_before: None, is_unframed })
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
    /// If the connection breaks.
    pub async fn next(&mut self) -> io::Result<Option<Item>> {
        // One read can hold thousands of messages. Without this, whoever takes them all in a loop would never come to see that
        // its time is over.
        consume_budget().await;
        loop {
            if let Some(item) = self.decoder.decode(&mut self.bytes) {
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
            let until = patience.map(|patience| self.read_at + patience);
            let read = match until {
                None => Ok(reading.await),
                Some(until) => timeout_at(until, reading).await,
            };
            let Ok(read) = read else {
                let item = self.decoder.silence(&mut self.bytes);
                self.is_unframed.store(self.decoder.framing() == Framing::Unframed, Ordering::Relaxed);
                if item.is_some() {
                    return Ok(item);
                }
                continue;
            };
            let read = read?;
            if read > 0 {
                self.decoder.read_begins(before);
            }
            self.read_at = Instant::now();
            self.ended = read == 0;
        }
    }
}

impl Sender {
    /// Waits for the pause that a server without line endings needs before the next message. Dropped before it is done, it
    /// loses nothing.
    pub async fn paused(&self) {
        if let Some(then) = self.not_before {
            sleep_until(then).await;
        }
    }

    /// Sends a message. To a server without line endings, after a pause.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, line: &Line) -> io::Result<()> {
        if self.is_unframed.load(Ordering::Relaxed) {
            self.paused().await;
            self.not_before = Some(Instant::now() + UNFRAMED_GAP);
            let text = line.as_bytes();
            self.writer.write_all(text.strip_suffix(b"\n").unwrap_or(text)).await?;
        } else {
            self.writer.write_all(unmistakable(line)).await?;
        }
        self.writer.flush().await
    }

    /// Sends no more. The server answers what it got, and ends the connection.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.writer.shutdown().await
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
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_without_line_endings_gets_none_and_a_pause() {
        let (ours, mut theirs) = duplex(1024);
        let (mut receiver, mut sender) = halves(Box::new(ours));
        theirs.write_all(b"server | client | name | no data").await.unwrap();
        let Some(Item::Message(request)) = receiver.next().await.unwrap() else { panic!("no message") };
        let begin = Instant::now();
        for _ in 0..2 {
            sender.send(&Line::new(&request.as_message()).unwrap()).await.unwrap();
        }
        assert_eq!(begin.elapsed(), UNFRAMED_GAP);
        let text = "server | client | name | no data";
        let mut sent = vec![0; 1024];
        let length = theirs.read(&mut sent).await.unwrap();
        assert_eq!(std::str::from_utf8(&sent[..length]).unwrap(), [text, text].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_messages_hides_no_deadline() {
        let (ours, mut theirs) = duplex(1 << 20);
        let (mut receiver, _sender) = halves_framed(Box::new(ours), Framing::Lines);
        theirs.write_all("bob | all clients | broadcast | hi\n".repeat(10_000).as_bytes()).await.unwrap();
        let mut taken = 0;
        let taking = async {
            while let Ok(Some(_)) = receiver.next().await {
                taken += 1;
            }
        };
        // The time is over before the first message is taken.
        assert!(tokio::time::timeout(Duration::ZERO, taking).await.is_err());
        assert!(taken < 1000, "{taken}");
    }

    #[tokio::test]
    async fn no_name_is_taken_for_a_short_form() {
        for (line, sent) in [
            ("/all | bob | private_message | hi", " | bob | private_message | hi\n"),
            ("ana | bob | private_message | /hi", "ana | bob | private_message | /hi\n"),
        ] {
            let (ours, mut theirs) = duplex(1024);
            let (_receiver, mut sender) = halves_framed(Box::new(ours), Framing::Lines);
            let message = crate::protocol::Message::parse(line).unwrap();
            sender.send(&Line::new(&message).unwrap()).await.unwrap();
            let mut read = vec![0; 1024];
            let length = theirs.read(&mut read).await.unwrap();
            assert_eq!(std::str::from_utf8(&read[..length]).unwrap(), sent);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_read_however_often_it_is_asked_for() {
        let (ours, mut theirs) = duplex(1024);
        let (mut receiver, _sender) = halves_framed(Box::new(ours), Framing::Unframed);
        theirs.write_all(b"bob | all clients | broadcast | hi").await.unwrap();
        let mut asked = 0;
        let item = loop {
            asked += 1;
            let patience = Duration::from_millis(30);
            if let Ok(item) = tokio::time::timeout(patience, receiver.next()).await {
                break item.unwrap();
            }
        };
        assert!(matches!(item, Some(Item::Message(message)) if message.data == "hi"));
        assert_eq!(asked, 4);
    }
}
