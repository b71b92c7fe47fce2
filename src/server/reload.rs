//! [`Reloader`]: replaces the configuration, the certificates and the accounts of a running server.

mod settling;

use std::path::{Path, PathBuf};

use slog::{Logger, error, info, warn};

use arauto_settings::escape::Escaped;
use arauto_settings::source::SourceError;
use settling::{Settling, Unsettled};

use super::files::read_accounts;
use crate::{
    accounts::Directory,
    config::{Applies, Change, Config, ConfigError, InForce},
    server::net::{
        systemd,
        tls::credentials::{self, Credentials, CredentialsError},
    },
};

/// The source of a new configuration, and a callback for the one applied.
pub struct Reloading {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Reads the configuration again, from the file, environment and flags of the start.
    pub load: Box<dyn Fn() -> Result<Config, ConfigError>>,
    /// Called with each configuration that is put in force.
    pub applied: Box<dyn Fn(&Config)>,
}

/// Puts a new configuration, certificates and accounts in force, without affecting connected clients.
pub struct Reloader {
    config: InForce,
    credentials: Option<Credentials>,
    accounts: Directory,
    reloading: Reloading,
    settling: Settling,
    log: Logger,
}

/// Why a reload changed nothing.
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
    /// A reload must not free all operators' names; most likely another program is writing the file.
    #[error("{named}, where there were {before}; to run without accounts, restart the server")]
    NoAccounts { named: String, before: usize },
}

impl Reloader {
    /// Creates a reloader for the server that uses these handles.
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

    /// Reads everything again. If there is any fault, changes nothing and logs the reason.
    pub async fn reload(&self) {
        systemd::reloading(&self.log);
        let status = match self.try_reload().await {
            Err(refused) => {
                let reason = reason(&refused);
                error!(self.log, "reload refused; nothing changed"; "error" => %reason);
                format!("Reload refused; nothing changed: {reason}")
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
        // Also after a refusal: the server goes on serving.
        systemd::reloaded(&status, &self.log);
    }

    /// Returns the changed settings, and whether the certificate changed.
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
        // Nothing below can fail.
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

/// Explains why there are no accounts.
fn without_accounts(file: &Path) -> String {
    if file.as_os_str().is_empty() {
        "accounts.file names no file".to_owned()
    } else {
        format!("{} holds no accounts", Escaped(file.display()))
    }
}

/// Joins an error and its causes, and returns the first line of the result.
fn reason(refused: &Refused) -> String {
    let mut words = refused.to_string();
    let mut cause = std::error::Error::source(refused);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words.lines().next().unwrap_or_default().to_owned()
}
