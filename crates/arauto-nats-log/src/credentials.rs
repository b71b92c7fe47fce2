//! [`Credentials`]: how a node shows NATS which user it is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use async_nats::ConnectOptions;

use crate::error::StartError;

/// Most bytes of a file of credentials that are read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The content of a file of credentials. Not `Debug`: all of it is secret.
pub enum Credentials {
    /// A file of `nsc`: a JWT and the seed of an nkey.
    Creds(String),
    /// The seed of an nkey.
    Nkey(String),
    /// A name and a password.
    Password(String, String),
}

impl Credentials {
    /// Reads a file.
    pub fn from_file(path: &Path) -> Result<Self, StartError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
        read.map_err(|error| StartError::File { path: path.to_owned(), error })?;
        Self::from_text(&text).ok_or_else(|| StartError::Credentials(path.to_owned()))
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.contains("BEGIN NATS USER JWT") {
            return Some(Self::Creds(text.to_owned()));
        }
        let is_content = |line: &&str| !line.is_empty() && !line.starts_with(['#', '-', '*']);
        let mut lines = text.lines().map(str::trim).filter(is_content);
        let line = lines.next()?;
        // A seed of a user has 58 characters and begins with SU.
        let is_seed = line.len() == 58
            && line.starts_with("SU")
            && line.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_seed {
            return Some(Self::Nkey(line.to_owned()));
        }
        let (user, password) = line.split_once(':')?;
        (!user.is_empty()).then(|| Self::Password(user.to_owned(), password.to_owned()))
    }

    /// Lets the client show them.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn add_to(self, client: ConnectOptions) -> io::Result<ConnectOptions> {
        match self {
            Self::Creds(text) => client.credentials(&text),
            Self::Nkey(seed) => Ok(client.nkey(seed)),
            Self::Password(user, password) => Ok(client.user_and_password(user, password)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_credentials_is_told_from_the_others() {
        let seed = nkeys::KeyPair::new_user().seed().expect("a seed");
        let is_nkey = |text: &str| matches!(Credentials::from_text(text), Some(Credentials::Nkey(read)) if read == seed);
        assert!(is_nkey(&seed) && is_nkey(&format!("# a node\n\n{seed}\n")));
        assert!(is_nkey(&format!(
            "-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )));
        let password = Credentials::from_text("n1:a:b\n");
        assert!(matches!(password, Some(Credentials::Password(user, word)) if user == "n1" && word == "a:b"));
        let creds = "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n";
        assert!(matches!(Credentials::from_text(creds), Some(Credentials::Creds(_))));
        for other in ["", "\n", "n1", ":word", "# n1:word"] {
            assert!(Credentials::from_text(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_unusable_file_is_named_and_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("creds");
        std::fs::write(&path, "hidden").expect("a file");
        let error = Credentials::from_file(&path).err().expect("an error").to_string();
        assert!(error.contains("creds") && !error.contains("hidden"), "{error}");
        let error =
            Credentials::from_file(&folder.path().join("absent")).err().expect("an error").to_string();
        assert!(error.contains("absent"), "{error}");
    }
}
