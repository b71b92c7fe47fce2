//! [`Command`]: what the command line asks of the client, as plain data, and how each is run.

use std::io::{self, Write};

use tokio::runtime;

use super::{
    Target,
    dial::Dialer,
    script::{self, Failure},
};
use crate::escape::Escaped;

/// Which server, and how to get there.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Which server.
    pub server: Target,
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
            Self::Script(Failure::Refused(_) | Failure::PasswordMissing(_)) => 3,
            Self::Script(_) => 4,
            Self::Io(_) => 1,
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
                let names = script::list(&Dialer::new(access.server), &name).await?;
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
