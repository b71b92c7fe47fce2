//! [`Reloader`]: another configuration, other certificates and other accounts for a server that goes on serving.

use std::path::{Path, PathBuf};

use slog::{Logger, error, info, warn};

use super::{
    read_accounts,
    settling::{Settling, Unsettled},
    systemd,
    tls::credentials::{self, Credentials, CredentialsError},
};
use crate::{
    accounts::Directory,
    config::{Applies, Change, Config, ConfigError, InForce},
    escape::Escaped,
    source::SourceError,
};

/// Where another configuration comes from, and who else is to know of it.
pub struct Reloading {
    /// The file that it is read from, if there is one.
    pub file: Option<PathBuf>,
    /// Reads it again: the same file, environment and flags as at the start.
    pub load: Box<dyn Fn() -> Result<Config, ConfigError>>,
    /// Is told what is in force from now on.
    pub applied: Box<dyn Fn(&Config)>,
}

/// Puts another configuration, other certificates and other accounts in force. Nobody who is connected is disturbed.
pub struct Reloader {
    config: InForce,
    credentials: Option<Credentials>,
    accounts: Directory,
    reloading: Reloading,
    settling: Settling,
    log: Logger,
}

/// Why all stays as it was.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Accounts(#[from] SourceError),
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// All operators' names would be free, most likely because a file is being written.
    #[error("{named}, where there were {before}; to do without accounts, start the server again")]
    NoAccounts { named: String, before: usize },
}

impl Reloader {
    /// For the server that reads these.
    pub fn new(
        config: &InForce,
        credentials: Option<&Credentials>,
        accounts: &Directory,
        reloading: Reloading,
        log: &Logger,
    ) -> Self {
        let files = reloading.file.iter().map(PathBuf::as_path);
        let settling = Settling::with(files.chain([config.get().accounts.file.as_path()]));
        Self {
            config: config.clone(),
            credentials: credentials.cloned(),
            accounts: accounts.clone(),
            reloading,
            settling,
            log: log.clone(),
        }
    }

    /// Reads everything again. If anything about it is wrong, all stays as it was, and the log says why.
    pub async fn reload(&self) {
        systemd::reloading(&self.log);
        let status = match self.try_reload().await {
            Err(refused) => {
                let reason = reason(&refused);
                error!(self.log, "reload refused, all stays as it was"; "error" => %reason);
                format!("Reload refused, all stays as it was: {reason}")
            }
            Ok((changes, certificate)) => {
                for change in &changes {
                    self.log_change(change);
                }
                let certificate = if certificate { "new" } else { "same" };
                info!(self.log, "reloaded"; "changes" => changes.len(), "certificate" => certificate);
                format!("Reloaded: {} settings changed, {certificate} certificate", changes.len())
            }
        };
        // Also where it was refused: the server serves on.
        systemd::reloaded(&status, &self.log);
    }

    /// Returns what is different, and whether the certificate is.
    async fn try_reload(&self) -> Result<(Vec<Change>, bool), Refused> {
        if let Some(file) = &self.reloading.file {
            self.settling.wait_for(file).await?;
        }
        let (config, changes) = self.config.after((self.reloading.load)()?);
        if !config.accounts.file.as_os_str().is_empty() {
            self.settling.wait_for(&config.accounts.file).await?;
        }
        let loaded = match &self.credentials {
            None => None,
            Some(credentials) => Some((credentials, credentials::load(&config.tls, &self.log)?)),
        };
        let accounts = read_accounts(&config, &self.log)?;
        let before = self.accounts.current().len();
        if accounts.is_empty() && before > 0 {
            return Err(Refused::NoAccounts { named: without_accounts(&config.accounts.file), before });
        }
        // From here on nothing can fail.
        (self.reloading.applied)(&config);
        self.config.replace(config);
        self.accounts.replace(accounts);
        Ok((changes, loaded.is_some_and(|(credentials, loaded)| credentials.replace(loaded))))
    }

    fn log_change(&self, Change { setting, from, to, applies }: &Change) {
        if *applies == Applies::Restart {
            warn!(self.log, "this setting needs a restart to change"; "setting" => setting, "from" => from, "to" => to);
        } else {
            info!(self.log, "setting changed"; "setting" => setting, "from" => from, "to" => to, "applies" => %applies);
        }
    }
}

/// What is said of a file that holds no accounts.
fn without_accounts(file: &Path) -> String {
    if file.as_os_str().is_empty() {
        "accounts.file names no file".to_owned()
    } else {
        format!("{} holds no accounts", Escaped(file.display()))
    }
}

/// An error with all that led to it, on one line.
fn reason(refused: &Refused) -> String {
    let mut words = refused.to_string();
    let mut cause = std::error::Error::source(refused);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words.lines().next().unwrap_or_default().to_owned()
}
