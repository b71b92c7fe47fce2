//! [`Command`]: what the command line asks of the client, as plain data, and how each is run.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use tokio::runtime;

use super::{
    Settings,
    dial::Dialer,
    files::{Folder, NoFolder},
    screen::{self, Farewell, Theme},
    script::{self, Failure},
    settings::{self, Unusable},
};
use crate::{
    escape::Escaped,
    layers::{CommandLine, ConfigError},
};

/// Which server, and how to get there, as far as the command line says; the user's settings say the rest.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What is set on the command line.
    pub settings: CommandLine,
    /// Accept any certificate. Only here, for one call: what is written down once is forgotten.
    pub insecure: bool,
}

impl Access {
    /// The settings in force: flags over environment over the user's file over defaults. Among them are the name
    /// ([`Settings::name`]) and whether there are colours ([`Settings::has_colours`]).
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(settings::load(&self.settings, std::env::vars_os())?.config)
    }

    /// The way to the server of these settings: reads the files that are named, and says on standard error what is
    /// dangerous about it.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self, settings: &Settings) -> Result<Dialer, Error> {
        let dialer = settings.dialer(self.insecure)?;
        for warning in dialer.warnings() {
            // If nobody hears it, there is nobody to tell that.
            let _ = writeln!(io::stderr(), "arauto: warning: {warning}");
        }
        Ok(dialer)
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Talk.
    Join {
        /// Where.
        access: Access,
        /// Under which name; asked for if left out.
        name: Option<String>,
        /// In lines, even on a terminal.
        plain: bool,
        /// The folder whose files are told to who asks.
        share: Option<PathBuf>,
    },
    /// Print who is connected.
    List {
        /// Where.
        access: Access,
        /// Under which name to ask; one made up if left out.
        name: Option<String>,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An errand came to nothing.
    #[error("{}", Escaped(.0))]
    Script(Failure),
    /// A setting is refused.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// A file that a setting names cannot be used.
    #[error(transparent)]
    File(#[from] Unusable),
    /// A conversation on a full screen ended otherwise than by leaving it.
    #[error("{}", Escaped(.0))]
    Ended(Farewell),
    /// The folder to share is none.
    #[error(transparent)]
    Folder(#[from] NoFolder),
    /// A full screen was asked for where there is none.
    #[error("standard input and output have to be a terminal")]
    NoTerminal,
    /// Standard input or output, or a thread, failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Script(failure)
    }
}

impl Error {
    /// The program's exit status: 2 where the settings are refused, 3 where the server says no, 4 where there is no connection, 1 for all else.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Script(
                Failure::Refused(_) | Failure::PasswordMissing(_) | Failure::PasswordWrong { .. },
            )
            | Self::Ended(Farewell::Refused(_)) => 3,
            Self::Script(_) | Self::Ended(_) => 4,
            Self::Settings(_) => 2,
            Self::NoTerminal | Self::Folder(_) | Self::File(_) | Self::Io(_) => 1,
        }
    }
}

/// Does it.
///
/// # Errors
/// If it fails; [`Error::status`] tells in what way.
pub fn run(command: Command) -> Result<(), Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Join { access, name, plain, share } => join(access, name, plain, share).await?,
            Command::List { access, name } => {
                let name = name.unwrap_or_else(|| format!("arauto-{}", std::process::id()));
                let dialer = access.dialer(&access.settings()?)?;
                let names = script::list(&dialer, &name).await?;
                let mut out = io::stdout().lock();
                for name in names {
                    writeln!(out, "{}", Escaped(name))?;
                }
                out.flush()?;
            }
        }
        Ok(())
    })
}

async fn join(
    access: Access,
    name: Option<String>,
    plain: bool,
    share: Option<PathBuf>,
) -> Result<(), Error> {
    if plain || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Error::NoTerminal);
    }
    let settings = access.settings()?;
    let folder = share.as_deref().map(Folder::open).transpose()?;
    let theme = Theme::new(settings.has_colours(true, std::env::var_os("NO_COLOR")));
    match screen::run(access.dialer(&settings)?, settings.name(name), theme, folder).await? {
        Farewell::Left => Ok(()),
        Farewell::ServerClosed => Ok(writeln!(io::stdout(), "The server closed.")?),
        farewell => Err(Error::Ended(farewell)),
    }
}
