//! Finds and opens the files below a folder. Each step is taken relative to the open parent folder and follows no
//! link, so that no file outside is ever touched, even if a folder is replaced by a link meanwhile.

use std::{
    collections::BinaryHeap,
    fs::File,
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, Stat, fstat, open, openat, statat},
    io::Errno,
};

use unicode_normalization::UnicodeNormalization;

use super::{listing::LeftOut, order::Place};

/// Limits of a search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Maximum number of files kept: the first in the order of the list.
    pub files: usize,
    /// Maximum depth in folders, not counting the shared one.
    pub depth: usize,
    /// Maximum number of files and folders examined, including hidden ones.
    pub looks: usize,
    /// Time limit of the search.
    pub within: Duration,
}

/// Attributes of a file when it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970.
    changed: i128,
    identity: (u128, u128),
}

impl Seen {
    fn from_stat(stat: &Stat) -> Option<Self> {
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| Self {
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            // `i128` and `u128` hold these fields on all systems, whose types differ.
            changed: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            identity: (u128::from(stat.st_dev), u128::from(stat.st_ino)),
        })
    }
}

/// The files below a folder, in order.
#[derive(Debug, Default)]
pub struct Tree {
    /// Paths relative to the folder, and their attributes.
    pub files: Vec<(Vec<u8>, Seen)>,
    /// Files and folders that were left out.
    pub left_out: LeftOut,
}

/// A file that is kept. In a heap, the last in list order is on top.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    place: Place,
    seen: Seen,
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Maximum number of folders searched per level for one name. Few ways to compose a name exist.
const MAX_ALIKE: usize = 4;

/// Flags for opening a folder. Opening fails for anything else, including a link to a folder.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Flags for opening a file. Opening a named pipe does not wait for its other end.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Finds the files below this folder.
pub fn look(root: &Path, bounds: Bounds) -> Tree {
    let until = Instant::now() + bounds.within;
    let mut walk = Walk { bounds, until, looks: 0, kept: BinaryHeap::new(), left_out: LeftOut::default() };
    match open(root, FOLDER, Mode::empty()).and_then(Dir::new) {
        Ok(dir) => walk.run(dir),
        Err(_) => walk.left_out.folders += 1,
    }
    let files = walk.kept.into_sorted_vec();
    Tree {
        files: files.into_iter().map(|kept| (kept.place.into_path(), kept.seen)).collect(),
        left_out: walk.left_out,
    }
}

/// Opens a file that was found below this folder.
///
/// # Errors
/// If the file is gone, is not the one found or has changed, or if the path leads up.
pub fn open_seen(root: &Path, path: &[u8], seen: Seen) -> io::Result<File> {
    let file = open_below(root, path)?;
    if Seen::from_stat(&fstat(&file)?) != Some(seen) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file.into())
}

