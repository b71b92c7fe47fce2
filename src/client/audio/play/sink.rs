//! [`Sink`]: where samples go.

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

use super::{Spec, playout::Pace};

pub use null::Null;

/// Takes interleaved samples from -1 to 1.
pub trait Sink: Send {
    /// Whose clock says when.
    fn pace(&self) -> Pace;

    /// How many frames it takes now. Whoever plays asks again some milliseconds later.
    ///
    /// # Errors
    /// If it takes none any more.
    fn room(&mut self) -> io::Result<usize>;

    /// Takes them: no more than there was room for.
    ///
    /// # Errors
    /// If that fails.
    fn write(&mut self, samples: &[f32]) -> io::Result<()>;

    /// Waits until all is heard or written.
    fn finish(self: Box<Self>) -> BoxFuture<'static, io::Result<()>>;
}

/// Where samples shall go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be heard here.
    Card,
    /// Into a WAV file.
    File(PathBuf),
    /// To standard output, as WAV.
    Stdout,
}

/// Why nothing can be heard here.
#[derive(Debug, thiserror::Error)]
pub enum NoSink {
    /// There is no sound server.
    #[error("there is no sound here ({0}); arauto play with --output FILE.wav writes it to a file instead")]
    NoCard(String),
    /// The file cannot be written.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// Why not.
        why: io::Error,
    },
    /// There are no threads.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An output of which is known, as far as one can, that it takes samples.
pub enum Ready {
    /// A sound card.
    Card(card::Card),
    /// A file.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Something else, for tests.
    Made(Box<dyn FnMut(Spec) -> Box<dyn Sink> + Send>),
}

impl Output {
    /// Looks whether it takes samples, before anybody is asked for them.
    ///
    /// # Errors
    /// If it takes none.
    pub fn prepare(&self) -> Result<Ready, NoSink> {
        match self {
            Self::Card => Ok(Ready::Card(card::Card::find().map_err(NoSink::NoCard)?)),
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
    /// Whose clock will say when.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self {
            Self::Card(_) | Self::Made(_) => Pace::Card,
            Self::File(_) | Self::Stdout => Pace::Sender,
        }
    }

    /// Begins to take samples.
    ///
    /// # Errors
    /// If that fails.
    pub async fn open(self, spec: Spec) -> Result<Box<dyn Sink>, NoSink> {
        Ok(match self {
            Self::Card(card) => card.open(spec).await.map_err(NoSink::NoCard)?,
            Self::File(path) => Box::new(
                writer::file(&path, spec)
                    .map_err(|why| NoSink::File { file: path.display().to_string(), why })?,
            ),
            Self::Stdout => Box::new(writer::stdout(spec)?),
            Self::Made(mut make) => make(spec),
        })
    }
}
