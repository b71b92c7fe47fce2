//! The layers, one over another: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file;
use super::form::Raw;
use super::settings::{self, PREFIX, SETTINGS};
use super::types::Config;
use crate::source::Source;
use crate::source::nearest::{likely, nearest};

/// The variable that names the file.
const FILE_VARIABLE: &str = "ARAUTO_CONFIG";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The file to read; without it, what `ARAUTO_CONFIG` names, if anything.
    pub file: Option<PathBuf>,
    /// The settings given.
    pub flags: Vec<Flag>,
}

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Which setting, as `section.key`.
    pub setting: &'static str,
    /// The flag as typed, with its dashes.
    pub name: &'static str,
    /// The value as typed; several are separated by commas.
    pub value: String,
}

/// A configuration and where each of its values came from.
#[derive(Debug)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// In the order of [`SETTINGS`].
    origins: Vec<Origin>,
}

/// Where a value came from; the later win over the earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Default,
    File { path: String, line: usize },
    Environment(String),
    Flag(&'static str),
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "file {path}:{line}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// TOML that gives this configuration again, each value followed by where it came from.
impl Display for Loaded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for (setting, origin) in SETTINGS.iter().zip(&self.origins) {
            if setting.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = setting.section;
                writeln!(f, "{gap}[{section}]")?;
            }
            writeln!(f, "{} = {}  # {origin}", setting.key, (setting.show)(&self.config))?;
        }
        Ok(())
    }
}

/// Lays flags over environment over file over defaults.
///
/// # Errors
/// The first thing wrong, with what is allowed instead.
pub fn load(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    // Sorted, so that of two mistakes the same one is always named.
    let mut variables: BTreeMap<_, _> = environment
        .into_iter()
        .filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    let from_variable = variables.remove(FILE_VARIABLE).map(PathBuf::from);

    let mut layers = Layers::default();
    if let Some(path) = command_line.file.clone().or(from_variable) {
        layers.file(&path)?;
    }
    layers.environment(variables)?;
    layers.flags(&command_line.flags)?;
    layers.finish()
}

/// Judges a file alone: no environment, no flags.
///
/// # Errors
/// The first thing wrong, with what is allowed instead.
pub fn check(path: &Path) -> Result<(), ConfigError> {
    let mut layers = Layers::default();
    layers.file(path)?;
    layers.finish().map(drop)
}

/// Reads a file's content over the defaults, and nothing else.
///
/// # Errors
/// As [`check`].
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn read_text(name: &str, bytes: Vec<u8>) -> Result<Loaded, ConfigError> {
    let mut layers = Layers::default();
    layers.source(Source::decode(name.to_owned(), bytes)?)?;
    layers.finish()
}

struct Layers {
    config: Config,
    origins: Vec<Origin>,
    /// The file, and where in it each value stands, for complaints that come after it was read.
    file: Option<(Source, Vec<file::Given>)>,
}

impl Default for Layers {
    fn default() -> Self {
        Self { config: Config::default(), origins: vec![Origin::Default; SETTINGS.len()], file: None }
    }
}

