//! Loads settings in layers: flags override environment, environment overrides file, file overrides defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{ConfigError, Raw, Setting, Settings, file};
use crate::source::nearest::{likely, nearest};
use crate::source::{Source, SourceError};

/// Name, behind the prefix, of the environment variable that names the file.
const FILE_VARIABLE: &str = "CONFIG";

/// The part of the command line that concerns the configuration.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The file to read; without it, the file that the environment names, if any.
    pub file: Option<PathBuf>,
    /// The settings given as flags.
    pub flags: Vec<Flag>,
}

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The setting, as `section.key`.
    pub setting: &'static str,
    /// The flag as typed, with its dashes.
    pub name: &'static str,
    /// The value as typed; list values are separated by commas.
    pub value: String,
}

/// The file to read if neither flags nor environment name one.
#[derive(Clone, Debug)]
pub enum DefaultFile {
    /// No file.
    None,
    /// This file, if it exists.
    IfThere(PathBuf),
}

/// A configuration with the origin of each value.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The configuration in force.
    pub config: C,
    /// Origins in the order of the table.
    origins: Vec<Origin>,
}

/// The origin of a value. Later variants override earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The default.
    Default,
    /// A line of a file.
    File {
        /// The file's path, escaped for printing.
        path: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, with its dashes.
    Flag(&'static str),
}

impl Origin {
    /// Whether `self` is in a higher layer than `other`.
    #[must_use]
    pub fn is_over(&self, other: &Self) -> bool {
        self.layer() > other.layer()
    }

    fn layer(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment(_) => 2,
            Self::Flag(_) => 3,
        }
    }
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

impl<C: Settings> Loaded<C> {
    /// The origin of a setting's value.
    #[must_use]
    pub fn origin(&self, section: &str, key: &str) -> &Origin {
        C::find(section, key).map_or(&Origin::Default, |index| &self.origins[index])
    }
}

/// Formats the configuration as TOML that sets it again, each value followed by its origin.
impl<C: Settings> Display for Loaded<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for (setting, origin) in C::table().iter().zip(&self.origins) {
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

/// Loads settings: flags override environment, environment overrides file, file overrides defaults.
///
/// # Errors
/// The first fault, with the values that are allowed instead.
pub fn load<C: Settings>(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    default_file: &DefaultFile,
) -> Result<Loaded<C>, ConfigError> {
    // Sorted, so that of two faults the same is always reported.
    let mut variables: BTreeMap<_, _> = environment
        .into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(C::PREFIX))
        .collect();
    let from_variable = variables.remove(&file_variable::<C>()).map(PathBuf::from);

    let mut layers = Layers::default();
    match (command_line.file.clone().or(from_variable), default_file) {
        (Some(path), _) => none_of(layers.file(&path))?,
        (None, DefaultFile::IfThere(path)) => layers.file_if_there(path)?,
        (None, DefaultFile::None) => {}
    }
    layers.environment(variables)?;
    layers.flags(&command_line.flags)?;
    layers.finish()
}

/// The file that the command line or the environment names; the command line takes precedence.
pub fn named_file<C: Settings>(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<PathBuf> {
    let variable = file_variable::<C>();
    let named = environment.into_iter().find(|(name, _)| *name == *variable);
    command_line.file.clone().or(named.map(|(_, path)| path.into()))
}

/// The environment variable that names the file.
fn file_variable<C: Settings>() -> String {
    format!("{}{FILE_VARIABLE}", C::PREFIX)
}

/// Checks a file alone, without environment and flags. Returns a configuration with its valid values, and all faults.
#[must_use]
pub fn check<C: Settings>(path: &Path) -> (C, Vec<ConfigError>) {
    let mut layers = Layers::<C>::default();
    let mut faults = layers.file(path);
    layers.see_from_here();
    if faults.is_empty() {
        faults = C::judge(&layers);
    }
    (layers.config, faults)
}

/// Reads a file's content over the defaults, without environment and flags.
///
/// # Errors
/// The first fault, as in [`load`].
pub fn read_text<C: Settings>(name: &str, bytes: Vec<u8>) -> Result<Loaded<C>, ConfigError> {
    let mut layers = Layers::default();
    none_of(layers.source(Source::decode(name.to_owned(), bytes)?))?;
    layers.finish()
}

/// The layers applied so far.
pub struct Layers<C> {
    /// The resulting configuration.
    pub config: C,
    /// The origin of each value, in the order of the table.
    pub origins: Vec<Origin>,
    /// The file, and where in it each value stands, for faults that are found after it was read.
    file: Option<(Source, Vec<file::Given>)>,
}

impl<C: Settings> Default for Layers<C> {
    fn default() -> Self {
        Self { config: C::default(), origins: vec![Origin::Default; C::table().len()], file: None }
    }
}

impl<C: Settings> Layers<C> {
    /// Applies a file, which may be missing.
    fn file_if_there(&mut self, path: &Path) -> Result<(), ConfigError> {
        match none_of(self.file(path)) {
            Err(ConfigError::File(SourceError::Unreadable { source, .. }))
                if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(())
            }
            done => done,
        }
    }

    /// Applies a file and returns all its faults.
    fn file(&mut self, path: &Path) -> Vec<ConfigError> {
        let faults = match Source::read(path, "a configuration") {
            Ok(source) => self.source(source),
            Err(unreadable) => vec![unreadable.into()],
        };
        // Only the file has set values so far, so all relative paths are relative to its folder.
        if let Some(folder) = path.parent() {
            self.config.see_from(folder);
        }
        faults
    }

    fn source(&mut self, source: Source) -> Vec<ConfigError> {
        let (given, faults) = file::apply(&source, &mut self.config);
        for (index, at) in &given {
            self.origins[*index] = Origin::File { path: source.path.clone(), line: source.line(at.start) };
        }
        self.file = Some((source, given));
        faults.into_iter().map(ConfigError::from).collect()
    }

    fn environment(&mut self, variables: BTreeMap<String, OsString>) -> Result<(), ConfigError> {
        for (name, value) in variables {
            let Some(index) = C::table().iter().position(|setting| setting.variable() == name) else {
                refuse_slip::<C>(&name, &value.to_string_lossy())?;
                continue;
            };
            // Bytes that are not Unicode become a replacement character, which no setting allows.
            self.set(index, &name, &value.to_string_lossy())?;
            self.origins[index] = Origin::Environment(name);
        }
        Ok(())
    }

    fn flags(&mut self, flags: &[Flag]) -> Result<(), ConfigError> {
        for flag in flags {
            let index = C::table().iter().position(|setting| setting.path() == flag.setting);
            let index = index.ok_or_else(|| unknown_setting::<C>(flag))?;
            self.set(index, flag.name, &flag.value)?;
            self.origins[index] = Origin::Flag(flag.name);
        }
        Ok(())
    }

    fn set(&mut self, index: usize, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting = &C::table()[index];
        (setting.set)(&mut self.config, Raw::Text(value)).map_err(|_| ConfigError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            allowed: (setting.allowed)(),
        })
    }

    fn finish(mut self) -> Result<Loaded<C>, ConfigError> {
        self.see_from_here();
        none_of(C::judge(&self))?;
        Ok(Loaded { config: self.config, origins: self.origins })
    }

    /// Makes relative paths absolute, so that they stay valid when they are shown or read again elsewhere.
    fn see_from_here(&mut self) {
        if let Ok(here) = std::env::current_dir() {
            self.config.see_from(&here);
        }
    }

    /// The origin of a setting's value.
    #[must_use]
    pub fn origin(&self, section: &str, key: &str) -> &Origin {
        C::find(section, key).map_or(&Origin::Default, |index| &self.origins[index])
    }

    /// An error for a value that is valid by itself but does not fit the others, reported at the value's origin.
    #[must_use]
    pub fn refusal(&self, index: usize, allowed: String) -> ConfigError {
        let setting = &C::table()[index];
        let shown = (setting.show)(&self.config);
        let value =
            shown.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&shown).to_owned();
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

/// Fails with the first fault, if there is one.
fn none_of(faults: Vec<ConfigError>) -> Result<(), ConfigError> {
    faults.into_iter().next().map_or(Ok(()), Err)
}

/// Refuses a variable that is most likely a typo: it begins with the name of a section, or resembles a known variable.
/// Other variables are ignored, because not every variable with our prefix is meant for us: Kubernetes sets
/// `ARAUTO_PORT` for a service `arauto`.
fn refuse_slip<C: Settings>(name: &str, value: &str) -> Result<(), ConfigError> {
    if C::FOREIGN.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(());
    }
    let prefix = C::PREFIX;
    let rest = |variable: &str| variable.trim_start_matches(prefix).to_owned();
    let variables = C::table().iter().map(Setting::variable).chain([file_variable::<C>()]);
    let known: Vec<String> = variables.map(|variable| rest(&variable)).collect();
    let of_a_section = |section: &&str| rest(name).starts_with(&format!("{}_", section.to_ascii_uppercase()));
    let meant = if C::sections().iter().any(of_a_section) {
        nearest(&rest(name), known.into_iter())
    } else {
        likely(&rest(name), known.iter().map(String::as_str)).map(str::to_owned)
    };
    match meant {
        None => Ok(()),
        Some(_) if is_of_a_service(name, value) => Ok(()),
        Some(meant) => {
            Err(ConfigError::Unknown { name: name.to_owned(), nearest: format!("{prefix}{meant}") })
        }
    }
}

