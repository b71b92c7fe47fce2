//! [`Reading`]: reads and decodes a file on a thread of its own, slightly ahead of what is sent.

use std::{fs::File, io, thread, time::Duration};

use arauto_rtsp::{
    Format,
    payload::{Packer, Payload},
};
use tokio::sync::{mpsc, oneshot};

use super::source::{NoSource, Source};
use crate::files::NotOpened;

/// Maximum number of payloads read ahead: several seconds of L16, up to 20 s of MP3.
const MAX_READ: usize = 256;

/// Reason why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NoReading {
    /// The file cannot be opened.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// The thread that reads cannot be started.
    #[error("{}", in_words(.0))]
    Io(#[from] io::Error),
    /// The file cannot be streamed.
    #[error(transparent)]
    Source(#[from] NoSource),
}

fn in_words(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// The next item read from a file.
#[derive(Debug)]
pub enum Read {
    /// A payload.
    Payload(Payload),
    /// The end of the file.
    End,
    /// The file could not be read further, for this reason.
    Failed(String),
}

/// A file that is being read. Dropping it stops reading.
pub struct Reading {
    /// Format of the payloads.
    pub format: Format,
    /// Length of the audio, if the file states it.
    pub length: Option<Duration>,
    payloads: mpsc::Receiver<Read>,
}

impl Reading {
    /// Opens a file with `open` and begins to read it.
    ///
    /// # Errors
    /// If the file cannot be opened or cannot be streamed.
    pub async fn spawn<E: Into<NoReading>>(
        open: impl FnOnce() -> Result<File, E> + Send + 'static,
    ) -> Result<Self, NoReading> {
        let (opened, told) = oneshot::channel();
        let (out, payloads) = mpsc::channel(MAX_READ);
        // Not a blocking task of the runtime: at shutdown those are waited for, and a disk may hang.
        thread::Builder::new().name("reading".to_owned()).spawn(move || {
            let source = match open().map_err(Into::into).and_then(|file| Ok(Source::open(file)?)) {
                Ok(source) => source,
                Err(why) => return drop(opened.send(Err(why))),
            };
            // Fails if the reading was dropped.
            if opened.send(Ok((source.format, source.length))).is_ok() {
                let _ = read(source, &out);
            }
        })?;
        // A file on which the reader panics is treated as one without audio.
        let (format, length) = told.await.map_err(|_| NoSource::NoAudio)??;
        Ok(Self { format, length, payloads })
    }

    /// A reading whose payloads are all there already.
    #[cfg(test)]
    pub(super) fn done(format: Format, payloads: impl IntoIterator<Item = Payload>) -> Self {
        let all: Vec<_> = payloads.into_iter().map(Read::Payload).chain([Read::End]).collect();
        let (out, payloads) = mpsc::channel(all.len());
        for read in all {
            out.try_send(read).expect("there is room for all");
        }
        Self { format, length: None, payloads }
    }

    /// Waits for the next item. Must not be called again after anything but `Read::Payload`.
    pub async fn next(&mut self) -> Read {
        let gone = || Read::Failed("what is in it cannot be read".to_owned());
        self.payloads.recv().await.unwrap_or_else(gone)
    }
}

/// Error: the reading was dropped.
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
