//! [`Password`]: the password that somebody gave for scripts, from a file or typed.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, IsTerminal, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use zeroize::Zeroizing;

use crate::{escape::Escaped, terminal};

/// The longest password, in bytes. Those of accounts have 256 at the most.
const MOST_BYTES: usize = 512;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum NoPassword {
    /// The file cannot be read.
    #[error("password_file: cannot read {path}: {why}")]
    Unreadable {
        /// The file, fit for printing.
        path: String,
        /// What the system says.
        why: io::Error,
    },
    /// Its first line is none.
    #[error("password_file: the first line of {path} {what}")]
    Unusable {
        /// The file, fit for printing.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A password from a file. Its memory is overwritten when it is dropped, and it is never shown.
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
    /// The first line of a file. It need not be a plain one: a pipe does.
    ///
    /// # Errors
    /// If it cannot be read, or is no password.
    pub fn read(path: &Path) -> Result<Self, NoPassword> {
        let shown = || Escaped(path.display()).to_string();
        let unusable = |what| NoPassword::Unusable { path: shown(), what };
        let (bytes, mode) = first_bytes(path).map_err(|why| NoPassword::Unreadable { path: shown(), why })?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(unusable("is empty"));
        }
        if line.len() > MOST_BYTES {
            return Err(unusable("is too long for a password"));
        }
        let text = std::str::from_utf8(line).map_err(|_| unusable("is not UTF-8 text"))?;
        if text.chars().any(char::is_control) {
            return Err(unusable("holds a control character; no password does"));
        }
        let text = Zeroizing::new(text.to_owned());
        Ok(Self { text, file: shown(), is_readable_by_all: mode & 0o007 != 0 })
    }

    /// The password.
    #[must_use]
    pub fn text(&self) -> &Zeroizing<String> {
        &self.text
    }

    /// The file, fit for printing.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What should be said of the file before it is used.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let file = &self.file;
        self.is_readable_by_all
            .then(|| format!("everybody on this machine can read the password in {file}: chmod o= it"))
    }
}

/// More of the file than a password has, and its permissions.
fn first_bytes(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let found: fs::Metadata = file.metadata()?;
    // Only files lie about; what comes through a pipe is gone when it is read.
    let mode = if found.is_file() { found.permissions().mode() } else { 0 };
    // Room for all of it, so that no copy is left behind by growing.
    let most = MOST_BYTES + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * most));
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

/// Asks for the password of `name` on the terminal that is standard input, without echo, after a warning and after what was
/// wrong with the last one. `None`: there is no terminal, or whoever types gave up. Waits, as long as it takes.
///
/// # Errors
/// If the terminal fails or is gone.
pub fn ask(
    name: &str,
    warning: Option<&str>,
    complaint: Option<&str>,
) -> io::Result<Option<Zeroizing<String>>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let prompt = prompt(name, warning, complaint);
    let Some(typed) = terminal::read_hidden(&mut io::stderr(), &prompt, MOST_BYTES)? else { return Ok(None) };
    match std::str::from_utf8(&typed) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a password is UTF-8 text")),
    }
}

fn prompt(name: &str, warning: Option<&str>, complaint: Option<&str>) -> String {
    let mut prompt = String::new();
    // Writing to a string does not fail.
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
            "password_file: the first line of p holds a control character; no password does"
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
        assert!(said.contains("everybody on this machine can read the password in"), "{said}");
        assert!(!said.contains("opensesame"), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Password::read(&path).unwrap().warning(), None);
    }
}
