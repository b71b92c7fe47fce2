//! [`Settling`]: waits until a changed file is written completely, as far as that can be told.
//!
//! Many programs truncate a file and then write it. A read in between often yields valid content: an empty file of
//! accounts, or one that ends after an entry. So a file that changed since it was last read is read only after it has
//! stayed unchanged for 100 ms.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use arauto_settings::escape::Escaped;
use tokio::time::{Instant, sleep};

/// Time for which a changed file has to stay unchanged.
const QUIET: Duration = Duration::from_millis(100);

/// Time after which the server gives up on a file that keeps changing.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Reason why a file is not read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unsettled {
    /// A program is writing the file.
    #[error("{0} is being written")]
    Changing(String),
    /// The file lost its content; most likely a program is about to write it.
    #[error("{0} is empty, where it was not before")]
    Emptied(String),
}

/// Attributes of a file, of which at least one changes whenever the file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Mark {
    /// Returns the present mark of a file. `None` if the file is missing or its attributes cannot be read, which
    /// reading the file will report.
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Self { device: found.dev(), inode: found.ino(), bytes: found.len(), modified })
    }
}

/// Files and the marks that they had when they were last read.
#[derive(Debug)]
pub struct Settling {
    read: RefCell<HashMap<PathBuf, Mark>>,
}

impl Settling {
    /// Starts with files that have just been read.
    #[must_use]
    pub fn with<'a>(read: impl IntoIterator<Item = &'a Path>) -> Self {
        let read = read.into_iter().filter_map(|path| Some((path.to_owned(), Mark::of(path)?)));
        Self { read: RefCell::new(read.collect()) }
    }

    /// Returns once the file can be read: at once if it did not change since it was last read.
    ///
    /// # Errors
    /// If the file keeps changing for 3 s, or is empty and was not empty when it was last read.
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

/// Waits until two marks taken [`QUIET`] apart are equal. Fails after [`MAX_WAIT`].
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
        // A missing file is reported by the code that reads it.
        assert_eq!(settling.wait_for(&folder.path().join("none")).await, Ok(()));
    }
}
