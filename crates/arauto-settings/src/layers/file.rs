//! Reads a configuration file by the table of settings.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Raw, Settings};
use crate::source::nearest::{likely, listed};
use crate::source::{Source, SourceError};

/// A setting that a file sets: its index in the table, and the position of its value in the text.
pub(super) type Given = (usize, Range<usize>);

/// Puts the values of the file into `config`. Returns the settings that it set, and all faults of the file, ordered by
/// position.
pub(super) fn apply<C: Settings>(source: &Source, config: &mut C) -> (Vec<Given>, Vec<SourceError>) {
    let document = match DeTable::parse(&source.text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().unwrap_or_default();
            return (Vec::new(), vec![source.complaint(&at, error.message().to_owned())]);
        }
    };
    let mut reading = Reading { config, given: Vec::new(), wrong: Vec::new() };
    for (name, value) in document.get_ref() {
        if C::find("", name.get_ref()).is_some() {
            reading.setting("", name, value);
        } else {
            reading.section(name, value);
        }
    }
    // The parser sorts tables by key; readers expect faults in the order of the file.
    reading.wrong.sort_by_key(|(at, _)| at.start);
    let wrong = reading.wrong.into_iter().map(|(at, message)| source.complaint(&at, message));
    (reading.given, wrong.collect())
}

type Name<'a> = Spanned<std::borrow::Cow<'a, str>>;

struct Reading<'c, C> {
    config: &'c mut C,
    given: Vec<Given>,
    wrong: Vec<(Range<usize>, String)>,
}

impl<C: Settings> Reading<'_, C> {
    fn section(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let section = name.get_ref();
        if !C::sections().contains(&section.as_ref()) {
            let is_key = value.get_ref().as_table().is_none() && C::keys("").next().is_some();
            let why = if is_key { unknown_key::<C>("", section) } else { unknown_section::<C>(section) };
            return self.wrong.push((name.span(), why));
        }
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong.push((value.span(), format!("{section} must be a section, [{section}]")));
        };
        for (key, value) in table {
            self.setting(section, key, value);
        }
    }

    fn setting(&mut self, section: &str, key: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let Some(index) = C::find(section, key.get_ref()) else {
            return self.wrong.push((key.span(), unknown_key::<C>(section, key.get_ref())));
        };
        let setting = &C::table()[index];
        match (setting.set)(self.config, Raw::Toml(value.get_ref())) {
            Ok(()) => self.given.push((index, value.span())),
            Err(refused) => {
                let message = format!("{} must be {}", setting.path(), (setting.allowed)());
                self.wrong.push((refused.at.unwrap_or_else(|| value.span()), message));
            }
        }
    }
}

fn unknown_section<C: Settings>(name: &str) -> String {
    let sections = C::sections();
    if sections.is_empty() {
        return unknown_key::<C>("", name);
    }
    if let Some(section) = likely(name, sections.iter().copied()) {
        format!("unknown section; did you mean [{section}]?")
    } else if let Some(home) = home::<C>(name) {
        format!("{name} belongs {home}")
    } else {
        format!("unknown section; there are {}", listed(sections.into_iter()))
    }
}

fn unknown_key<C: Settings>(section: &str, key: &str) -> String {
    let unknown =
        if section.is_empty() { "unknown key".to_owned() } else { format!("unknown key in [{section}]") };
    if let Some(known) = likely(key, C::keys(section)) {
        format!("{unknown}; did you mean {known}?")
    } else if let Some(home) = home::<C>(key) {
        format!("{key} belongs {home}")
    } else {
        format!("{unknown}; there are {}", listed(C::keys(section)))
    }
}

/// The place where a key belongs, in words that follow "belongs".
fn home<C: Settings>(key: &str) -> Option<String> {
    let setting = C::table().iter().find(|setting| setting.key == key)?;
    Some(match setting.section {
        "" => "before the first section".to_owned(),
        section => format!("in section [{section}]"),
    })
}
