//! [`Setting`]: what a setting is called and what it takes, once, for file, environment, flags and listing.

use std::path::Path;

use super::{ConfigError, Layers, Raw, Refused};

/// Settings that are read together.
pub trait Settings: Default + 'static {
    /// What their environment variables begin with.
    const PREFIX: &'static str;

    /// Every setting, grouped by section; those without a section first.
    fn table() -> &'static [Setting<Self>];

    /// Takes relative paths as seen from `folder`: those in a file are meant as seen from the file.
    fn see_from(&mut self, folder: &Path);

    /// Which values do not fit together, though each by itself is allowed.
    #[must_use]
    fn judge(layers: &Layers<Self>) -> Vec<ConfigError>;

    /// Where in the table a setting stands.
    #[must_use]
    fn find(section: &str, key: &str) -> Option<usize> {
        Self::table().iter().position(|setting| setting.section == section && setting.key == key)
    }

    /// The sections, in order, each once.
    #[must_use]
    fn sections() -> Vec<&'static str> {
        let mut sections: Vec<_> = Self::table().iter().map(|setting| setting.section).collect();
        sections.dedup();
        sections.retain(|section| !section.is_empty());
        sections
    }

    /// The keys of a section, in order.
    #[must_use]
    fn keys(section: &str) -> impl Iterator<Item = &'static str> {
        Self::table().iter().filter(move |setting| setting.section == section).map(|setting| setting.key)
    }

    /// Every setting, in words, in order.
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

/// One setting.
pub struct Setting<C> {
    /// The section of the file that it stands in; empty for none.
    pub section: &'static str,
    /// Its name there.
    pub key: &'static str,
    /// What is allowed, in words that complete "must be".
    pub allowed: fn() -> String,
    /// Judges a value and puts it in its place.
    pub set: fn(&mut C, Raw<'_>) -> Result<(), Refused>,
    /// The value in force, as TOML.
    pub show: fn(&C) -> String,
}

impl<C: Settings> Setting<C> {
    /// Its full name, `section.key`.
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

/// A row of a table: `setting!(section, key, form, field)`, where the field may be one of a field's.
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
pub(crate) use setting;

/// A setting, in words.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its full name, `section.key`.
    pub path: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// What is allowed, in words that complete "must be".
    pub allowed: String,
    /// The value where nothing sets another, as TOML.
    pub default: String,
}
