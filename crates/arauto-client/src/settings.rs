//! [`Settings`]: the client's user settings, read from file, environment and flags in the same way as the server's.

mod table;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use arauto_settings::layers::{self, CommandLine, ConfigError, DefaultFile, Description, Origin};
use etcetera::BaseStrategy;

use super::{Password, dial::Dialer, password::NoPassword, tls};

pub use table::{Audio, Colours, General, Settings, Share};

/// Settings, and the origin of each.
pub type Loaded = layers::Loaded<Settings>;

impl Settings {
    /// Returns the name to join under: `asked_for`, or else the one in the settings.
    #[must_use]
    pub fn name(&self, asked_for: Option<String>) -> Option<String> {
        asked_for.or_else(|| Some(self.general.name.clone()).filter(|name| !name.is_empty()))
    }

    /// Whether to use colours. `no_color` is the environment variable `NO_COLOR`: any value but an empty one turns
    /// colours off (<https://no-color.org>), unless the setting is `always`.
    #[must_use]
    pub fn has_colours(&self, is_terminal: bool, no_color: Option<OsString>) -> bool {
        match self.general.colours {
            Colours::Always => true,
            Colours::Never => false,
            Colours::Auto => is_terminal && no_color.is_none_or(|value| value.is_empty()),
        }
    }

    /// Returns the TLS options. `insecure`: any certificate is accepted.
    #[must_use]
    pub fn tls(&self, insecure: bool) -> tls::TlsOptions {
        if !self.general.tls && !insecure {
            // `ca`, `cert` and `key` may still be set, but a later layer has turned TLS off.
            return tls::TlsOptions::default();
        }
        let General { ca, cert, key, .. } = &self.general;
        let [ca, cert, key] = [ca, cert, key].map(|path| some(path));
        tls::TlsOptions { tls: true, ca, insecure, cert, key }
    }

    /// Reads the files that the settings name, and returns a dialer for the server. `insecure`: any certificate is
    /// accepted.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self, insecure: bool) -> Result<Dialer, FileError> {
        let Self { general, audio, .. } = self;
        let mut dialer =
            Dialer::new(general.server.clone()).with_audio(audio.ports.clone(), audio.allow_plain);
        let tls = self.tls(insecure);
        if tls.is_wanted() {
            dialer = dialer.with_tls(tls::Tls::new(&tls)?);
        }
        if let Some(file) = some(&general.password_file).filter(|_| !self.is_password_for_another) {
            dialer = dialer.with_password(Password::read(&file)?);
        }
        Ok(dialer)
    }
}

impl Settings {
    /// Opens all files that the settings name, and returns the errors of those that cannot be used.
    #[must_use]
    pub fn unusable_files(&self) -> Vec<FileError> {
        let General { ca, cert, key, .. } = &self.general;
        let [ca, cert, key] = [ca, cert, key].map(|path| some(path));
        let whom_to_trust = tls::TlsOptions { ca, ..tls::TlsOptions::default() };
        // This check is about the client's own certificate; the trusted certificates are checked separately.
        let own = tls::TlsOptions { insecure: true, cert, key, ..tls::TlsOptions::default() };
        let tls = [whom_to_trust.ca.is_some().then_some(whom_to_trust), own.cert.is_some().then_some(own)];
        let tls =
            tls.iter().flatten().filter_map(|options| tls::Tls::new(options).err().map(FileError::from));
        let password = some(&self.general.password_file).and_then(|file| Password::read(&file).err());
        tls.chain(password.map(FileError::from)).collect()
    }
}

/// Why a file that a setting names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The password file cannot be used.
    #[error(transparent)]
    Password(#[from] NoPassword),
}

fn some(path: &Path) -> Option<PathBuf> {
    Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty())
}

/// Loads the settings: flags over environment over file over defaults. The file is the one that the flags or
/// `ARAUTO_CLIENT_CONFIG` name, or else [`own_file`], if it exists.
///
/// # Errors
/// The first invalid setting, with the values allowed instead.
pub fn load(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let file = own_file().map_or(DefaultFile::None, DefaultFile::IfThere);
    let mut loaded: Loaded = layers::load(command_line, environment, &file)?;
    // A password in the file is for the server in the file. Another server must not learn it just by asking for a
    // password.
    let [server, password] = ["server", "password_file"].map(|key| loaded.origin("", key));
    let is_from_file = matches!(password, Origin::File { .. });
    loaded.config.is_password_for_another = is_from_file && server.is_over(password);
    Ok(loaded)
}

/// Checks one file without environment and flags. Returns its valid settings and the errors of all others. The files
/// that it names are not opened.
#[must_use]
pub fn check(path: &Path) -> (Settings, Vec<ConfigError>) {
    layers::check(path)
}

/// Returns the description of every setting, in the order of the table.
pub fn describe() -> impl Iterator<Item = Description> {
    <Settings as layers::Settings>::describe()
}

/// The file that sets every setting to its default: `config/client.toml`.
#[must_use]
pub fn template() -> String {
    layers::template::<Settings>()
}

/// Returns the path of the user's own settings: `$XDG_CONFIG_HOME/arauto/client.toml`, or else
/// `~/.config/arauto/client.toml`. `None`: the user has no known home folder.
#[must_use]
pub fn own_file() -> Option<PathBuf> {
    let folders = etcetera::choose_base_strategy().ok()?;
    Some(folders.config_dir().join("arauto").join("client.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_of_people_who_want_them() {
        for (colours, is_terminal, no_color, expected) in [
            (Colours::Auto, true, None, true),
            (Colours::Auto, true, Some(""), true),
            (Colours::Auto, true, Some("0"), false),
            (Colours::Auto, false, None, false),
            (Colours::Always, false, Some("1"), true),
            (Colours::Never, true, None, false),
        ] {
            let mut settings = Settings::default();
            settings.general.colours = colours;
            let has_colours = settings.has_colours(is_terminal, no_color.map(OsString::from));
            assert_eq!(has_colours, expected, "{colours:?} {is_terminal} {no_color:?}");
        }
    }

    #[test]
    fn the_name_asked_for_comes_before_the_one_that_is_set() {
        let mut settings = Settings::default();
        settings.general.name = "ana".to_owned();
        assert_eq!(settings.name(None).as_deref(), Some("ana"));
        assert_eq!(settings.name(Some("rui".to_owned())).as_deref(), Some("rui"));
        assert_eq!(Settings::default().name(None), None);
    }

    #[test]
    fn only_a_key_shares_the_meaning_of_its_certificate() {
        let table = <Settings as layers::Settings>::table();
        let shared = table.iter().filter(|setting| setting.meaning.is_empty()).map(layers::Setting::path);
        assert_eq!(shared.collect::<Vec<_>>(), ["key"]);
    }
}
