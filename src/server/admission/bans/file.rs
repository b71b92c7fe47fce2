//! The bans file: read once, at start, and replaced as a whole, so that it is never half written.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use arauto_protocol::{Target, moderation::MAX_REASON_CHARS, name::MAX_NAME_CHARS, network::Network};
use arauto_settings::escape::Escaped;
use arauto_settings::source::{
    Source, SourceError, first, quoted,
    rows::{self, Fault, Row},
};

use super::{Ban, Bans, MAX_BANS, is_same};

/// Keys that an entry may have.
const KEYS: [&str; 5] = ["name", "address", "until", "by", "reason"];

/// First lines of every file that the server writes.
const HEAD: &str = "# The bans of this Arauto server. The server rewrites this file at each change.\n\
                    # Change it only while the server is stopped.\n";

/// The bans file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {error}")]
pub struct WriteError {
    /// Path of the file, with control characters escaped.
    path: String,
    error: io::Error,
}

impl WriteError {
    /// Whether the disk caused the error (full, over quota, read-only, I/O error), which may pass, and not the
    /// settings.
    #[must_use]
    pub fn is_the_disks(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(self.error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
            || self.error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    }
}

/// Reads a bans file. A missing file holds no bans.
///
/// # Errors
/// If the file cannot be read. If its content is invalid, the error points at the first fault.
pub fn read(path: &Path) -> Result<Bans, SourceError> {
    match Source::read(path, "a bans file") {
        Ok(source) => parse(&source).map_err(first),
        Err(SourceError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Bans::default())
        }
        Err(error) => Err(error),
    }
}

