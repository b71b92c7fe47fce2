//! What lies below a folder. Every step is taken from the folder before it and follows no link, so that nothing
//! outside is ever looked at, even if a folder is exchanged for a link meanwhile.

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

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Files that are kept: the first of them in the order of the list.
    pub files: usize,
    /// How many folders deep, the shared one not counted.
    pub depth: usize,
    /// Files and folders that are looked at, the hidden among them.
    pub looks: usize,
    /// How long that may take.
    pub within: Duration,
}

/// A file as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its size in bytes.
    pub bytes: u64,
    /// In nanoseconds.
    changed: i128,
    identity: (u128, u128),
}

impl Seen {
    fn of(stat: &Stat) -> Option<Self> {
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| Self {
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            // Wide, because systems have these in different types.
            changed: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            identity: (u128::from(stat.st_dev), u128::from(stat.st_ino)),
        })
    }
}

/// The files below a folder, in order.
#[derive(Debug, Default)]
pub struct Tree {
    /// Their relative paths.
    pub files: Vec<(Vec<u8>, Seen)>,
    /// What there is besides.
    pub left_out: LeftOut,
}

/// A file to be kept. A heap of them has the last in order on top.
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

/// The most folders that are searched at each depth for one name: there are few ways to compose it.
const MAX_ALIKE: usize = 4;

/// Opened for that, a folder is one, and no link to one.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A file is opened without waiting for whoever may be at the other end of a pipe.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Looks at what lies below this folder.
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

/// Opens a file that was seen below this folder.
///
/// # Errors
/// If it is not there any more, is another one, or the path leads up.
pub fn open_seen(root: &Path, path: &[u8], seen: Seen) -> io::Result<File> {
    let file = open_below(root, path)?;
    if Seen::of(&fstat(&file)?) != Some(seen) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file.into())
}

/// Opens a file that may be below this folder, `depth` folders deep at the most.
///
/// # Errors
/// `NotFound` if it is none that [`look`] would find; else what the system says.
pub fn open_named(root: &Path, path: &[u8], depth: usize) -> io::Result<File> {
    let steps = || path.split(|byte| *byte == b'/');
    let is_hidden = |step: &[u8]| step.is_empty() || step.starts_with(b".") || step.contains(&0);
    if steps().any(is_hidden) || steps().count() > depth + 1 {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = open_below(root, path).map_err(|error| match Errno::from_io_error(&error) {
        // Something on the way is no folder, or a link; or it is a socket.
        Some(Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => io::ErrorKind::NotFound.into(),
        _ => error,
    })?;
    if Seen::of(&fstat(&file)?).is_none() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file.into())
}

/// The paths of files below this folder that are the same as this one once letters are composed (Unicode's NFC): at most two,
/// which is as good as more. Within the bounds for folders and time.
///
/// # Errors
/// If the folder itself cannot be read.
pub fn find_alike(root: &Path, path: &[u8], bounds: Bounds) -> io::Result<Vec<Vec<u8>>> {
    // ASCII is composed already.
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
            for entry in Dir::read_from(&folder)? {
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
            // As many are open as the depth allows.
            if open_folders.len() > self.bounds.depth {
                self.left_out.folders += 1;
            } else {
                open_folders.push(seen);
            }
        }
    }

    /// Keeps a file; gives a folder.
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
                // It went, or is something else now.
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                Err(_) => self.left_out.folders += 1,
            },
            FileType::RegularFile => self.keep(path, || Seen::of(&stat()?)),
            _ => {}
        }
        None
    }

    fn keep(&mut self, path: Vec<u8>, seen: impl FnOnce() -> Option<Seen>) {
        let place = Place::of(path);
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

/// The ending of a file's name, in small letters, if it has one.
pub fn extension(path: &[u8]) -> Option<String> {
    let extension = Path::new(std::ffi::OsStr::from_bytes(path)).extension()?;
    extension.to_str().map(str::to_ascii_lowercase)
}
