//! [`Folder`]: the folder that `--share DIR` shares: lists its files and opens them.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use arauto_settings::escape::Escaped;

use super::{
    Entry, Listing,
    audio::{self, Sound},
    sound,
    tree::{self, Bounds, Seen},
    unquote,
};

/// Limits of the search for files.
const BOUNDS: Bounds = Bounds { files: 4000, depth: 16, looks: 100_000, within: Duration::from_secs(3) };
/// Time limit for examining audio files for one list. If it does not suffice for all files, [`Folder::is_heard`]
/// returns `false`, and the next list knows more.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// A shared folder: all regular files below it, except hidden ones (a leading dot) and links.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    bounds: Bounds,
    probe_within: Duration,
    /// Results of examining the files of the last list. A result is valid while the file does not change.
    known: HashMap<Vec<u8>, (Seen, Option<Sound>)>,
    /// Number of audio files of the last list that were not fully examined for lack of time.
    unheard: usize,
}

/// Opens the files of a shared folder, and no others.
#[derive(Clone, Debug)]
pub struct Opener {
    path: PathBuf,
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

/// Why a path cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum NoFolder {
    /// The path cannot be resolved or read.
    #[error("{} cannot be shared: {}; name a folder that exists", Escaped(.path.display()), .error)]
    Unreachable {
        /// Path as the user gave it.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The path is not a folder.
    #[error("{} cannot be shared: it is no folder; name the folder that it is in", Escaped(.0.display()))]
    NoFolder(PathBuf),
}

impl Folder {
    /// Opens the folder at this path. Links in the path itself are followed, once.
    ///
    /// # Errors
    /// If the path cannot be read, or is not a folder.
    pub fn open(dir: &Path) -> Result<Self, NoFolder> {
        let unreachable = |error| NoFolder::Unreachable { path: dir.to_owned(), error };
        let path = dir.canonicalize().map_err(unreachable)?;
        if !path.is_dir() {
            return Err(NoFolder::NoFolder(dir.to_owned()));
        }
        path.read_dir().map_err(unreachable)?;
        Ok(Self::at(path, BOUNDS, PROBE_TIMEOUT))
    }

    fn at(path: PathBuf, bounds: Bounds, probe_within: Duration) -> Self {
        Self { path, bounds, probe_within, known: HashMap::new(), unheard: 0 }
    }

    /// Returns the path of the folder: absolute, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an opener for the folder's files.
    #[must_use]
    pub fn opener(&self) -> Opener {
        Opener { path: self.path.clone() }
    }

    /// Lists the files that the folder holds now. Blocks while it reads the disk; see [`Self::listed`].
    pub fn list(&mut self) -> Listing {
        let tree = tree::look(&self.path, self.bounds);
        let deadline = Instant::now() + self.probe_within;
        let mut listing = Listing { left_out: tree.left_out, ..Listing::default() };
        self.unheard = 0;
        let mut known = HashMap::new();
        for (path, seen) in tree.files {
            let sound = self.sound(&path, seen, deadline, &mut known);
            listing.entries.push(Entry {
                name: OsString::from_vec(path),
                bytes: seen.bytes,
                seconds: sound.and_then(|sound| sound.seconds),
                kind: sound.map(|sound| sound.kind.to_owned()),
            });
        }
        self.known = known;
        listing
    }

    /// Whether there was time to examine all audio files of the last list.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.unheard == 0
    }

    fn sound(
        &mut self,
        path: &[u8],
        seen: Seen,
        deadline: Instant,
        known: &mut HashMap<Vec<u8>, (Seen, Option<Sound>)>,
    ) -> Option<Sound> {
        if !tree::extension(path).is_some_and(|extension| sound::may_be(&extension)) {
            return None;
        }
        let sound = match self.known.get(path) {
            Some((before, sound)) if *before == seen => *sound,
            _ if Instant::now() >= deadline => {
                self.unheard += 1;
                return None;
            }
            _ => {
                let file = tree::open_seen(&self.path, path, seen).ok()?;
                // Files come from anywhere. A file that makes the reader panic counts as broken audio.
                let probed = catch_unwind(AssertUnwindSafe(|| audio::probe(file, seen.bytes, deadline)));
                let sound = probed.unwrap_or(None);
                if Instant::now() >= deadline {
                    // The result may be incomplete because of the deadline, so it is not kept.
                    self.unheard += 1;
                    return sound;
                }
                sound
            }
        };
        known.insert(path.to_vec(), (seen, sound));
        sound
    }

    /// Runs [`Self::list`] on a thread where it may block. Returns the folder with the list.
    pub async fn listed(self) -> (Self, Listing) {
        let (path, bounds, probe_within) = (self.path.clone(), self.bounds, self.probe_within);
        let listed = tokio::task::spawn_blocking(move || {
            let mut folder = self;
            let listing = folder.list();
            (folder, listing)
        });
        listed.await.unwrap_or_else(|_| {
            // The thread panicked. The empty list says truthfully that not everything was looked at, and the folder
            // can serve the next request.
            let mut listing = Listing::default();
            listing.left_out.uncounted = true;
            (Self::at(path, bounds, probe_within), listing)
        })
    }
}

#[cfg(test)]
mod tests;
