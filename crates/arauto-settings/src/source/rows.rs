//! Reads files that hold one list, `[[accounts]]` or `[[bans]]`, whose entries are tables of a few known keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::{likely, listed};
use super::{Source, SourceError};

/// An entry of a list; it has no unknown keys.
pub struct Row<'a> {
    table: &'a DeTable<'a>,
    /// Position of the entry in the file.
    at: Range<usize>,
}

/// Position and description of a fault.
pub type Fault = (Range<usize>, String);

/// A value and its position in the file.
pub type Placed<T> = (T, Range<usize>);

/// Reads a file that holds only the list `name`, whose entries have only these `keys`. Returns what `read` makes of the
/// entries, in the order of the file. `read` also receives its earlier results.
///
/// # Errors
/// All faults in the order of the file, at most one per entry; at least one.
pub fn read_all<T>(
    source: &Source,
    name: &str,
    keys: &[&'static str],
    mut read: impl FnMut(&Row<'_>, &[T]) -> Result<T, Fault>,
) -> Result<Vec<T>, Vec<SourceError>> {
    let complaint = |(at, message): Fault| source.complaint(&at, message);
    let document = DeTable::parse(&source.text)
        .map_err(|error| vec![complaint((error.span().unwrap_or_default(), error.message().to_owned()))])?;
    let entries = entries(document.get_ref(), name).map_err(|fault| vec![complaint(fault)])?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match row(entry, name, keys).and_then(|row| read(&row, &rows)) {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(complaint(fault)),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// The entries of the only list in a file.
fn entries<'a>(document: &'a DeTable<'a>, name: &str) -> Result<&'a [Spanned<DeValue<'a>>], Fault> {
    if let Some((key, _)) =
        document.iter().filter(|(key, _)| *key.get_ref() != name).min_by_key(|(key, _)| key.span().start)
    {
        return Err((key.span(), format!("unknown key; there is only [[{name}]]")));
    }
    let Some((_, list)) = document.iter().next() else { return Ok(&[]) };
    match list.get_ref() {
        DeValue::Array(entries) => Ok(entries),
        _ => Err((list.span(), format!("{name} must be a list: [[{name}]] before each entry"))),
    }
}

fn row<'a>(entry: &'a Spanned<DeValue<'a>>, name: &str, keys: &[&'static str]) -> Result<Row<'a>, Fault> {
    let Some(table) = entry.get_ref().as_table() else {
        return Err((entry.span(), format!("{name} must be a list of tables: [[{name}]] before each entry")));
    };
    let unknown = table.iter().map(|(key, _)| key).filter(|key| !keys.contains(&key.get_ref().as_ref()));
    match unknown.min_by_key(|key| key.span().start) {
        None => Ok(Row { table, at: entry.span() }),
        Some(key) => {
            let meant = match likely(key.get_ref(), keys.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there are {}", listed(keys.iter().copied())),
            };
            Err((key.span(), format!("unknown key in [[{name}]]; {meant}")))
        }
    }
}

impl Row<'_> {
    /// The text at this key, if the entry has the key.
    ///
    /// # Errors
    /// If the value is not text.
    pub fn text(&self, key: &str) -> Result<Option<Placed<&str>>, Fault> {
        self.value(key, "a text in quotes", DeValue::as_str)
    }

    /// The text at this key.
    ///
    /// # Errors
    /// If the key is missing, or the value is not text.
    pub fn required(&self, key: &str) -> Result<Placed<&str>, Fault> {
        self.text(key)?.ok_or_else(|| (self.at(), format!("{key} is missing")))
    }

    /// The boolean at this key, if the entry has the key.
    ///
    /// # Errors
    /// If the value is neither `true` nor `false`.
    pub fn truth(&self, key: &str) -> Result<Option<Placed<bool>>, Fault> {
        self.value(key, "true or false", DeValue::as_bool)
    }

    /// Position of the entry in the file.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    fn value<'a, T>(
        &'a self,
        key: &str,
        allowed: &str,
        take: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<Option<Placed<T>>, Fault> {
        let Some((_, value)) = self.table.iter().find(|(known, _)| *known.get_ref() == key) else {
            return Ok(None);
        };
        match take(value.get_ref()) {
            Some(taken) => Ok(Some((taken, value.span()))),
            None => Err((value.span(), format!("{key} must be {allowed}"))),
        }
    }
}
