//! [`Password`]: a password for scripts, read from a file or typed on the terminal.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, IsTerminal, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use arauto_settings::escape::Escaped;
use zeroize::Zeroizing;

use arauto_terminal as terminal;

/// Longest password, in bytes. Those of accounts have at most 256.
const MAX_BYTES: usize = 512;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum NoPassword {
    /// The file cannot be read.
    #[error("password_file: cannot read {path}: {why}")]
    Unreadable {
        /// Path of the file, escaped for printing.
        path: String,
        /// The system's error.
        why: io::Error,
    },
    /// The first line of the file cannot be a password.
    #[error("password_file: the first line of {path} {what}")]
    Unusable {
        /// Path of the file, escaped for printing.
        path: String,
        /// Reason, as the predicate of a sentence.
        what: &'static str,
    },
}

/// A password from a file. Its memory is overwritten when it is dropped, and no output shows it.
pub struct Password {
    text: Zeroizing<String>,
    file: String,
    is_readable_by_all: bool,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Password {
    /// Reads the first line of a file. The file may be a pipe.
    ///
    /// # Errors
    /// If the file cannot be read, or its first line cannot be a password.
    pub fn read(path: &Path) -> Result<Self, NoPassword> {
        let shown = || Escaped(path.display()).to_string();
        let unusable = |what| NoPassword::Unusable { path: shown(), what };
        let (bytes, mode) = first_bytes(path).map_err(|why| NoPassword::Unreadable { path: shown(), why })?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(unusable("is empty"));
        }
        if line.len() > MAX_BYTES {
            return Err(unusable("is too long for a password"));
        }
        let text = std::str::from_utf8(line).map_err(|_| unusable("is not UTF-8 text"))?;
        if text.chars().any(char::is_control) {
            return Err(unusable("holds a control character, which no password may hold"));
        }
        let text = Zeroizing::new(text.to_owned());
        Ok(Self { text, file: shown(), is_readable_by_all: mode & 0o007 != 0 })
    }

    /// Returns the password.
    #[must_use]
    pub fn text(&self) -> &Zeroizing<String> {
        &self.text
    }

    /// Returns the path of the file, escaped for printing.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns a warning to show before the password is used, if any user of this machine can read its file.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let file = &self.file;
        self.is_readable_by_all
            .then(|| format!("every local user can read the password in {file}; run chmod o= on it"))
    }
}

/// Returns the first bytes of the file, more than a password may have, and its permissions.
fn first_bytes(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let found: fs::Metadata = file.metadata()?;
    // Permissions matter for regular files only: the content of a pipe is gone once it is read.
    let mode = if found.is_file() { found.permissions().mode() } else { 0 };
    // The buffer never grows, because growing would leave a copy of the password behind.
    let most = MAX_BYTES + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * most));
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

/// Asks for the password of `name` on the terminal that is standard input, without echo. `warning` and `complaint`,
/// what was wrong with the last password, are printed first. `None`: there is no terminal, or the user gave up.
/// Blocks until the user has typed.
///
/// # Errors
/// If the terminal fails or is gone, or the input is not UTF-8.
pub fn ask(
    name: &str,
    warning: Option<&str>,
    complaint: Option<&str>,
) -> io::Result<Option<Zeroizing<String>>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let prompt = prompt(name, warning, complaint);
    let Some(typed) = terminal::read_hidden(&mut io::stderr(), &prompt, MAX_BYTES)? else { return Ok(None) };
    match std::str::from_utf8(&typed) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a password is UTF-8 text")),
    }
}

fn prompt(name: &str, warning: Option<&str>, complaint: Option<&str>) -> String {
    let mut prompt = String::new();
    // Writing to a string cannot fail.
    if let Some(warning) = warning {
        let _ = writeln!(prompt, "arauto: warning: {warning}");
    }
    if let Some(complaint) = complaint {
        let _ = writeln!(prompt, "{}", Escaped(complaint));
    }
    let _ = write!(prompt, "Password of {}: ", Escaped(name));
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_is_warned_first_and_cannot_be_fooled() {
        assert_eq!(prompt("ana", None, None), "Password of ana: ");
        assert_eq!(
            prompt("a\nb", Some("all can read it"), Some("Wrong\u{1b}[2J")),
            "arauto: warning: all can read it\nWrong\\u{1b}[2J\nPassword of a\\nb: "
        );
    }

    fn read(content: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        fs::write(&path, content).unwrap();
        match Password::read(&path) {
            Ok(password) => Ok(password.text.to_string()),
            Err(error) => Err(error.to_string().replace(&format!("{}/", folder.path().display()), "")),
        }
    }

    #[test]
    fn the_first_line_is_the_password() {
        for content in [&b" open sesame "[..], b" open sesame \n", b" open sesame \r\nmore\n"] {
            assert_eq!(read(content).as_deref(), Ok(" open sesame "), "{content:?}");
        }
        assert_eq!(read(&[b'x'; 512]).unwrap().len(), 512);
        let why = |content: &[u8]| read(content).unwrap_err();
        assert_eq!(why(b""), "password_file: the first line of p is empty");
        assert_eq!(why(b"\nopensesame\n"), why(b""));
        assert_eq!(why(&[b'x'; 513]), "password_file: the first line of p is too long for a password");
        assert_eq!(why(b"\xff\n"), "password_file: the first line of p is not UTF-8 text");
        assert_eq!(
            why(b"open\tsesame"),
            "password_file: the first line of p holds a control character, which no password may hold"
        );
    }

    #[test]
    fn nothing_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        fs::write(&path, "opensesame\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let password = Password::read(&path).unwrap();
        let said = format!("{password:?} {:?}", password.warning());
        assert!(said.contains("every local user can read the password in"), "{said}");
        assert!(!said.contains("opensesame"), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Password::read(&path).unwrap().warning(), None);
    }
}
