//! [`Folder`]: what `--share DIR` shares.

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

use super::{
    Entry, Listing,
    audio::{self, Sound},
    sound,
    tree::{self, Bounds, Seen},
    unquote,
};
use crate::escape::Escaped;

/// How much of a folder is shared and looked at.
const BOUNDS: Bounds = Bounds { files: 4000, depth: 16, looks: 100_000, within: Duration::from_secs(3) };
/// How long files are listened into for one list. Where that is not enough for all, [`Folder::is_heard`] says so, and
/// the list after it knows more.
const PROBE_WITHIN: Duration = Duration::from_secs(3);

/// A folder whose files are shared: all regular files below it, the hidden ones (a leading dot) and links left out.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    bounds: Bounds,
    probe_within: Duration,
    /// What files of the last list sound like, as long as they do not change.
    known: HashMap<Vec<u8>, (Seen, Option<Sound>)>,
    /// How many files of the last list there was no time to listen into.
    unheard: usize,
}

/// What opens files of a shared folder, and no others.
#[derive(Clone, Debug)]
pub struct Opener {
    path: PathBuf,
}

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// None of that name is shared.
    #[error("no such file is shared")]
    NoFile,
    /// Names that differ only in how their accents are composed.
    #[error("several shared files have this name; write it as the list has it")]
    Several,
    /// It is shared, but its name does not end as those of sound do.
    #[error("it cannot be played: only files that end in {} can", sound::kinds())]
    NoSound,
    /// The system does not let it be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::NoFile } else { Self::Io(error) }
    }
}

impl Opener {
    /// Opens a file of sound by its name: as the list writes it, in quotes or without them where those were taken off, or else
    /// as it is. Composed and decomposed letters are the same where no other file has that name. Blocks while it reads the
    /// disk.
    ///
    /// # Errors
    /// If no such file is shared, if it is no sound by the end of its name, or if it cannot be read.
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

/// Why something is no folder to share.
#[derive(Debug, thiserror::Error)]
pub enum NoFolder {
    /// It cannot be found.
    #[error("{} cannot be shared: {}; name a folder that exists", Escaped(.path.display()), .error)]
    Unreachable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is something else.
    #[error("{} cannot be shared: it is no folder; name the folder that it is in", Escaped(.0.display()))]
    NoFolder(PathBuf),
}

impl Folder {
    /// The folder at this path. Links in the path itself are followed, once.
    ///
    /// # Errors
    /// If it cannot be read, or is no folder.
    pub fn open(dir: &Path) -> Result<Self, NoFolder> {
        let unreachable = |error| NoFolder::Unreachable { path: dir.to_owned(), error };
        let path = dir.canonicalize().map_err(unreachable)?;
        if !path.is_dir() {
            return Err(NoFolder::NoFolder(dir.to_owned()));
        }
        path.read_dir().map_err(unreachable)?;
        Ok(Self::at(path, BOUNDS, PROBE_WITHIN))
    }

    fn at(path: PathBuf, bounds: Bounds, probe_within: Duration) -> Self {
        Self { path, bounds, probe_within, known: HashMap::new(), unheard: 0 }
    }

    /// Where it is: absolute, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What opens its files.
    #[must_use]
    pub fn opener(&self) -> Opener {
        Opener { path: self.path.clone() }
    }

    /// What it holds now. Blocks while it reads the disk; see [`Self::listed`].
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

    /// Whether there was time to listen into all files of the last list.
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
                // Files are made by anybody. One that brings the reader down is broken, and no worse than others.
                let probed = catch_unwind(AssertUnwindSafe(|| audio::probe(file, seen.bytes, deadline)));
                let sound = probed.unwrap_or(None);
                if Instant::now() >= deadline {
                    // It may be the clock that made it nothing.
                    self.unheard += 1;
                    return sound;
                }
                sound
            }
        };
        known.insert(path.to_vec(), (seen, sound));
        sound
    }

    /// The same on a thread where it may block. Gives the folder back with the list.
    pub async fn listed(self) -> (Self, Listing) {
        let (path, bounds, probe_within) = (self.path.clone(), self.bounds, self.probe_within);
        let listed = tokio::task::spawn_blocking(move || {
            let mut folder = self;
            let listing = folder.list();
            (folder, listing)
        });
        listed.await.unwrap_or_else(|_| {
            // The thread came down. What is said is true, and the next who asks is answered, too.
            let mut listing = Listing::default();
            listing.left_out.uncounted = true;
            (Self::at(path, bounds, probe_within), listing)
        })
    }
}

#[cfg(test)]
mod tests;
