//! [`Settling`]: waits until a file that changed is written whole, as far as that can be told.
//!
//! Many programs truncate a file and then write it. A read in between often yields valid content: an empty file of accounts,
//! or one that ends after an entry. So a file that changed since it was last read has to stay the same for a moment.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::escape::Escaped;

/// Time for which a changed file has to stay the same.
const QUIET: Duration = Duration::from_millis(100);

/// Time after which a file that goes on changing is given up.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Why a file is not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unsettled {
    /// A program writes it.
    #[error("{0} is being written")]
    Changing(String),
    /// It lost its content; most likely a program is about to write it.
    #[error("{0} is empty, where it was not before")]
    Emptied(String),
}

/// Attributes that change whenever a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Mark {
    /// The mark of the file that is there now. `None`: there is none, or it cannot be asked about; reading tells why.
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Self { device: found.dev(), inode: found.ino(), bytes: found.len(), modified })
    }
}

/// Files and their marks when they were last read.
#[derive(Debug)]
pub struct Settling {
    read: RefCell<HashMap<PathBuf, Mark>>,
}

impl Settling {
    /// With files that have just been read.
    #[must_use]
    pub fn with<'a>(read: impl IntoIterator<Item = &'a Path>) -> Self {
        let read = read.into_iter().filter_map(|path| Some((path.to_owned(), Mark::of(path)?)));
        Self { read: RefCell::new(read.collect()) }
    }

    /// Returns once the file can be read: at once if it did not change since it was last read.
    ///
    /// # Errors
    /// If it goes on changing for [`MAX_WAIT`], or is empty and was not before.
    pub async fn wait_for(&self, path: &Path) -> Result<(), Unsettled> {
        let before = self.read.borrow().get(path).copied();
        let settled = settle(before, || Mark::of(path)).await;
        let shown = || Escaped(path.display()).to_string();
        match settled.map_err(|()| Unsettled::Changing(shown()))? {
            Some(mark) if mark.bytes == 0 && before.is_some_and(|before| before.bytes > 0) => {
                Err(Unsettled::Emptied(shown()))
            }
            Some(mark) => {
                self.read.borrow_mut().insert(path.to_owned(), mark);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Waits until two marks that are [`QUIET`] apart are the same.
async fn settle(before: Option<Mark>, mark: impl Fn() -> Option<Mark>) -> Result<Option<Mark>, ()> {
    let end = Instant::now() + MAX_WAIT;
    let mut last = mark();
    if last == before {
        return Ok(last);
    }
    while Instant::now() < end {
        sleep(QUIET).await;
        let now = mark();
        if now == last {
            return Ok(now);
        }
        last = now;
    }
    Err(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn of_bytes(bytes: u64) -> Mark {
        Mark { device: 1, inode: 1, bytes, modified: (0, 0) }
    }

    /// Runs [`settle`] on a file that has these sizes, one for each look.
    async fn settled(before: Option<Mark>, sizes: &[u64]) -> (Result<Option<Mark>, ()>, Duration) {
        let (start, looks) = (Instant::now(), Cell::new(0));
        let settled = settle(before, || {
            let look = looks.replace(looks.get() + 1);
            Some(of_bytes(sizes[look.min(sizes.len() - 1)]))
        });
        (settled.await, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_written_is_waited_for() {
        assert_eq!(settled(Some(of_bytes(7)), &[7]).await, (Ok(Some(of_bytes(7))), Duration::ZERO));
        assert_eq!(settled(Some(of_bytes(7)), &[9]).await, (Ok(Some(of_bytes(9))), QUIET));
        assert_eq!(settled(Some(of_bytes(7)), &[0, 4, 9]).await, (Ok(Some(of_bytes(9))), 3 * QUIET));
        assert_eq!(settled(None, &[4]).await, (Ok(Some(of_bytes(4))), QUIET));
        let growing: Vec<u64> = (0..100).collect();
        assert_eq!(settled(None, &growing).await, (Err(()), MAX_WAIT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_was_emptied_is_refused_until_it_holds_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, "one").unwrap();
        let settling = Settling::with([path.as_path()]);
        assert_eq!(settling.wait_for(&path).await, Ok(()));
        fs::write(&path, "").unwrap();
        for _ in 0..2 {
            let shown = path.display().to_string();
            assert_eq!(settling.wait_for(&path).await, Err(Unsettled::Emptied(shown)));
        }
        fs::write(&path, "two").unwrap();
        assert_eq!(settling.wait_for(&path).await, Ok(()));
        // Why one that is not there cannot be read is for whoever reads it to say.
        assert_eq!(settling.wait_for(&folder.path().join("none")).await, Ok(()));
    }
}
