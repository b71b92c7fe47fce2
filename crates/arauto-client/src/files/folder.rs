//! [`Folder`]: the folder that `--share DIR` shares: lists its files.

use std::{
    ffi::OsString,
    io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::Duration,
};

use arauto_settings::escape::Escaped;

#[cfg(feature = "audio")]
use super::Opener;
use super::{
    Entry, Listing,
    prober::Prober,
    tree::{self, Bounds},
};

/// Limits of the search for files.
pub(super) const BOUNDS: Bounds =
    Bounds { files: 4000, depth: 16, looks: 100_000, within: Duration::from_secs(3) };

/// A shared folder: all regular files below it, except hidden ones (a leading dot) and links.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    bounds: Bounds,
    prober: Prober,
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
        Ok(Self { path, bounds: BOUNDS, prober: Prober::default() })
    }

    /// Returns the path of the folder: absolute, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an opener for the folder's files.
    #[cfg(feature = "audio")]
    #[must_use]
    pub fn opener(&self) -> Opener {
        Opener { path: self.path.clone() }
    }

    /// Lists the files that the folder holds now. Blocks while it reads the disk; see [`Self::listed`].
    pub fn list(&mut self) -> Listing {
        let tree = tree::look(&self.path, self.bounds);
        let mut listing = Listing { left_out: tree.left_out, ..Listing::default() };
        self.prober.begin();
        for (path, seen) in tree.files {
            let sound = self.prober.probe(&self.path, &path, seen);
            listing.entries.push(Entry {
                name: OsString::from_vec(path),
                bytes: seen.bytes,
                seconds: sound.and_then(|sound| sound.seconds),
                kind: sound.map(|sound| sound.kind.to_owned()),
            });
        }
        self.prober.end();
        listing
    }

    /// Whether there was time to examine all audio files of the last list.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.prober.is_done()
    }

    /// Runs [`Self::list`] on a thread where it may block. Returns the folder with the list.
    pub async fn listed(self) -> (Self, Listing) {
        let (path, bounds) = (self.path.clone(), self.bounds);
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
            (Self { path, bounds, prober: Prober::default() }, listing)
        })
    }
}

#[cfg(test)]
#[cfg(feature = "audio")]
mod tests;
