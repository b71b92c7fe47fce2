//! What a configuration file says, held against the table of settings.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::Raw;
use super::settings::{self, SETTINGS};
use super::types::Config;
use crate::source::nearest::{likely, listed};
use crate::source::{Source, SourceError};

/// A setting that a file gives, by its place in [`SETTINGS`], and where its value stands.
pub(super) type Given = (usize, Range<usize>);

/// Puts what the file says into `config`; an error points at the first thing wrong in it.
pub(super) fn apply(source: &Source, config: &mut Config) -> Result<Vec<Given>, SourceError> {
    let document = DeTable::parse(&source.text)
        .map_err(|error| source.complaint(&error.span().unwrap_or_default(), error.message().to_owned()))?;
    let mut reading = Reading { config, given: Vec::new(), wrong: Vec::new() };
    for (name, value) in document.get_ref() {
        reading.section(name, value);
    }
    // Tables come sorted by key, people read from the top.
    match reading.wrong.into_iter().min_by_key(|(at, _)| at.start) {
        None => Ok(reading.given),
        Some((at, message)) => Err(source.complaint(&at, message)),
    }
}

type Name<'a> = Spanned<std::borrow::Cow<'a, str>>;

struct Reading<'c> {
    config: &'c mut Config,
    given: Vec<Given>,
    wrong: Vec<(Range<usize>, String)>,
}

impl Reading<'_> {
    fn section(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let section = name.get_ref();
        if !settings::sections().contains(&section.as_ref()) {
            return self.wrong.push((name.span(), unknown_section(section)));
        }
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong.push((value.span(), format!("{section} must be a section, [{section}]")));
        };
        for (key, value) in table {
            self.setting(section, key, value);
        }
    }

    fn setting(&mut self, section: &str, key: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let Some(index) = settings::find(section, key.get_ref()) else {
            return self.wrong.push((key.span(), unknown_key(section, key.get_ref())));
        };
        let setting = &SETTINGS[index];
        match (setting.set)(self.config, Raw::Toml(value.get_ref())) {
            Ok(()) => self.given.push((index, value.span())),
            Err(refused) => {
                let message = format!("{} must be {}", setting.path(), (setting.allowed)());
                self.wrong.push((refused.at.unwrap_or_else(|| value.span()), message));
            }
        }
    }
}

fn unknown_section(name: &str) -> String {
    let sections = settings::sections();
    if let Some(section) = likely(name, sections.iter().copied()) {
        format!("unknown section; did you mean [{section}]?")
    } else if let Some(section) = home(name) {
        format!("{name} belongs in section [{section}]")
    } else {
        format!("unknown section; there are {}", listed(sections.into_iter()))
    }
}

fn unknown_key(section: &str, key: &str) -> String {
    if let Some(known) = likely(key, settings::keys(section)) {
        format!("unknown key in [{section}]; did you mean {known}?")
    } else if let Some(section) = home(key) {
        format!("{key} belongs in section [{section}]")
    } else {
        format!("unknown key in [{section}]; there are {}", listed(settings::keys(section)))
    }
}

/// The section that a key belongs to.
fn home(key: &str) -> Option<&'static str> {
    SETTINGS.iter().find(|setting| setting.key == key).map(|setting| setting.section)
}