/// Whether a variable is among those that Kubernetes and Docker links set for each service, for a service whose name
/// begins like a section: a service `arauto-server` becomes `ARAUTO_SERVER_PORT=tcp://10.0.0.1:1234` and others.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let protocols = ["TCP", "UDP", "SCTP"];
    if name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") {
        return true;
    }
    if name.ends_with("_PORT") {
        let is_address = |protocol: &&str| {
            value.strip_prefix(&protocol.to_ascii_lowercase()).is_some_and(|rest| rest.starts_with("://"))
        };
        if protocols.iter().any(is_address) {
            return true;
        }
    }
    // Matches `..._PORT_1234_TCP`, also with `_PROTO`, `_PORT` or `_ADDR` behind it.
    let Some((_, rest)) = name.rsplit_once("_PORT_") else { return false };
    let mut parts = rest.split('_');
    parts.next().is_some_and(is_number)
        && parts.next().is_some_and(|protocol| protocols.contains(&protocol))
        && matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"))
        && parts.next().is_none()
}

fn unknown_setting<C: Settings>(flag: &Flag) -> ConfigError {
    let known = C::table().iter().map(Setting::path);
    ConfigError::Unknown {
        name: flag.setting.to_owned(),
        nearest: nearest(flag.setting, known).unwrap_or_default(),
    }
}
