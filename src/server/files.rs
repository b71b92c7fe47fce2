//! The files that a configuration names: reads the accounts, and checks all of them.

use arauto_protocol::name;
use arauto_settings::escape::Escaped;
use arauto_settings::source::SourceError;
use slog::{Logger, info, warn};

use crate::{
    accounts::{self, AccountsFile},
    config::Config,
    server::{
        admission::bans::{self, LedgerError},
        net::tls::credentials,
        serve_error::ServeError,
    },
};

/// Checks all files that a configuration names, and returns all faults found.
#[must_use]
pub fn unusable_files(config: &Config) -> Vec<ServeError> {
    let accounts = match config.accounts.file.as_path() {
        file if file.as_os_str().is_empty() => Vec::new(),
        file => AccountsFile::faults(file, name::max_bytes(config.limits.message_bytes)),
    };
    let bans = match config.accounts.bans_file.as_path() {
        file if file.as_os_str().is_empty() => Vec::new(),
        file => bans::file::faults(file),
    };
    let credentials = credentials::faults(&config.tls).into_iter().map(ServeError::from);
    let bans = bans.into_iter().map(|fault| ServeError::from(LedgerError::from(fault)));
    credentials.chain(accounts.into_iter().map(ServeError::from)).chain(bans).collect()
}

/// Reads the accounts file that a configuration names, if any, and warns if other users can read the file. To apply
/// the accounts, call [`accounts::Directory::replace`].
///
/// # Errors
/// If the file cannot be read, or with the first fault in it.
pub fn read_accounts(config: &Config, log: &Logger) -> Result<AccountsFile, SourceError> {
    let path = config.accounts.file.as_path();
    if path.as_os_str().is_empty() {
        return Ok(AccountsFile::default());
    }
    let accounts = AccountsFile::load(path, name::max_bytes(config.limits.message_bytes))?;
    let shown = Escaped(path.display());
    if accounts::is_readable_by_others(path).unwrap_or_default() {
        warn!(log, "every local user can read the accounts file; run chmod o-r on it"; "file" => %shown);
    }
    info!(log, "accounts"; "file" => %shown, "count" => accounts.len());
    Ok(accounts)
}