/// Opens a file below this folder, at most `depth` folders deep.
///
/// # Errors
/// `NotFound` if [`look`] would not find the file; else the system's error.
pub fn open_named(root: &Path, path: &[u8], depth: usize) -> io::Result<File> {
    let steps = || path.split(|byte| *byte == b'/');
    let is_hidden = |step: &[u8]| step.is_empty() || step.starts_with(b".") || step.contains(&0);
    if steps().any(is_hidden) || steps().count() > depth + 1 {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = open_below(root, path).map_err(|error| match Errno::from_io_error(&error) {
        // A step of the path is not a folder, or is a link; or the file is a link or a socket.
        Some(Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => io::ErrorKind::NotFound.into(),
        _ => error,
    })?;
    if Seen::from_stat(&fstat(&file)?).is_none() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file.into())
}

/// Returns the paths of files below this folder that equal `path` once letters are composed (Unicode NFC): at most
/// two, because two are already ambiguous. The limits of depth, examined files and time apply. Folders below this one
/// that cannot be read are skipped, as [`look`] skips them.
///
/// # Errors
/// If this folder cannot be read.
pub fn find_alike(root: &Path, path: &[u8], bounds: Bounds) -> io::Result<Vec<Vec<u8>>> {
    // An ASCII path is composed already.
    let Some(path) = std::str::from_utf8(path).ok().filter(|path| !path.is_ascii()) else {
        return Ok(Vec::new());
    };
    let steps: Vec<_> = path.split('/').collect();
    if steps.len() > bounds.depth + 1 {
        return Ok(Vec::new());
    }
    let until = Instant::now() + bounds.within;
    let mut looks = 0;
    let mut found = vec![(open(root, FOLDER, Mode::empty())?, Vec::new())];
    for (number, step) in steps.iter().enumerate() {
        let is_last = number + 1 == steps.len();
        let mut next = Vec::new();
        let mut paths = Vec::new();
        for (folder, path) in found {
            let entries = match Dir::read_from(&folder) {
                Ok(entries) => entries,
                Err(error) if number == 0 => return Err(error.into()),
                Err(_) => continue,
            };
            for entry in entries {
                let Ok(entry) = entry else { continue };
                looks += 1;
                if looks > bounds.looks || Instant::now() >= until {
                    return Ok(Vec::new());
                }
                let name = entry.file_name();
                let is_alike =
                    name.to_str().is_ok_and(|name| !name.starts_with('.') && name.nfc().eq(step.nfc()));
                if !is_alike {
                    continue;
                }
                let path = below(&path, name.to_bytes());
                if is_last {
                    if open_named(root, &path, bounds.depth).is_ok() {
                        paths.push(path);
                    }
                } else if let Ok(folder) = openat(&folder, name, FOLDER, Mode::empty()) {
                    next.push((folder, path));
                }
            }
        }
        if is_last {
            paths.truncate(2);
            return Ok(paths);
        }
        next.truncate(MAX_ALIKE);
        found = next;
    }
    Ok(Vec::new())
}

fn open_below(root: &Path, path: &[u8]) -> io::Result<OwnedFd> {
    let mut steps: Vec<_> = path.split(|byte| *byte == b'/').collect();
    let name = steps.pop().unwrap_or_default();
    let mut folder = open(root, FOLDER, Mode::empty())?;
    for step in steps {
        if matches!(step, b"" | b"." | b"..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        folder = openat(&folder, step, FOLDER, Mode::empty())?;
    }
    Ok(openat(&folder, name, FILE, Mode::empty())?)
}

struct Walk {
    bounds: Bounds,
    until: Instant,
    looks: usize,
    kept: BinaryHeap<Kept>,
    left_out: LeftOut,
}

impl Walk {
    fn run(&mut self, root: Dir) {
        let mut open_folders = vec![(root, Vec::new())];
        while let Some((folder, path)) = open_folders.last_mut() {
            let entry = match folder.read() {
                Some(Ok(entry)) => entry,
                Some(Err(_)) => {
                    self.left_out.folders += 1;
                    open_folders.pop();
                    continue;
                }
                None => {
                    open_folders.pop();
                    continue;
                }
            };
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            if self.looks == self.bounds.looks || Instant::now() >= self.until {
                self.left_out.uncounted = true;
                return;
            }
            self.looks += 1;
            let Ok(fd) = folder.fd() else { continue };
            let path = below(path, entry.file_name().to_bytes());
            let Some(seen) = self.look_at(fd, &entry, path) else { continue };
            // The open folders are those on the path, so their number is the depth of the new folder.
            if open_folders.len() > self.bounds.depth {
                self.left_out.folders += 1;
            } else {
                open_folders.push(seen);
            }
        }
    }

    /// Keeps the entry if it is a file; returns it opened if it is a folder.
    fn look_at(&mut self, fd: BorrowedFd<'_>, entry: &DirEntry, path: Vec<u8>) -> Option<(Dir, Vec<u8>)> {
        let name = entry.file_name();
        if name.to_bytes().starts_with(b".") {
            return None;
        }
        let stat = || statat(fd, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let kind = match entry.file_type() {
            FileType::Unknown => FileType::from_raw_mode(stat()?.st_mode),
            known => known,
        };
        match kind {
            FileType::Directory => match openat(fd, name, FOLDER, Mode::empty()).and_then(Dir::new) {
                Ok(dir) => return Some((dir, path)),
                // The folder is gone, or was replaced by something else.
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                Err(_) => self.left_out.folders += 1,
            },
            FileType::RegularFile => self.keep(path, || Seen::from_stat(&stat()?)),
            _ => {}
        }
        None
    }

    fn keep(&mut self, path: Vec<u8>, seen: impl FnOnce() -> Option<Seen>) {
        let place = Place::new(path);
        let is_full = self.kept.len() == self.bounds.files;
        if is_full && self.kept.peek().is_none_or(|last| last.place < place) {
            self.left_out.files += 1;
            return;
        }
        let Some(seen) = seen() else { return };
        self.kept.push(Kept { place, seen });
        if is_full {
            self.kept.pop();
            self.left_out.files += 1;
        }
    }
}

fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// Returns the extension of a file's name, in lower case, if there is one.
pub fn extension(path: &[u8]) -> Option<String> {
    let extension = Path::new(std::ffi::OsStr::from_bytes(path)).extension()?;
    extension.to_str().map(str::to_ascii_lowercase)
}
