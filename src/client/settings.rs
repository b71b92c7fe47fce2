//! [`Settings`]: what a user of the client can set, once for all calls; file, environment and flags as the server has
//! them.

mod table;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use super::{Password, Target, dial::Dialer, password::NoPassword, ports::PortSet, tls};
use crate::layers::{self, Choice, CommandLine, ConfigError, DefaultFile, Description, Origin};

/// All that can be set. An empty path stands for no file.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// The name to take; empty for none, see [`Settings::name`].
    name: String,
    /// Which server.
    pub server: Target,
    /// Whether what is printed for people has colours, see [`Settings::has_colours`].
    colours: Colours,
    /// Whether the connection is encrypted.
    tls: bool,
    /// Whose signature on the server's certificate is trusted instead of those that the system trusts, as PEM.
    ca: PathBuf,
    /// A certificate to show to the server, as PEM.
    cert: PathBuf,
    /// Its private key, as PEM.
    key: PathBuf,
    /// The file whose first line is the password.
    password_file: PathBuf,
    /// Whether the user is asked before a file that he shares is played to others.
    pub asks_first: bool,
    /// At which ports of a server its audio may be.
    audio_ports: PortSet,
    /// Whether audio may be unencrypted though the server was joined by TLS.
    audio_allow_plain: bool,
    /// Whether that password is for another server than this one.
    is_password_for_another: bool,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Choice for Colours {
    const ALL: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

/// Settings and where each of them came from.
pub type Loaded = layers::Loaded<Settings>;

impl Settings {
    /// The name to take: the one that was asked for, or else the one that is set.
    #[must_use]
    pub fn name(&self, asked_for: Option<String>) -> Option<String> {
        asked_for.or_else(|| Some(self.name.clone()).filter(|name| !name.is_empty()))
    }

    /// Whether to use colours, where the output is a terminal or not. `no_color` is the environment variable `NO_COLOR`:
    /// whatever it holds, unless nothing, speaks against colours (<https://no-color.org>). Who says `always` is heeded.
    #[must_use]
    pub fn has_colours(&self, is_terminal: bool, no_color: Option<OsString>) -> bool {
        match self.colours {
            Colours::Always => true,
            Colours::Never => false,
            Colours::Auto => is_terminal && no_color.is_none_or(|value| value.is_empty()),
        }
    }

    /// How connections are encrypted; `insecure`: any certificate is accepted.
    #[must_use]
    pub fn tls(&self, insecure: bool) -> tls::TlsOptions {
        if !self.tls && !insecure {
            // What else is set was overruled by who said "no TLS" last.
            return tls::TlsOptions::default();
        }
        let [ca, cert, key] = [&self.ca, &self.cert, &self.key].map(|path| some(path));
        tls::TlsOptions { tls: true, ca, insecure, cert, key }
    }

    /// The way to the server: reads the files that are named. `insecure`: any certificate is accepted.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self, insecure: bool) -> Result<Dialer, Unusable> {
        let mut dialer =
            Dialer::new(self.server.clone()).with_audio(self.audio_ports.clone(), self.audio_allow_plain);
        let tls = self.tls(insecure);
        if tls.is_wanted() {
            dialer = dialer.with_tls(tls::Tls::new(&tls)?);
        }
        if let Some(file) = some(&self.password_file).filter(|_| !self.is_password_for_another) {
            dialer = dialer.with_password(Password::read(&file)?);
        }
        Ok(dialer)
    }
}

impl Settings {
    /// Opens all files that are named, and gives all that cannot be used.
    #[must_use]
    pub fn unusable_files(&self) -> Vec<Unusable> {
        let [ca, cert, key] = [&self.ca, &self.cert, &self.key].map(|path| some(path));
        let whom_to_trust = tls::TlsOptions { ca, ..tls::TlsOptions::default() };
        // Whom to trust is judged by itself.
        let own = tls::TlsOptions { insecure: true, cert, key, ..tls::TlsOptions::default() };
        let tls = [whom_to_trust.ca.is_some().then_some(whom_to_trust), own.cert.is_some().then_some(own)];
        let tls = tls.iter().flatten().filter_map(|options| tls::Tls::new(options).err().map(Unusable::from));
        let password = some(&self.password_file).and_then(|file| Password::read(&file).err());
        tls.chain(password.map(Unusable::from)).collect()
    }
}

/// Why a file that is named cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// TLS cannot be spoken as it was asked for.
    #[error(transparent)]
    Tls(#[from] tls::Unusable),
    /// The password's file cannot be used.
    #[error(transparent)]
    Password(#[from] NoPassword),
}

fn some(path: &Path) -> Option<PathBuf> {
    Some(path.to_owned()).filter(|path| !path.as_os_str().is_empty())
}

/// Lays flags over environment over file over defaults. The file is the one that the flags or `ARAUTO_CLIENT_CONFIG` name;
/// if they name none, the user's own, if there is one.
///
/// # Errors
/// The first thing wrong, with what is allowed instead.
pub fn load(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let file = own_file().map_or(DefaultFile::None, DefaultFile::IfThere);
    let mut loaded: Loaded = layers::load(command_line, environment, &file)?;
    // A password in the file is for the server in the file: any other could ask for it to learn it.
    let [server, password] = ["server", "password_file"].map(|key| loaded.origin("", key));
    let is_from_file = matches!(password, Origin::File { .. });
    loaded.config.is_password_for_another = is_from_file && server.is_over(password);
    Ok(loaded)
}

/// Judges a file alone: no environment, no flags. Gives what it says as far as that is allowed, and all that is not. The files
/// that it names are not opened.
#[must_use]
pub fn check(path: &Path) -> (Settings, Vec<ConfigError>) {
    layers::check(path)
}

/// Every setting, in words, in order.
pub fn describe() -> impl Iterator<Item = Description> {
    <Settings as layers::Settings>::describe()
}

/// `client.toml` in the folder `arauto` among the user's settings: `$XDG_CONFIG_HOME`, or else `~/.config`. `None`: nobody
/// knows where the user is at home.
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
            let settings = Settings { colours, ..Settings::default() };
            let has_colours = settings.has_colours(is_terminal, no_color.map(OsString::from));
            assert_eq!(has_colours, expected, "{colours:?} {is_terminal} {no_color:?}");
        }
    }

    #[test]
    fn the_name_asked_for_comes_before_the_one_that_is_set() {
        let settings = Settings { name: "ana".to_owned(), ..Settings::default() };
        assert_eq!(settings.name(None).as_deref(), Some("ana"));
        assert_eq!(settings.name(Some("rui".to_owned())).as_deref(), Some("rui"));
        assert_eq!(Settings::default().name(None), None);
    }
}
