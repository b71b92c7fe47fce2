//! [`Setting`]: a row of the table that file, environment, flags and listing share.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{ConfigError, Layers, Raw, Refused};

/// A configuration type with its table of settings.
pub trait Settings: Default + 'static {
    /// Prefix of the environment variables.
    const PREFIX: &'static str;

    /// The prefixes of variables that begin with [`Self::PREFIX`] and belong to other settings. They are ignored.
    const FOREIGN: &'static [&'static str] = &[];

    /// The comment at the top of [`template`](super::template()).
    const HEADING: &'static str;

    /// Every setting, grouped by section; settings without a section come first.
    fn table() -> &'static [Setting<Self>];

    /// Faults of values that are each valid but do not fit together.
    #[must_use]
    fn judge(layers: &Layers<Self>) -> Vec<ConfigError>;

    /// Resolves relative paths against `folder`. Paths in a file are relative to the file's folder.
    fn see_from(&mut self, folder: &Path) {
        for setting in Self::table() {
            if let Some(path) = (setting.path_mut)(self)
                && !path.as_os_str().is_empty()
            {
                *path = folder.join(&*path);
            }
        }
    }

    /// The table in groups of settings that share a meaning, which is that of the first of them.
    #[must_use]
    fn groups() -> impl Iterator<Item = &'static [Setting<Self>]> {
        Self::table().chunk_by(|_, next| next.meaning.is_empty())
    }

    /// Index of a setting in the table.
    #[must_use]
    fn find(section: &str, key: &str) -> Option<usize> {
        Self::table().iter().position(|setting| setting.section == section && setting.key == key)
    }

    /// The sections, in the order of the table, each once.
    #[must_use]
    fn sections() -> Vec<&'static str> {
        let mut sections: Vec<_> = Self::table().iter().map(|setting| setting.section).collect();
        sections.dedup();
        sections.retain(|section| !section.is_empty());
        sections
    }

    /// The keys of a section, in the order of the table.
    #[must_use]
    fn keys(section: &str) -> impl Iterator<Item = &'static str> {
        Self::table().iter().filter(move |setting| setting.section == section).map(|setting| setting.key)
    }

    /// Descriptions of all settings, in the order of the table.
    #[must_use]
    fn describe() -> impl Iterator<Item = Description> {
        Self::groups().flat_map(|group| {
            let lines: Vec<_> = group[0].meaning.iter().map(|line| line.trim()).collect();
            group.iter().map(move |setting| Description {
                path: setting.path(),
                variable: setting.variable(),
                meaning: lines.join(" "),
                allowed: (setting.allowed)(),
                default: (setting.show)(&Self::default()),
            })
        })
    }
}

/// A setting of the configuration type `C`.
pub struct Setting<C> {
    /// The section of the file; empty for none.
    pub section: &'static str,
    /// The key in its section.
    pub key: &'static str,
    /// The lines of its doc comment; none if it shares the meaning of the setting before it.
    pub meaning: &'static [&'static str],
    /// The flags that set it, with their dashes.
    pub flags: &'static [&'static str],
    /// When a change takes effect.
    pub applies: Applies,
    /// The allowed values, in words that complete "must be".
    pub allowed: fn() -> String,
    /// Validates a value and puts it into the configuration.
    pub set: fn(&mut C, Raw<'_>) -> Result<(), Refused>,
    /// The value in force, as TOML.
    pub show: fn(&C) -> String,
    /// Copies the value from one configuration to another.
    pub copy: fn(&C, &mut C),
    /// The value itself, if it is a path.
    pub path_mut: fn(&mut C) -> Option<&mut PathBuf>,
}

/// When a changed setting takes effect in a running program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// At once, for all sessions.
    AtOnce,
    /// For connections accepted after the change.
    NewSessions,
    /// After a restart; until then, the old value stays in force.
    Restart,
}

impl fmt::Display for Applies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "at once",
            Self::NewSessions => "to new sessions",
            Self::Restart => "after a restart",
        })
    }
}

impl<C: Settings> Setting<C> {
    /// The setting's full name, `section.key`, or `key` without a section.
    #[must_use]
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.key.to_owned() } else { format!("{}.{}", self.section, self.key) }
    }

    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{}{}", C::PREFIX, self.path().replace('.', "_")).to_ascii_uppercase()
    }
}

/// Description of a setting for documentation.
#[derive(Clone, Debug)]
pub struct Description {
    /// The setting's full name, `section.key`.
    pub path: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// Its meaning, in one paragraph.
    pub meaning: String,
    /// The allowed values, in words that complete "must be".
    pub allowed: String,
    /// The default value, as TOML.
    pub default: String,
}
