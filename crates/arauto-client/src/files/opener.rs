//! [`Opener`]: opens the audio files of a shared folder by the names that its list gives them.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use super::{folder::BOUNDS, sound, tree, unquote};

/// Opens the files of a shared folder, and no others.
#[derive(Clone, Debug)]
pub struct Opener {
    pub(super) path: PathBuf,
}

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// No shared file has this name.
    #[error("no such file is shared")]
    NoFile,
    /// Several files have names that differ from this only in how their accents are composed.
    #[error("several shared files have this name; write it as the list has it")]
    Several,
    /// The file is shared, but its extension is not one of audio.
    #[error("it cannot be played: only files that end in {} can", sound::kinds())]
    NoSound,
    /// The system does not let the file be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::NoFile } else { Self::Io(error) }
    }
}

impl Opener {
    /// Opens an audio file by its name as the list writes it, with or without the quotes, or else by its literal
    /// name. A name with composed or decomposed letters also finds the file whose letters are encoded the other way,
    /// if there is no exact match and only one such file. Blocks while it reads the disk.
    ///
    /// # Errors
    /// If no such file is shared, if its extension is not one of audio, or if it cannot be read.
    pub fn open(&self, text: &str) -> Result<File, NotOpened> {
        let readings = [unquote(text), unquote(&format!("\"{text}\"")), Some(text.into())];
        let mut names: Vec<OsString> = Vec::new();
        names.extend(readings.into_iter().flatten());
        names.dedup();
        for name in &names {
            match self.open_exactly(name) {
                Err(NotOpened::NoFile) => {}
                done => return done,
            }
        }
        for name in &names {
            let mut alike = tree::find_alike(&self.path, name.as_bytes(), BOUNDS)?;
            match (alike.pop(), alike.pop()) {
                (Some(path), None) => return self.open_exactly(OsStr::from_bytes(&path)),
                (Some(_), Some(_)) => return Err(NotOpened::Several),
                (None, _) => {}
            }
        }
        Err(NotOpened::NoFile)
    }

    fn open_exactly(&self, name: &OsStr) -> Result<File, NotOpened> {
        let name = name.as_bytes();
        let file = tree::open_named(&self.path, name, BOUNDS.depth)?;
        if !tree::extension(name).is_some_and(|extension| sound::may_be(&extension)) {
            return Err(NotOpened::NoSound);
        }
        Ok(file)
    }
}
