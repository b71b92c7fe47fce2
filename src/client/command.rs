//! [`Command`]: what the command line asks of the client, as plain data, and how each is run.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use tokio::runtime;

use super::{
    Password, Target,
    dial::Dialer,
    password::NoPassword,
    script::{self, Failure},
    tls::{self, Tls, TlsOptions},
};
use crate::escape::Escaped;

/// Which server, and how to get there.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Which server.
    pub server: Target,
    /// How the connection is encrypted.
    pub tls: TlsOptions,
    /// The file that holds the password, for a name that has one.
    pub password_file: Option<PathBuf>,
}

impl Access {
    /// The way there: reads the files that are named, and says on standard error what is dangerous about it.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self) -> Result<Dialer, Error> {
        let mut dialer = Dialer::new(self.server.clone());
        if self.tls.is_wanted() {
            dialer = dialer.with_tls(Tls::new(&self.tls)?);
        }
        if let Some(file) = &self.password_file {
            dialer = dialer.with_password(Password::read(file)?);
        }
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
    /// TLS cannot be spoken as it was asked for.
    #[error(transparent)]
    Tls(#[from] tls::Unusable),
    /// The password's file cannot be used.
    #[error(transparent)]
    Password(#[from] NoPassword),
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
    /// The program's exit status: 3 where the server says no, 4 where there is no connection, 1 for all else.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Script(
                Failure::Refused(_) | Failure::PasswordMissing(_) | Failure::PasswordWrong { .. },
            ) => 3,
            Self::Script(_) => 4,
            Self::Tls(_) | Self::Password(_) | Self::Io(_) => 1,
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
            Command::List { access, name } => {
                let name = name.unwrap_or_else(|| format!("arauto-{}", std::process::id()));
                let names = script::list(&access.dialer()?, &name).await?;
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
