//! [`Reloader`]: another configuration, other certificates and other accounts for a server that goes on serving.

use slog::{Logger, error, info, warn};

use super::{
    read_accounts, systemd,
    tls::credentials::{self, Credentials, CredentialsError},
};
use crate::{
    accounts::Directory,
    config::{Applies, Change, Config, ConfigError, InForce},
    source::SourceError,
};

/// Where another configuration comes from, and who else is to know of it.
pub struct Reloading {
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
        Self {
            config: config.clone(),
            credentials: credentials.cloned(),
            accounts: accounts.clone(),
            reloading,
            log: log.clone(),
        }
    }

    /// Reads everything again. If anything about it is wrong, all stays as it was, and the log says why.
    pub fn reload(&self) {
        systemd::reloading(&self.log);
        match self.try_reload() {
            Err(refused) => {
                error!(self.log, "reload refused, all stays as it was"; "error" => %reason(&refused));
            }
            Ok((changes, certificate)) => {
                for change in &changes {
                    self.log_change(change);
                }
                let certificate = if certificate { "new" } else { "same" };
                info!(self.log, "reloaded"; "changes" => changes.len(), "certificate" => certificate);
            }
        }
        // Also where it was refused: the server serves on.
        systemd::ready(&self.log);
    }

    /// Returns what is different, and whether the certificate is.
    fn try_reload(&self) -> Result<(Vec<Change>, bool), Refused> {
        let (config, changes) = self.config.after((self.reloading.load)()?);
        let loaded = match &self.credentials {
            None => None,
            Some(credentials) => Some((credentials, credentials::load(&config.tls, &self.log)?)),
        };
        let accounts = read_accounts(&config, &self.log)?;
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