impl Layers {
    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.source(Source::read(path, "a configuration")?)?;
        // Nothing but the file has said anything yet.
        if let Some(folder) = path.parent() {
            self.config.see_from(folder);
        }
        Ok(())
    }

    fn source(&mut self, source: Source) -> Result<(), ConfigError> {
        let given = file::apply(&source, &mut self.config)?;
        for (index, at) in &given {
            self.origins[*index] = Origin::File { path: source.path.clone(), line: source.line(at.start) };
        }
        self.file = Some((source, given));
        Ok(())
    }

    fn environment(&mut self, variables: BTreeMap<String, OsString>) -> Result<(), ConfigError> {
        for (name, value) in variables {
            let Some(index) = SETTINGS.iter().position(|setting| setting.variable() == name) else {
                refuse_slip(&name)?;
                continue;
            };
            // What is not Unicode becomes a replacement character, which no setting allows.
            self.set(index, &name, &value.to_string_lossy())?;
            self.origins[index] = Origin::Environment(name);
        }
        Ok(())
    }

    fn flags(&mut self, flags: &[Flag]) -> Result<(), ConfigError> {
        for flag in flags {
            let index = SETTINGS.iter().position(|setting| setting.path() == flag.setting);
            let index = index.ok_or_else(|| unknown_setting(flag))?;
            self.set(index, flag.name, &flag.value)?;
            self.origins[index] = Origin::Flag(flag.name);
        }
        Ok(())
    }

    fn set(&mut self, index: usize, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting = &SETTINGS[index];
        (setting.set)(&mut self.config, Raw::Text(value)).map_err(|_| ConfigError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            allowed: (setting.allowed)(),
        })
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        // So that they mean the same when they are read again, or shown.
        if let Ok(here) = std::env::current_dir() {
            self.config.see_from(&here);
        }
        self.outbox_holds_two_messages()?;
        self.tls_has_a_certificate()?;
        self.required_accounts_have_a_file()?;
        Ok(Loaded { config: self.config, origins: self.origins })
    }

    /// With room for less than two messages, a session that is sent one while it takes another would be ended.
    fn outbox_holds_two_messages(&self) -> Result<(), ConfigError> {
        let limits = &self.config.limits;
        if limits.outbox_bytes >= 2 * limits.message_bytes {
            return Ok(());
        }
        let place = |key| settings::find("limits", key).unwrap_or_default();
        let (message, outbox) = (place("message_bytes"), place("outbox_bytes"));
        // Whoever spoke last made the pair impossible.
        if self.origins[message] > self.origins[outbox] {
            let most = limits.outbox_bytes / 2;
            Err(self.refusal(message, format!("at most half of limits.outbox_bytes: {most} or less")))
        } else {
            let least = limits.message_bytes * 2;
            Err(self.refusal(outbox, format!("at least twice limits.message_bytes: {least} or more")))
        }
    }

    /// Without a certificate and its key, nobody could be answered there.
    fn tls_has_a_certificate(&self) -> Result<(), ConfigError> {
        let tls = &self.config.tls;
        let missing = [("certificate", &tls.certificate), ("key", &tls.key)]
            .into_iter()
            .find(|(_, path)| path.as_os_str().is_empty());
        match missing.filter(|_| !tls.listen.is_empty()) {
            None => Ok(()),
            Some((key, _)) => {
                let listen = settings::find("tls", "listen").unwrap_or_default();
                Err(self.refusal(listen, format!("[], because tls.{key} is not set")))
            }
        }
    }

    /// Else nobody could enter.
    fn required_accounts_have_a_file(&self) -> Result<(), ConfigError> {
        let accounts = &self.config.accounts;
        if !accounts.required || !accounts.file.as_os_str().is_empty() {
            return Ok(());
        }
        let required = settings::find("accounts", "required").unwrap_or_default();
        Err(self.refusal(required, "false, because accounts.file is not set".to_owned()))
    }

    /// A refusal of a value that is fine by itself, in the place it came from.
    fn refusal(&self, index: usize, allowed: String) -> ConfigError {
        let setting = &SETTINGS[index];
        let value = (setting.show)(&self.config);
        match (&self.origins[index], &self.file) {
            (Origin::File { .. }, Some((source, given))) => {
                let at = given.iter().find(|(one, _)| *one == index);
                let at: Range<usize> = at.map(|(_, at)| at.clone()).unwrap_or_default();
                source.complaint(&at, format!("{} must be {allowed}", setting.path())).into()
            }
            (Origin::Environment(name), _) => ConfigError::Value { name: name.clone(), value, allowed },
            (Origin::Flag(name), _) => ConfigError::Value { name: (*name).to_owned(), value, allowed },
            _ => ConfigError::Value { name: setting.path(), value, allowed },
        }
    }
}

/// Refuses a variable that is most likely a slip: of one of our sections, or near a known one. Others are left alone,
/// because not all that begins with our prefix is meant for us (Kubernetes sets `ARAUTO_PORT` for a service `arauto`).
fn refuse_slip(name: &str) -> Result<(), ConfigError> {
    let rest = |variable: &str| variable.trim_start_matches(PREFIX).to_owned();
    let variables = SETTINGS.iter().map(settings::Setting::variable).chain([FILE_VARIABLE.to_owned()]);
    let known: Vec<String> = variables.map(|variable| rest(&variable)).collect();
    let of_a_section = |section: &&str| rest(name).starts_with(&format!("{}_", section.to_ascii_uppercase()));
    let meant = if settings::sections().iter().any(of_a_section) {
        nearest(&rest(name), known.into_iter())
    } else {
        likely(&rest(name), known.iter().map(String::as_str)).map(str::to_owned)
    };
    match meant {
        None => Ok(()),
        Some(meant) => {
            Err(ConfigError::Unknown { name: name.to_owned(), nearest: format!("{PREFIX}{meant}") })
        }
    }
}

fn unknown_setting(flag: &Flag) -> ConfigError {
    let known = SETTINGS.iter().map(settings::Setting::path);
    ConfigError::Unknown {
        name: flag.setting.to_owned(),
        nearest: nearest(flag.setting, known).unwrap_or_default(),
    }
}
