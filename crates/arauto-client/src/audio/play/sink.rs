//! [`Sink`]: the destination of samples.

mod card;
#[cfg(feature = "cpal")]
mod device;
mod null;
mod pulse;
mod ring;
pub mod wav;
mod writer;

use std::{io, path::PathBuf};

use futures_util::future::BoxFuture;

use super::{Spec, playout::ClockSource};

pub use null::Null;

/// Takes interleaved samples from -1 to 1.
pub trait Sink: Send {
    /// The clock that decides when a sample is due.
    fn clock(&self) -> ClockSource;

    /// Number of frames that can be written now. The caller asks again some milliseconds later.
    ///
    /// # Errors
    /// If the sink has failed.
    fn room(&mut self) -> io::Result<usize>;

    /// Writes samples, at most as many frames as [`Self::room`] returned.
    ///
    /// # Errors
    /// If the sink cannot take them.
    fn write(&mut self, samples: &[f32]) -> io::Result<()>;

    /// Waits until all samples are audible or written.
    fn finish(self: Box<Self>) -> BoxFuture<'static, io::Result<()>>;
}

/// Where samples go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To the sound server or sound card of this machine.
    Card,
    /// To a WAV file.
    File(PathBuf),
    /// To standard output, as WAV.
    Stdout,
}

/// Reason why an output is not available.
#[derive(Debug, thiserror::Error)]
pub enum NoSink {
    /// There is no sound server or sound card. The text says why.
    #[error("no audio output is available ({0}); arauto play with --output FILE.wav writes a file instead")]
    NoCard(String),
    /// The file cannot be written.
    #[error("{file}: {why}")]
    File {
        /// Path of the file.
        file: String,
        /// Reason.
        why: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<card::CardError> for NoSink {
    fn from(why: card::CardError) -> Self {
        Self::NoCard(why.to_string())
    }
}

/// An output that was checked and is likely to take samples.
pub enum Ready {
    /// A sound server or card.
    Card(card::Card),
    /// A WAV file.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// A sink made by this function, for tests.
    Made(Box<dyn FnMut(Spec) -> Box<dyn Sink> + Send>),
}

impl Output {
    /// Checks whether the output is available, before a stream is requested for it.
    ///
    /// # Errors
    /// If it is not.
    pub fn prepare(&self) -> Result<Ready, NoSink> {
        match self {
            Self::Card => Ok(Ready::Card(card::Card::find()?)),
            Self::File(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let failed = |why| NoSink::File { file: path.display().to_string(), why };
                if let Some(folder) = folder {
                    std::fs::metadata(folder).map_err(failed)?;
                }
                if path.is_dir() {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                Ok(Ready::File(path.clone()))
            }
            Self::Stdout => Ok(Ready::Stdout),
        }
    }
}

impl Ready {
    /// The clock that the sink will follow.
    #[must_use]
    pub fn clock(&self) -> ClockSource {
        match self {
            Self::Card(_) | Self::Made(_) => ClockSource::Card,
            Self::File(_) | Self::Stdout => ClockSource::Sender,
        }
    }

    /// Opens the output.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, NoSink> {
        Ok(match self {
            Self::Card(card) => card.open(spec).await?,
            Self::File(path) => Box::new(
                writer::file(&path, spec)
                    .map_err(|why| NoSink::File { file: path.display().to_string(), why })?,
            ),
            Self::Stdout => Box::new(writer::stdout(spec)?),
            Self::Made(mut make) => make(spec),
        })
    }
}