/// Every fault of a bans file. A missing file has none.
#[must_use]
pub fn faults(path: &Path) -> Vec<SourceError> {
    match Source::read(path, "a bans file") {
        Ok(source) => parse(&source).err().unwrap_or_default(),
        Err(SourceError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![error],
    }
}

/// Reads the content of a bans file; `name` stands for its path in errors.
///
/// # Errors
/// As [`read`].
#[cfg(any(test, feature = "fuzz"))]
pub fn read_text(name: &str, bytes: Vec<u8>) -> Result<Bans, SourceError> {
    parse(&Source::decode(name.to_owned(), bytes)?).map_err(first)
}

fn parse(source: &Source) -> Result<Bans, Vec<SourceError>> {
    let bans = rows::read_all(source, "bans", &KEYS, |row, before: &[Ban]| {
        let ban = ban(row)?;
        if before.len() == MAX_BANS {
            return Err((row.at(), format!("there are more than {MAX_BANS} bans")));
        }
        if before.iter().any(|other| is_same(&other.target, &ban.target)) {
            return Err((row.at(), format!("{} is banned further up already", Escaped(&ban.target))));
        }
        Ok(ban)
    })?;
    Ok(Bans { list: bans.into() })
}

fn ban(row: &Row<'_>) -> Result<Ban, Fault> {
    let target = match (row.text("name")?, row.text("address")?) {
        (Some((name, at)), None) => match Target::parse(name, 4 * MAX_NAME_CHARS) {
            Ok(target @ Target::Name { .. }) => target,
            Ok(Target::Network(_)) => return Err((at, "this is an address: write address = ...".to_owned())),
            Err(why) => return Err((at, why.to_string())),
        },
        (None, Some((address, at))) => match Network::parse(address) {
            Some(Ok(network)) => Target::Network(network),
            Some(Err(why)) => return Err((at, why.to_string())),
            None => return Err((at, "address must be one, such as 192.0.2.7 or 2001:db8::/48".to_owned())),
        },
        _ => return Err((row.at(), "an entry has either a name or an address".to_owned())),
    };
    let until = match row.text("until")? {
        None => None,
        Some((text, at)) => {
            let until = humantime::parse_rfc3339(text);
            Some(
                until
                    .map_err(|_| (at, "until must be a time such as \"2026-11-24T12:00:00Z\"".to_owned()))?,
            )
        }
    };
    Ok(Ban { target, until, by: said(row, "by")?, reason: said(row, "reason")? })
}

/// A text that is shown to people: at most `MAX_REASON_CHARS + 1` characters, none of them a control character but
/// tab.
fn said(row: &Row<'_>, key: &str) -> Result<Box<str>, Fault> {
    let Some((text, at)) = row.text(key)? else { return Ok(Box::default()) };
    // The last character is for the sign that a text was cut.
    let most = MAX_REASON_CHARS + 1;
    if text.chars().any(|c| c.is_control() && c != '\t') || text.chars().count() > most {
        return Err((
            at,
            format!("{key} must be text of at most {most} characters, without control characters"),
        ));
    }
    Ok(text.into())
}

/// Replaces the bans file. After a crash at any moment the file holds either these bans or the previous ones, whole.
///
/// # Errors
/// If the folder cannot be written, or the disk refuses.
pub fn write(path: &Path, bans: &Bans) -> Result<(), WriteError> {
    replace(path, &written(bans))
        .map_err(|error| WriteError { path: Escaped(path.display()).to_string(), error })
}

/// Finds out whether [`write()`] would succeed: writes the new file, and removes it again.
///
/// # Errors
/// As [`write()`].
pub fn try_out(path: &Path, bans: &Bans) -> Result<(), WriteError> {
    let unwritable = |error| WriteError { path: Escaped(path.display()).to_string(), error };
    let written = put_beside(path, &written(bans)).map_err(unwritable);
    // A half-written file would take room on a full disk.
    let _ = fs::remove_file(beside(path));
    written
}

/// The content of the bans file.
pub fn written(bans: &Bans) -> String {
    let mut text = HEAD.to_owned();
    for Ban { target, until, by, reason } in bans.list.iter() {
        let key = if matches!(target, Target::Name { .. }) { "name" } else { "address" };
        // Writing to a string does not fail.
        let _ = write!(text, "\n[[bans]]\n{key} = {}\n", quoted(&target.to_string()));
        if let Some(until) = until {
            let _ = writeln!(text, "until = \"{}\"", humantime::format_rfc3339_seconds(*until));
        }
        for (key, value) in [("by", by), ("reason", reason)] {
            if !value.is_empty() {
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
        }
    }
    text
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    put_beside(path, text)?;
    fs::rename(beside(path), path)?;
    // The rename reaches the disk only when its folder is synced.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Writes the new file beside the old one, which it replaces once it is whole.
fn put_beside(path: &Path, text: &str) -> io::Result<()> {
    let beside = beside(path);
    // A server that was killed while writing leaves such a file.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` follows no symbolic link to another file.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Path of the new file until it replaces the old one. It is in the same folder, because a rename needs the same file
/// system.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    fn some_bans() -> Bans {
        let ban = |target: &str, until: Option<&str>, by: &str, reason: &str| Ban {
            target: Target::parse(target, 489).unwrap(),
            until: until.map(at),
            by: by.into(),
            reason: reason.into(),
        };
        let list = vec![
            ban(
                "bob \"the \\ rude\"",
                Some("2126-11-24T12:00:00Z"),
                "alan",
                "said \"no\"\twith | pipes \u{1f600}",
            ),
            ban("192.0.2.0/24", None, "", ""),
            ban("2001:db8::7", Some("2026-01-01T00:00:00Z"), "alan", ""),
        ];
        Bans { list: list.into() }
    }

    fn refused(text: &str) -> String {
        let source = Source { path: "bans.toml".to_owned(), text: text.to_owned() };
        first(parse(&source).unwrap_err()).to_string()
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.toml");
        assert_eq!(read(&path).unwrap(), Bans::default());
        for bans in [Bans::default(), some_bans(), Bans::default()] {
            write(&path, &bans).unwrap();
            assert_eq!(read(&path).unwrap(), bans);
        }
        write(&path, &some_bans()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(HEAD) && text.contains("\n[[bans]]\naddress = \"192.0.2.0/24\"\n\n"),
            "{text}"
        );
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_a_killed_server_left_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.toml");
        write(&path, &some_bans()).unwrap();
        // The state after a crash while the new file was written.
        fs::write(beside(&path), "[[bans]]\nname = \"al").unwrap();
        assert_eq!(read(&path).unwrap(), some_bans());
        write(&path, &Bans::default()).unwrap();
        assert_eq!(read(&path).unwrap(), Bans::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_new_files_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("bans.toml"), folder.path().join("other"));
        fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, beside(&path)).unwrap();
        write(&path, &some_bans()).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        assert_eq!(read(&path).unwrap(), some_bans());
    }

    #[test]
    fn what_cannot_be_written_is_said_and_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bans.toml");
        write(&path, &some_bans()).unwrap();
        // A folder in the new file's place cannot be removed like a file.
        fs::create_dir(beside(&path)).unwrap();
        let error = write(&path, &Bans::default()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", path.display())), "{error}");
        assert_eq!(read(&path).unwrap(), some_bans());
    }

    #[test]
    fn a_torn_file_is_refused_or_whole_at_an_entry() {
        let text = written(&some_bans());
        for length in 0..text.len() {
            let Some(torn) = text.get(..length) else { continue };
            let source = Source { path: "bans.toml".to_owned(), text: torn.to_owned() };
            if let Ok(bans) = parse(&source) {
                // A torn file that still parses holds only unchanged entries, except perhaps the last.
                let whole = &some_bans().list[..bans.list.len().saturating_sub(1)];
                assert_eq!(&bans.list[..whole.len()], whole, "{torn}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, complaint) in [
            ("[[bans]]\n", "1:1: an entry has either a name or an address"),
            (
                "[[bans]]\nname = 'bob'\naddress = '192.0.2.7'\n",
                "1:1: an entry has either a name or an address",
            ),
            ("[[bans]]\nname = 'a|b'\n", "2:8: A name must not hold the character |"),
            ("[[bans]]\nname = '192.0.2.7'\n", "2:8: this is an address: write address = ..."),
            ("[[bans]]\naddress = 'bob'\n", "2:11: address must be one, such as"),
            ("[[bans]]\naddress = '0.0.0.0/0'\n", "2:11: Behind the / of a network"),
            ("[[bans]]\nname = 'bob'\nuntil = 'tomorrow'\n", "3:9: until must be a time such as"),
            ("[[bans]]\nname = 'bob'\nuntil = 2026-11-24\n", "3:9: until must be a text in quotes"),
            (
                "[[bans]]\nname = 'bob'\nreason = \"a\\nb\"\n",
                "3:10: reason must be text of at most 201 characters",
            ),
            (
                "[[bans]]\nname = 'bob'\nby = \"\\u001b[2J\"\n",
                "3:6: by must be text of at most 201 characters",
            ),
            ("[[bans]]\nname = 'bob'\n[[bans]]\nname = 'BOB'\n", "3:1: BOB is banned further up already"),
            ("[[bans]]\nname = 'bob'\nfor = '1h'\n", "3:1: unknown key in [[bans]]; there are name, address"),
            ("[[ban]]\n", "1:3: unknown key; there is only [[bans]]"),
        ] {
            let said = refused(text);
            assert!(said.starts_with(&format!("bans.toml:{complaint}")), "{text}\n{said}");
        }
        let entry = |number: usize| format!("[[bans]]\nname = 'bob {number}'\n");
        let many: Vec<String> = (0..=MAX_BANS).map(entry).collect();
        assert!(refused(&many.concat()).contains("there are more than 1000 bans"));
        let long = format!("[[bans]]\nname = 'bob'\nreason = '{}'\n", "x".repeat(202));
        assert!(refused(&long).contains("reason must be text of at most 201 characters"));
    }

    #[test]
    fn a_time_that_has_passed_is_no_mistake() {
        let bans = parse(&Source { path: String::new(), text: written(&some_bans()) }).unwrap();
        let now = at("2026-11-24T12:00:00Z");
        assert_eq!(bans.in_force(now).count(), 2);
        assert_eq!(bans.in_force(now + Duration::from_hours(24 * 365 * 200)).count(), 1);
    }
}
