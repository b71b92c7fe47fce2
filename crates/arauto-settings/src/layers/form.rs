//! The forms of values: which values are allowed, how they are parsed and how they are printed.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

mod hosts;

pub use hosts::{Host, HostNames, Label, ServerUrls};

/// A value as it was given, not yet validated.
#[derive(Clone, Copy)]
pub enum Raw<'a> {
    /// From a file.
    Toml(&'a DeValue<'a>),
    /// From an environment variable or a flag.
    Text(&'a str),
}

/// Error: the value is not allowed.
#[derive(Debug, PartialEq)]
pub struct Refused {
    /// Position of the faulty part in the file, if it is not the whole value.
    pub at: Option<Range<usize>>,
}

impl Refused {
    /// The whole value is at fault.
    pub const WHOLE: Self = Self { at: None };
}

impl<'a> Raw<'a> {
    /// The value as a non-negative whole number, if it is one.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Toml(DeValue::Integer(number)) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            Self::Toml(_) => None,
            Self::Text(text) => text.parse().ok(),
        }
    }

    /// The value as text, if it is text.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Toml(value) => value.as_str(),
            Self::Text(text) => Some(text),
        }
    }
}

/// A form of values.
pub trait Form {
    /// The type that a value is parsed to.
    type Value;

    /// The allowed values, in words that complete "must be".
    fn allowed(&self) -> String;

    /// Parses and validates a value.
    ///
    /// # Errors
    /// If the value is not allowed.
    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Refused>;

    /// The value as TOML.
    fn show(&self, value: &Self::Value) -> String;

    /// The value itself, if it is a path: one from a file is relative to the file's folder.
    fn path<'v>(&self, _value: &'v mut Self::Value) -> Option<&'v mut PathBuf> {
        None
    }
}

/// A whole number in this range.
pub struct Whole(pub RangeInclusive<usize>);

impl Form for Whole {
    type Value = usize;

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, raw: Raw<'_>) -> Result<usize, Refused> {
        let number = raw.number().and_then(|number| usize::try_from(number).ok());
        number.filter(|number| self.0.contains(number)).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }
}

/// A duration in this range of milliseconds, given as a whole number.
pub struct Millis(pub RangeInclusive<u64>);

impl Form for Millis {
    type Value = Duration;

    fn allowed(&self) -> String {
        format!("a whole number of milliseconds from {} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, raw: Raw<'_>) -> Result<Duration, Refused> {
        let number = raw.number().filter(|number| self.0.contains(number));
        number.map(Duration::from_millis).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Duration) -> String {
        value.as_millis().to_string()
    }
}

/// A duration in this range, given with its unit.
pub struct Span(pub RangeInclusive<Duration>);

impl Form for Span {
    type Value = Duration;

