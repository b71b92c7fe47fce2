//! The layers, one over another: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{ConfigError, Raw, Setting, Settings, file};
use crate::source::nearest::{likely, nearest};
use crate::source::{Source, SourceError};

/// What follows the prefix in the variable that names the file.
const FILE_VARIABLE: &str = "CONFIG";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The file to read; without it, what the environment names, if anything.
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

/// A file that is read if nobody names another.
#[derive(Clone, Debug)]
pub enum DefaultFile {
    /// There is none.
    None,
    /// This one, if it exists.
    IfThere(PathBuf),
}

/// A configuration and where each of its values came from.
#[derive(Debug)]
pub struct Loaded<C> {
    /// What is in force.
    pub config: C,
    /// In the order of the table.
    origins: Vec<Origin>,
}

/// Where a value came from; the later win over the earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file.
    File {
        /// Fit for printing.
        path: String,
        /// From 1.
        line: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A flag, with its dashes.
    Flag(&'static str),
}

impl Origin {
    /// Whether `self` lies in a layer over that of `other`.
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
    /// Where the value of a setting came from.
    #[must_use]
    pub fn origin(&self, section: &str, key: &str) -> &Origin {
        C::find(section, key).map_or(&Origin::Default, |index| &self.origins[index])
    }
}

/// TOML that gives this configuration again, each value followed by where it came from.
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

/// Lays flags over environment over file over defaults.
///
/// # Errors
/// The first thing wrong, with what is allowed instead.
pub fn load<C: Settings>(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    default_file: &DefaultFile,
) -> Result<Loaded<C>, ConfigError> {
    // Sorted, so that of two mistakes the same one is always named.
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

/// The file that the command line or the environment names.
pub fn named_file<C: Settings>(
    command_line: &CommandLine,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<PathBuf> {
    let variable = file_variable::<C>();
    let named = environment.into_iter().find(|(name, _)| *name == *variable);
    command_line.file.clone().or(named.map(|(_, path)| path.into()))
}

/// The variable that names the file.
fn file_variable<C: Settings>() -> String {
    format!("{}{FILE_VARIABLE}", C::PREFIX)
}

/// Judges a file alone: no environment, no flags. Gives what it says as far as that is allowed, and all that is not.
pub fn check<C: Settings>(path: &Path) -> (C, Vec<ConfigError>) {
    let mut layers = Layers::<C>::default();
    let mut faults = layers.file(path);
    layers.see_from_here();
    if faults.is_empty() {
        faults = C::judge(&layers);
    }
    (layers.config, faults)
}

/// Reads a file's content over the defaults, and nothing else.
///
/// # Errors
/// As [`check`].
#[cfg(any(test, feature = "fuzz"))]
pub fn read_text<C: Settings>(name: &str, bytes: Vec<u8>) -> Result<Loaded<C>, ConfigError> {
    let mut layers = Layers::default();
    none_of(layers.source(Source::decode(name.to_owned(), bytes)?))?;
    layers.finish()
}

/// The layers that were laid so far.
pub struct Layers<C> {
    /// What comes of them.
    pub config: C,
    /// Where each value came from, in the order of the table.
    pub origins: Vec<Origin>,
    /// The file, and where in it each value stands, for complaints that come after it was read.
    file: Option<(Source, Vec<file::Given>)>,
}

impl<C: Settings> Default for Layers<C> {
    fn default() -> Self {
        Self { config: C::default(), origins: vec![Origin::Default; C::table().len()], file: None }
    }
}

impl<C: Settings> Layers<C> {
    /// A file that may be missing.
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

    /// Returns all that is wrong in the file.
    fn file(&mut self, path: &Path) -> Vec<ConfigError> {
        let faults = match Source::read(path, "a configuration") {
            Ok(source) => self.source(source),
            Err(unreadable) => vec![unreadable.into()],
        };
        // Nothing but the file has said anything yet.
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
            // What is not Unicode becomes a replacement character, which no setting allows.
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

    /// Makes paths mean the same when they are read again, or shown.
    fn see_from_here(&mut self) {
        if let Ok(here) = std::env::current_dir() {
            self.config.see_from(&here);
        }
    }

    /// Where the value of a setting came from.
    #[must_use]
    pub fn origin(&self, section: &str, key: &str) -> &Origin {
        C::find(section, key).map_or(&Origin::Default, |index| &self.origins[index])
    }

    /// A refusal of a value that is fine by itself, in the place it came from.
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

/// Refuses a variable that is most likely a slip: of one of our sections, or near a known one. Others are left alone,
/// because not all that begins with our prefix is meant for us (Kubernetes sets `ARAUTO_PORT` for a service `arauto`).
fn refuse_slip<C: Settings>(name: &str, value: &str) -> Result<(), ConfigError> {
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

/// Whether a variable is one of those that Kubernetes and Docker's links set for each service, here for one whose name begins
/// like a section: a service `arauto-server` becomes `ARAUTO_SERVER_PORT=tcp://10.0.0.1:1234` and others.
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
    // ..._PORT_1234_TCP, and the same with _PROTO, _PORT and _ADDR.
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
