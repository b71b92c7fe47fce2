//! Accounts: names that are protected by a password.
//!
//! - [`AccountsFile`]: the parsed accounts file.
//! - [`Directory`]: the accounts in force, which a reload replaces as a whole.
//! - [`Verifier`]: compares passwords outside the threads that serve sessions, a few at a time and in turn; wrong
//!   passwords are limited per address and per account.
//! - [`passwd`]: makes an entry of the file.
//!
//! ```toml
//! [[accounts]]
//! name = "alan"
//! hash = "$argon2id$v=19$m=19456,t=2,p=1$..."
//! operator = true
//! ```

use std::{collections::HashMap, fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use arauto_protocol::{Look, Name, NameKey};
use arauto_settings::source::{
    Source, SourceError, first,
    rows::{self, Fault, Row},
};
use arc_swap::{ArcSwap, Guard};

mod attempts;
pub mod passwd;
mod queue;
mod secret;
mod verifier;

pub use attempts::AttemptOrigin;
pub use queue::{Attempt, Verdict};
#[cfg(test)]
pub(crate) use secret::tests::cheap_hash;
pub use secret::{MAX_BYTES, MIN_CHARS, NoHash, NoSecret, PasswordHash, Secret};
pub use verifier::Verifier;

/// The allowed keys of an entry of the file.
const KEYS: [&str; 3] = ["name", "hash", "operator"];

/// A name that is protected by a password.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name as the file spells it. Clients see this spelling.
    pub name: Name,
    /// The hash of the account's password.
    pub hash: PasswordHash,
    /// Whether the account has the rights of an operator.
    pub operator: bool,
}

/// All accounts, by their name keys.
#[derive(Debug, Default)]
pub struct AccountsFile {
    by_name: HashMap<NameKey, Account>,
    /// The account that occupies a look. Other names with this look are refused.
    by_look: HashMap<Look, NameKey>,
}

impl AccountsFile {
    /// Reads an accounts file. A name may have at most `name_bytes` bytes, see [`arauto_protocol::name::max_bytes`].
    ///
    /// # Errors
    /// If the file cannot be read, or has a fault; the error points at the first fault.
    pub fn load(path: &Path, name_bytes: usize) -> Result<Self, SourceError> {
        Self::read(&Source::read(path, "an accounts file")?, name_bytes).map_err(first)
    }

    /// All faults of an accounts file.
    #[must_use]
    pub fn faults(path: &Path, name_bytes: usize) -> Vec<SourceError> {
        match Source::read(path, "an accounts file") {
            Ok(source) => Self::read(&source, name_bytes).err().unwrap_or_default(),
            Err(unreadable) => vec![unreadable],
        }
    }

    /// Reads accounts from a file's content.
    ///
    /// # Errors
    /// As [`Self::load`].
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn read_text(name: &str, bytes: Vec<u8>, name_bytes: usize) -> Result<Self, SourceError> {
        Self::read(&Source::decode(name.to_owned(), bytes)?, name_bytes).map_err(first)
    }

    fn read(source: &Source, name_bytes: usize) -> Result<Self, Vec<SourceError>> {
        let mut accounts = Self::default();
        let mut lines: HashMap<NameKey, usize> = HashMap::new();
        rows::read_all(source, "accounts", &KEYS, |row, _: &[()]| {
            let account = account(row, name_bytes)?;
            let (_, at) = row.required("name")?;
            let (key, looks) = (account.name.key().clone(), account.name.looks());
            if let Some(other) = looks.iter().find_map(|look| accounts.by_look.get(look)) {
                let line = lines.get(other).copied().unwrap_or_default();
                return Err((
                    at,
                    format!("the account on line {line} has this name, or one that looks like it"),
                ));
            }
            lines.insert(key.clone(), source.line(at.start));
            accounts.by_look.extend(looks.iter().map(|look| (look.clone(), key.clone())));
            accounts.by_name.insert(key, account);
            Ok(())
        })?;
        Ok(accounts)
    }

    /// The account with this name.
    #[must_use]
    pub fn find(&self, name: &NameKey) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// The account whose name looks like `name`. `None` if `name` is itself the name of an account.
    #[must_use]
    pub fn find_look_alike(&self, name: &Name) -> Option<&Account> {
        // Computing looks is slow, and most servers have no accounts.
        if self.is_empty() || self.find(name.key()).is_some() {
            return None;
        }
        let key = name.looks().iter().find_map(|look| self.by_look.get(look))?.clone();
        self.find(&key)
    }

    /// Number of accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are no accounts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn account(row: &Row<'_>, name_bytes: usize) -> Result<Account, Fault> {
    let (name, at) = row.required("name")?;
    let name = Name::parse(name, name_bytes).map_err(|why| (at, why.to_string()))?;
    let (hash, at) = row.required("hash")?;
    let hash = PasswordHash::parse(hash).map_err(|why| (at, format!("hash must be {why}")))?;
    let operator = row.truth("operator")?.is_some_and(|(operator, _)| operator);
    Ok(Account { name, hash, operator })
}

/// Whether users other than the file's owner and group can read it. Such users could test passwords against the hashes
/// without any limit.
///
/// # Errors
/// If the file's metadata cannot be read.
pub fn is_readable_by_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o004 != 0)
}