    fn allowed(&self) -> String {
        let [least, most] = [self.0.start(), self.0.end()].map(|end| humantime::format_duration(*end));
        format!(r#"a duration such as "500ms" or "5s", from {least} to {most}"#)
    }

    fn read(&self, raw: Raw<'_>) -> Result<Duration, Refused> {
        let span = raw.text().and_then(|text| humantime::parse_duration(text).ok());
        span.filter(|span| self.0.contains(span)).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Duration) -> String {
        format!(r#""{}""#, humantime::format_duration(*value))
    }
}

/// A list of socket addresses.
pub struct Addresses {
    /// Fewest addresses allowed.
    pub least: usize,
    /// Most addresses allowed.
    pub most: usize,
}

impl Form for Addresses {
    type Value = Vec<SocketAddr>;

    fn allowed(&self) -> String {
        let Self { least, most } = self;
        format!(
            r#"{least} to {most} addresses such as "127.0.0.1:1234" or "[::1]:1234", and no names (localhost is 127.0.0.1)"#
        )
    }

    fn read(&self, raw: Raw<'_>) -> Result<Vec<SocketAddr>, Refused> {
        let addresses = several(raw, |text| text.parse().ok())?;
        let enough = self.least..=self.most;
        Some(addresses).filter(|addresses| enough.contains(&addresses.len())).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Vec<SocketAddr>) -> String {
        show_several(value)
    }
}

/// A range of ports from 1024 on, `first-last`.
pub struct Ports {
    /// Fewest ports allowed.
    pub least: u16,
}

impl Form for Ports {
    type Value = RangeInclusive<u16>;

    fn allowed(&self) -> String {
        format!(r#"ports such as "30000-30999", {} at the least, 1024 to 65535"#, self.least)
    }

    fn read(&self, raw: Raw<'_>) -> Result<RangeInclusive<u16>, Refused> {
        let (first, last) = raw.text().and_then(|text| text.split_once('-')).ok_or(Refused::WHOLE)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| Refused::WHOLE);
        let (first, last) = (port(first)?, port(last)?);
        let is_enough = first >= 1024 && last.checked_sub(first).is_some_and(|more| more >= self.least - 1);
        is_enough.then_some(first..=last).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &RangeInclusive<u16>) -> String {
        format!(r#""{}-{}""#, value.start(), value.end())
    }
}

/// Parses a list: an array or a single value in a file, values separated by commas elsewhere.
fn several<T>(raw: Raw<'_>, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Refused> {
    match raw {
        Raw::Toml(DeValue::Array(array)) => array
            .iter()
            .map(|item| {
                item.get_ref().as_str().and_then(&parse).ok_or_else(|| Refused { at: Some(item.span()) })
            })
            .collect(),
        Raw::Toml(value) => Ok(vec![value.as_str().and_then(parse).ok_or(Refused::WHOLE)?]),
        Raw::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
        Raw::Text(text) => text.split(',').map(|part| parse(part.trim()).ok_or(Refused::WHOLE)).collect(),
    }
}

fn show_several(values: &[impl std::fmt::Display]) -> String {
    let quoted: Vec<_> = values.iter().map(|value| format!(r#""{value}""#)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A boolean.
pub struct YesNo;

impl Form for YesNo {
    type Value = bool;

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<bool, Refused> {
        match raw {
            Raw::Toml(value) => value.as_bool(),
            Raw::Text(text) => text.parse().ok(),
        }
        .ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A path as a quoted TOML string.
#[must_use]
pub fn quoted(path: &Path) -> String {
    crate::source::quoted(&path.to_string_lossy())
}

/// The path of a thing of this kind, such as "file", or the empty text for none.
pub struct PathOf(pub &'static str);

impl Form for PathOf {
    type Value = PathBuf;

    fn allowed(&self) -> String {
        format!(r#"the path of a {}, or "" for none"#, self.0)
    }

    fn read(&self, raw: Raw<'_>) -> Result<PathBuf, Refused> {
        // A replacement character stands for bytes that are not Unicode, so the path would name another file.
        let usable = |text: &&str| !text.contains(['\0', char::REPLACEMENT_CHARACTER]);
        raw.text().filter(usable).map(PathBuf::from).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &PathBuf) -> String {
        quoted(value)
    }

    fn path<'v>(&self, value: &'v mut PathBuf) -> Option<&'v mut PathBuf> {
        Some(value)
    }
}

/// A name out of [`Choice::ALL`].
pub struct OneOf<T>(PhantomData<T>);

impl<T> OneOf<T> {
    /// A form for the table of settings.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for OneOf<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Choice> Form for OneOf<T> {
    type Value = T;

    fn allowed(&self) -> String {
        format!("one of {}", T::names().collect::<Vec<_>>().join(", "))
    }

    fn read(&self, raw: Raw<'_>) -> Result<T, Refused> {
        raw.text().and_then(T::named).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &T) -> String {
        format!(r#""{}""#, value.name())
    }
}

/// A value out of a fixed set, each with one name for files, variables and flags.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every value with its name.
    const ALL: &'static [(&'static str, Self)];

    /// The value with this name.
    #[must_use]
    fn named(name: &str) -> Option<Self> {
        let (_, value) = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(*value)
    }

    /// The value's name.
    #[must_use]
    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, value)| *value == self);
        found.map_or("", |(name, _)| name)
    }

    /// All names, in the order of [`Self::ALL`].
    fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }
}
