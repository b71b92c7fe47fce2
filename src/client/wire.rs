//! [`Receiver`] and [`Sender`]: a connection that speaks messages.

use std::io;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::mpsc,
};

use super::{
    Received,
    decoder::{Decoder, Item},
    dial::Stream,
};
use crate::protocol::{Line, Message};

/// The most that is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Messages of a [`queue`] that were not sent yet.
const QUEUED: usize = 16;

/// What the server sends.
pub struct Receiver {
    reader: ReadHalf<Box<dyn Stream>>,
    decoder: Decoder,
    bytes: BytesMut,
    ended: bool,
}

/// What is sent to the server.
pub struct Sender {
    writer: WriteHalf<Box<dyn Stream>>,
}

/// Both halves of a new connection.
#[must_use]
pub fn halves(stream: Box<dyn Stream>) -> (Receiver, Sender) {
    let (reader, writer) = split(stream);
    let (decoder, bytes) = (Decoder::default(), BytesMut::new());
    (Receiver { reader, decoder, bytes, ended: false }, Sender { writer })
}

impl Receiver {
    /// The next message, or `None` once the server has ended the connection. Dropped before it is done, it loses nothing.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn next(&mut self) -> io::Result<Option<Item>> {
        loop {
            if let Some(item) = self.decoder.decode(&mut self.bytes) {
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(self.decoder.end(&mut self.bytes));
            }
            self.bytes.reserve(READ_BYTES);
            self.ended = self.reader.read_buf(&mut self.bytes).await? == 0;
        }
    }
}

impl Sender {
    /// Sends a message.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, message: &Message<'_>) -> io::Result<()> {
        self.writer.write_all(Line::from(message).as_bytes()).await?;
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

/// Sends what it is given from a task of its own: a server that takes nothing for a while must be read from all the same. If
/// sending fails, the queue closes, and the [`Receiver`] learns of it too.
#[must_use]
pub fn queue(mut sender: Sender) -> mpsc::Sender<Received> {
    let (to, mut queue) = mpsc::channel::<Received>(QUEUED);
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            if sender.send(&message.as_message()).await.is_err() {
                return;
            }
        }
    });
    to
}
