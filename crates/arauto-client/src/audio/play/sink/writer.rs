//! Writes WAV to a file or to standard output from a thread of its own, so that a slow disk or reader delays nothing
//! else.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
    thread,
};

use futures_util::future::BoxFuture;
use tokio::sync::{
    mpsc::{Receiver, Sender, channel},
    oneshot,
};

use super::{ClockSource, Sink, Spec, wav};

/// Maximum number of queued pieces, each of at most [`ROOM`] frames.
const MAX_WAITING: usize = 16;
/// Maximum number of frames taken at a time.
const ROOM: usize = 48_000;

/// A sink that writes WAV.
pub struct Writer {
    pieces: Option<Sender<Vec<u8>>>,
    done: Option<oneshot::Receiver<io::Result<()>>>,
    bytes: u64,
}

/// Writes a WAV file, replacing an existing one. The header is correct once the sink is finished.
pub fn file(path: &Path, spec: Spec) -> io::Result<Writer> {
    let mut file = File::create(path)?;
    file.write_all(&wav::header(spec, None))?;
    Writer::spawn(move |pieces| {
        let mut out = BufWriter::new(file);
        let bytes = write(pieces, &mut out)?;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // A pipe cannot seek, so it keeps the first header.
        if file.seek(SeekFrom::Start(0)).is_ok() {
            file.write_all(&wav::header(spec, Some(bytes)))?;
        }
        Ok(())
    })
}

/// Writes to standard output. The length is unknown, so the header states the maximum.
pub fn stdout(spec: Spec) -> io::Result<Writer> {
    Writer::spawn(move |pieces| {
        let mut out = io::stdout().lock();
        out.write_all(&wav::header(spec, None))?;
        write(pieces, &mut out)?;
        Ok(())
    })
}

/// Writes all pieces. Returns their total length in bytes.
fn write(mut pieces: Receiver<Vec<u8>>, out: &mut impl Write) -> io::Result<u32> {
    let mut bytes = 0;
    while let Some(piece) = pieces.blocking_recv() {
        out.write_all(&piece)?;
        if pieces.is_empty() {
            out.flush()?;
        }
        bytes += piece.len() as u64;
    }
    out.flush()?;
    Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
}

impl Writer {
    fn spawn(write: impl FnOnce(Receiver<Vec<u8>>) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (pieces, to_write) = channel(MAX_WAITING);
        let (tell, done) = oneshot::channel();
        thread::Builder::new().name("sound".to_owned()).spawn(move || {
            // The receiver is gone if the sink was dropped.
            let _ = tell.send(write(to_write));
        })?;
        Ok(Self { pieces: Some(pieces), done: Some(done), bytes: 0 })
    }
}

impl Sink for Writer {
    fn clock(&self) -> ClockSource {
        ClockSource::Sender
    }

    fn room(&mut self) -> io::Result<usize> {
        if let Some(done) = &mut self.done {
            match done.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {}
                Ok(Err(why)) => return Err(why),
                _ => return Err(io::Error::other("the thread that writes died")),
            }
        }
        let has_room = self.pieces.as_ref().is_some_and(|pieces| pieces.capacity() > 0);
        Ok(if has_room { ROOM } else { 0 })
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        let piece = wav::to_bytes(samples);
        self.bytes += piece.len() as u64;
        if self.bytes > u64::from(wav::MAX_BYTES) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "WAV holds no more than 4 GiB"));
        }
        if let Some(pieces) = &self.pieces {
            // If the thread is gone, the next call of `room` says why.
            let _ = pieces.try_send(piece);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(async move {
            self.pieces = None;
            match self.done.take() {
                Some(done) => {
                    done.await.unwrap_or_else(|_| Err(io::Error::other("the thread that writes died")))
                }
                None => Ok(()),
            }
        })
    }
}
