//! [`Reading`]: a file that a thread of its own reads and decodes, a little ahead of what is sent.

use std::{fs::File, io, thread, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::source::{NoSource, Source};
use crate::{
    client::files::NotOpened,
    media::{
        Format,
        payload::{Packer, Payload},
    },
};

/// Payloads that were read and not sent. Of L16, some seconds; of MP3, up to 20.
const MOST_READ: usize = 256;

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum NoReading {
    /// The file is not opened.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// There is no thread to read with.
    #[error("{}", in_words(.0))]
    Io(#[from] io::Error),
    /// It is nothing to stream.
    #[error(transparent)]
    Source(#[from] NoSource),
}

fn in_words(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// What is read next.
#[derive(Debug)]
pub enum Read {
    /// This.
    Payload(Payload),
    /// Nothing: the file is at its end.
    End,
    /// Nothing: it could not be read further.
    Failed(String),
}

/// A file that is being read. Dropped, it is not read further.
pub struct Reading {
    /// What it becomes.
    pub format: Format,
    /// How long it plays, if it says so.
    pub length: Option<Duration>,
    payloads: mpsc::Receiver<Read>,
}

impl Reading {
    /// Opens a file in this way, and begins to read it.
    ///
    /// # Errors
    /// If it cannot be opened, or is nothing to stream.
    pub async fn begin<E: Into<NoReading>>(
        open: impl FnOnce() -> Result<File, E> + Send + 'static,
    ) -> Result<Self, NoReading> {
        let (opened, told) = oneshot::channel();
        let (out, payloads) = mpsc::channel(MOST_READ);
        // Not one of the runtime's: at its end, those are waited for, and a disk may hang.
        thread::Builder::new().name("reading".to_owned()).spawn(move || {
            let source = match open().map_err(Into::into).and_then(|file| Ok(Source::open(file)?)) {
                Ok(source) => source,
                Err(why) => return drop(opened.send(Err(why))),
            };
            // Nobody waits any more where that fails.
            if opened.send(Ok((source.format, source.length))).is_ok() {
                let _ = read(source, &out);
            }
        })?;
        // A file that brings the reader down is no better than one that is none.
        let (format, length) = told.await.map_err(|_| NoSource::NoAudio)??;
        Ok(Self { format, length, payloads })
    }

    /// What was read already.
    #[cfg(test)]
    pub(super) fn done(format: Format, payloads: impl IntoIterator<Item = Payload>) -> Self {
        let all: Vec<_> = payloads.into_iter().map(Read::Payload).chain([Read::End]).collect();
        let (out, payloads) = mpsc::channel(all.len());
        for read in all {
            out.try_send(read).expect("there is room for all");
        }
        Self { format, length: None, payloads }
    }

    /// The next payload. Not to be called again after another answer.
    pub async fn next(&mut self) -> Read {
        let gone = || Read::Failed("what is in it cannot be read".to_owned());
        self.payloads.recv().await.unwrap_or_else(gone)
    }
}

/// Nobody wants more.
struct Unwanted;

fn read(mut source: Source, out: &mpsc::Sender<Read>) -> Result<(), Unwanted> {
    let give = |read| out.blocking_send(read).map_err(|_| Unwanted);
    let mut packer = Packer::new(source.format);
    let end = loop {
        match source.next_unit() {
            Ok(Some(unit)) => {
                for payload in packer.push(&unit) {
                    give(Read::Payload(payload))?;
                }
            }
            Ok(None) => break Read::End,
            Err(error) => break Read::Failed(in_words(&error)),
        }
    };
    if let Some(payload) = packer.finish() {
        give(Read::Payload(payload))?;
    }
    give(end)
}
