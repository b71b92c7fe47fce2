//! The server's settings: flags override environment, environment overrides file, file overrides defaults.
//!
//! `settings` is the one list of all settings: the configuration's types, the defaults, `config/arauto.toml` and the
//! manual page come from it, so a new setting is one entry there. `choices` are the types of values with names. `judge`
//! rejects values that do not fit together. `in_force` is what a running server reads. [`arauto_settings::layers`]
//! applies the layers.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use arauto_settings::layers::{self, DefaultFile};

mod choices;
mod in_force;
mod judge;
mod settings;

pub use arauto_settings::layers::{Applies, Choice, CommandLine, ConfigError, Flag, quoted};
pub use choices::{Allow, Level, LocalConnections, LogFormat};
pub use in_force::{Change, InForce, View};
pub use settings::{
    Accounts, CloseServer, Compat, Config, Flood, Limits, Log, Media, Monitoring, Server, Tls, Web, describe,
};

/// A configuration with the origin of each value.
pub type Loaded = layers::Loaded<Config>;

/// Loads the configuration: flags override environment, environment overrides file, file overrides defaults. The file
/// is read if the flags or `ARAUTO_CONFIG` name one.
///
/// # Errors
/// The first fault, with the values that are allowed instead.
pub fn load(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    layers::load(command_line, environment, &DefaultFile::None)
}

/// The path of the file that [`load`] reads, if there is one.
pub fn file(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<PathBuf> {
    layers::named_file::<Config>(command_line, environment)
}

/// Checks a file alone, without environment and flags. Returns a configuration with its valid values, and all faults.
/// Files that it names are not opened.
#[must_use]
pub fn check(path: &Path) -> (Config, Vec<ConfigError>) {
    layers::check(path)
}

/// The file that sets every setting to its default: `config/arauto.toml`.
#[must_use]
pub fn template() -> String {
    layers::template::<Config>()
}

/// Reads a file's content over the defaults, without environment and flags.
///
/// # Errors
/// The first fault, as in [`load`].
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn read_text(name: &str, bytes: Vec<u8>) -> Result<Loaded, ConfigError> {
    layers::read_text(name, bytes)
}
