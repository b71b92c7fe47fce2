//! [`Setting`]: a row of the table that file, environment, flags and listing share.

use std::path::Path;

use super::{ConfigError, Layers, Raw, Refused};

/// A configuration type with its table of settings.
pub trait Settings: Default + 'static {
    /// Prefix of the environment variables.
    const PREFIX: &'static str;

    /// Every setting, grouped by section; settings without a section come first.
    fn table() -> &'static [Setting<Self>];

    /// Resolves relative paths against `folder`. Paths in a file are relative to the file's folder.
    fn see_from(&mut self, folder: &Path);

    /// Faults of values that are each valid but do not fit together.
    #[must_use]
    fn judge(layers: &Layers<Self>) -> Vec<ConfigError>;

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
        Self::table().iter().map(|setting| Description {
            path: setting.path(),
            variable: setting.variable(),
            allowed: (setting.allowed)(),
            default: (setting.show)(&Self::default()),
        })
    }
}

/// A setting of the configuration type `C`.
pub struct Setting<C> {
    /// The section of the file; empty for none.
    pub section: &'static str,
    /// The key in its section.
    pub key: &'static str,
    /// The allowed values, in words that complete "must be".
    pub allowed: fn() -> String,
    /// Validates a value and puts it into the configuration.
    pub set: fn(&mut C, Raw<'_>) -> Result<(), Refused>,
    /// The value in force, as TOML.
    pub show: fn(&C) -> String,
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

/// A row of a table: `setting!(section, key, form, field)`, where the field may be a nested one, such as `a.b`.
#[macro_export]
macro_rules! setting {
    ($section:expr, $key:expr, $form:expr, $($field:ident).+) => {
        $crate::layers::Setting {
            section: $section,
            key: $key,
            allowed: || $crate::layers::Form::allowed(&$form),
            set: |config, raw| {
                config.$($field).+ = $crate::layers::Form::read(&$form, raw)?;
                Ok(())
            },
            show: |config| $crate::layers::Form::show(&$form, &config.$($field).+),
        }
    };
}

/// Description of a setting for documentation.
#[derive(Clone, Debug)]
pub struct Description {
    /// The setting's full name, `section.key`.
    pub path: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// The allowed values, in words that complete "must be".
    pub allowed: String,
    /// The default value, as TOML.
    pub default: String,
}