/// Handle to the accounts in force; clones share them and see a replacement at once. Reading takes no lock.
#[derive(Clone, Debug)]
pub struct Directory(Arc<ArcSwap<AccountsFile>>);

impl Directory {
    /// A handle to these accounts.
    #[must_use]
    pub fn new(accounts: AccountsFile) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(accounts)))
    }

    /// The accounts in force now.
    #[must_use]
    pub fn current(&self) -> Guard<Arc<AccountsFile>> {
        self.0.load()
    }

    /// Replaces the accounts. Connected clients stay connected; an operator who is no operator in `accounts` loses the
    /// rights of one at once.
    pub fn replace(&self, accounts: AccountsFile) {
        self.0.store(Arc::new(accounts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AccountsFile, String> {
        let source = Source { path: "accounts.toml".to_owned(), text: text.to_owned() };
        AccountsFile::read(&source, 489).map_err(|faults| first(faults).to_string())
    }

    fn name(text: &str) -> Name {
        Name::parse(text, 489).unwrap()
    }

    #[test]
    fn accounts_are_found_by_what_names_are_compared_by() {
        let hash = cheap_hash();
        let accounts = read(&format!(
            "[[accounts]]\nname = 'Alan'\nhash = '{hash}'\noperator = true\n[[accounts]]\nhash = '{hash}'\nname = 'bob'\n"
        ))
        .unwrap();
        assert_eq!(accounts.len(), 2);
        let alan = accounts.find(name("ALAN").key()).unwrap();
        assert_eq!((alan.name.as_str(), &alan.hash, alan.operator), ("Alan", &hash, true));
        assert!(!accounts.find(name("bob").key()).unwrap().operator);
        assert!(accounts.find(name("carl").key()).is_none());
        for (other, like) in
            [("\u{430}lan", Some("Alan")), ("aIan", Some("Alan")), ("alan", None), ("carl", None)]
        {
            let found = accounts.find_look_alike(&name(other));
            assert_eq!(found.map(|account| account.name.as_str()), like, "{other}");
        }
        assert!(read("").unwrap().is_empty());
        assert!(read("# nobody\naccounts = []\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let hash = cheap_hash();
        let good = format!("[[accounts]]\nname = 'alan'\nhash = '{hash}'\n");
        for (text, complaint) in [
            ("[accounts]\n".to_owned(), "1:1: accounts must be a list: [[accounts]] before each entry"),
            (
                "accounts = [1]\n".to_owned(),
                "1:13: accounts must be a list of tables: [[accounts]] before each entry",
            ),
            ("[[acounts]]\n".to_owned(), "1:3: unknown key; there is only [[accounts]]"),
            (format!("{good}[server]\n"), "4:2: unknown key; there is only [[accounts]]"),
            (format!("{good}Operator = true\n"), "4:1: unknown key in [[accounts]]; did you mean operator?"),
            (
                format!("{good}colour = 1\n"),
                "4:1: unknown key in [[accounts]]; there are name, hash, operator",
            ),
            (format!("{good}operator = 'yes'\n"), "4:12: operator must be true or false"),
            (format!("{good}name = 'bob'\n"), "4:1: duplicate key"),
            ("[[accounts]]\nname = 'alan'\n".to_owned(), "1:1: hash is missing"),
            (format!("[[accounts]]\nhash = '{hash}'\n"), "1:1: name is missing"),
            ("[[accounts]]\nname = 7\n".to_owned(), "2:8: name must be a text in quotes"),
            (
                "[[accounts]]\nname = 'a|b'\n".to_owned(),
                "2:8: A name must not hold the character | because it separates",
            ),
            ("[[accounts]]\nname = 'server'\n".to_owned(), "2:8: The name server is reserved"),
            (
                "[[accounts]]\nname = 'alan'\nhash = 'opensesame'\n".to_owned(),
                "3:8: hash must be what arauto passwd prints: $argon2id$v=19$...",
            ),
            (
                format!("{good}\n{}", good.replace("alan", "ALAN")),
                "6:8: the account on line 2 has this name, or one that looks like it",
            ),
            (
                format!("{good}{}", good.replace("alan", "al\u{430}n")),
                "5:8: the account on line 2 has this name, or one that looks like it",
            ),
            ("[[accounts]\n".to_owned(), "1:12: unclosed"),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.starts_with(&format!("accounts.toml:{complaint}")), "{text}\n{said}");
            assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
        }
    }

    #[test]
    fn a_directory_shows_what_was_put_in_force_last() {
        let directory = Directory::new(AccountsFile::default());
        let other = directory.clone();
        assert!(other.current().is_empty());
        directory
            .replace(read(&format!("[[accounts]]\nname = 'alan'\nhash = '{}'\n", cheap_hash())).unwrap());
        assert_eq!(other.current().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_file_brings_it_down(at in 0..200_usize, length in 0..40_usize, with in "\\PC{0,20}|[\\x00-\\x1f]{0,4}") {
            let mut text = format!("[[accounts]]\nname = \"alan\"\nhash = \"{}\"\noperator = true\n", cheap_hash());
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = text.floor_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &with);
            if let Err(said) = read(&text) {
                proptest::prop_assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
            }
        }
    }
}
