//! What the operator can set: flags over environment over file over defaults.
//!
//! `types` is what the rest of the program sees. `settings` is the table that everything here follows; to add a
//! setting, give it a field and a default in `types`, a row in the table, and a line in `config/arauto.toml`. `judge` is
//! about values that do not fit together. `in_force` is what a running server reads; the table says from when a change
//! counts. How the layers are laid is in [`crate::layers`].

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::layers::{self, DefaultFile};

mod in_force;
mod judge;
mod settings;
mod types;

pub use crate::layers::{Choice, CommandLine, ConfigError, Flag, quoted};
pub use in_force::{Change, InForce, View};
pub use settings::{Applies, Description, describe};
pub use types::{
    Accounts, Allow, CloseServer, Compat, Config, Flood, Level, Limits, LocalConnections, Log, LogFormat,
    Media, Monitoring, Server, Tls, Web,
};

/// A configuration and where each of its values came from.
pub type Loaded = layers::Loaded<Config>;

/// Lays flags over environment over file over defaults. The file is the one that the flags or `ARAUTO_CONFIG` name, if
/// any.
///
/// # Errors
/// The first thing wrong, with what is allowed instead.
pub fn load(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    layers::load(command_line, environment, &DefaultFile::None)
}

/// The file that [`load`] reads, if there is one.
pub fn file(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<PathBuf> {
    layers::named_file::<Config>(command_line, environment)
}

/// Judges a file alone: no environment, no flags. Gives what it says as far as that is allowed, and all that is not. The files
/// that it names are not opened.
#[must_use]
pub fn check(path: &Path) -> (Config, Vec<ConfigError>) {
    layers::check(path)
}

/// Reads a file's content over the defaults, and nothing else.
///
/// # Errors
/// As [`check`].
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn read_text(name: &str, bytes: Vec<u8>) -> Result<Loaded, ConfigError> {
    layers::read_text(name, bytes)
}
