//! The table of settings: what a setting is called and what it takes, once, for file, environment, flags and listing.

use std::{fmt, time::Duration};

use super::form::{Addresses, FilePath, Form, Millis, OneOf, Raw, Refused, Span, Whole, YesNo};
use super::types::{Allow, Config, Level, LogFormat};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// What every environment variable of ours begins with.
pub(super) const PREFIX: &str = "ARAUTO_";

/// One setting.
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// What is allowed, in words that complete "must be".
    pub(super) allowed: fn() -> String,
    /// Judges a value and puts it into the configuration.
    pub(super) set: fn(&mut Config, Raw<'_>) -> Result<(), Refused>,
    /// The value in force, as TOML.
    pub(super) show: fn(&Config) -> String,
    /// Copies the value from one configuration to another.
    pub(super) copy: fn(&Config, &mut Config),
    /// From when on a change counts.
    pub(super) applies: Applies,
}

impl Setting {
    /// Its full name, `section.key`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}_{}", self.section, self.key).to_ascii_uppercase()
    }
}

/// From when on a changed setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// For everyone.
    AtOnce,
    /// For those who connect from then on.
    NewSessions,
    /// When the server is started again; until then, what was in force stays.
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

/// `section.field: form;`, or `section.field as "key": form;` where the key differs from the field. `=> AtOnce` or
/// `=> NewSessions` behind the form: a change needs no restart. To be said only where the setting is read through
/// `InForce` whenever it is needed, or whenever a session begins.
macro_rules! settings {
    ($($section:ident.$field:ident $(as $key:literal)?: $form:expr $(=> $applies:ident)?;)*) => {
        /// Every setting, grouped by section.
        pub(super) const SETTINGS: &[Setting] = &[$(Setting {
            section: stringify!($section),
            key: settings!(@key $field $($key)?),
            allowed: || $form.allowed(),
            set: |config, raw| {
                config.$section.$field = $form.read(raw)?;
                Ok(())
            },
            show: |config| $form.show(&config.$section.$field),
            copy: |from, to| to.$section.$field.clone_from(&from.$section.$field),
            applies: settings!(@applies $($applies)?),
        }),*];
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@applies) => { Applies::Restart };
    (@applies $applies:ident) => { Applies::$applies };
}

settings! {
    server.listen: Addresses { least: 1, most: 16 };
    server.workers: Whole(0..=64);
    server.drain_timeout: Span(Duration::ZERO..=Duration::from_mins(10)) => AtOnce;
    tls.listen: Addresses { least: 0, most: 16 };
    tls.certificate: FilePath => NewSessions;
    tls.key: FilePath => NewSessions;
    tls.client_ca: FilePath => NewSessions;
    limits.message_bytes: Whole(64..=64 * KIB);
    limits.name_timeout: Span(Duration::from_millis(10)..=Duration::from_hours(1)) => NewSessions;
    limits.line_timeout: Span(Duration::ZERO..=Duration::from_hours(1)) => NewSessions;
    limits.idle_timeout: Span(Duration::ZERO..=Duration::from_hours(24)) => NewSessions;
    limits.max_sessions: Whole(1..=1_000_000);
    limits.outbox_bytes: Whole(4 * KIB..=GIB);
    limits.slow_reader_grace: Span(Duration::ZERO..=Duration::from_mins(10)) => NewSessions;
    limits.inflight_bytes: Whole(KIB..=64 * MIB) => NewSessions;
    flood.loopback: YesNo => NewSessions;
    flood.message_rate: Whole(0..=1_000_000) => NewSessions;
    flood.message_burst: Whole(1..=1_000_000) => NewSessions;
    flood.byte_rate: Whole(0..=GIB) => NewSessions;
    flood.byte_burst: Whole(1..=GIB) => NewSessions;
    flood.refusals: Whole(1..=1_000_000) => NewSessions;
    flood.refusal_window: Span(Duration::from_secs(1)..=Duration::from_hours(1)) => NewSessions;
    flood.sessions_per_address: Whole(0..=1_000_000) => NewSessions;
    flood.joins_per_minute: Whole(0..=1_000_000) => NewSessions;
    compat.unframed_gap as "unframed_gap_ms": Millis(0..=5000) => NewSessions;
    compat.unframed_wait as "unframed_wait_ms": Millis(1..=5000) => NewSessions;
    accounts.file: FilePath => AtOnce;
    accounts.required: YesNo => AtOnce;
    accounts.allow_plaintext: YesNo => AtOnce;
    accounts.bans_file: FilePath;
    close_server.allow: OneOf::<Allow>::new() => AtOnce;
    log.level: OneOf::<Level>::new() => AtOnce;
    log.format: OneOf::<LogFormat>::new();
}

/// Where in [`SETTINGS`] a setting stands.
pub(super) fn find(section: &str, key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.section == section && setting.key == key)
}

/// The sections, in order, each once.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = SETTINGS.iter().map(|setting| setting.section).collect();
    sections.dedup();
    sections
}

/// The keys of a section, in order.
pub(super) fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(move |setting| setting.section == section).map(|setting| setting.key)
}

/// A setting, in words.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its full name, `section.key`.
    pub path: String,
    /// The environment variable that sets it.
    pub variable: String,
    /// What is allowed, in words that complete "must be".
    pub allowed: String,
    /// From when on a change counts in a running server.
    pub applies: Applies,
}

/// Every setting, in words, in order.
pub fn describe() -> impl Iterator<Item = Description> {
    SETTINGS.iter().map(|setting| Description {
        path: setting.path(),
        variable: setting.variable(),
        allowed: (setting.allowed)(),
        applies: setting.applies,
    })
}
