//! The table of the server's settings.

use std::{fmt, path::Path, time::Duration};

use arauto_settings::layers::{
    Addresses, ConfigError, Description, Host, HostNames, Layers, Millis, OneOf, PathOf, Ports, Setting,
    Settings, Span, Whole, YesNo, setting,
};

use super::{
    judge,
    types::{Allow, Config, Level, LocalConnections, LogFormat},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// Information about a setting that a reload needs.
pub(super) struct Reload {
    /// Copies the value from one configuration to another.
    pub(super) copy: fn(&Config, &mut Config),
    /// When a change takes effect.
    pub(super) applies: Applies,
}

/// When a changed setting takes effect.
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

/// Rows of the table: `section.field: form;`, or `section.field as "key": form;` where the key differs from the field.
/// `=> AtOnce` or `=> NewSessions` behind the form means that a change needs no restart. Use it only if the setting is
/// read through `InForce` whenever it is needed, or whenever a session begins.
macro_rules! settings {
    ($($section:ident.$field:ident $(as $key:literal)?: $form:expr $(=> $applies:ident)?;)*) => {
        /// Every setting, grouped by section.
        const SETTINGS: &[Setting<Config>] = &[
            $(setting!(stringify!($section), settings!(@key $field $($key)?), $form, $section.$field)),*
        ];

        /// Reload information for each setting, in the order of `SETTINGS`.
        pub(super) const RELOADS: &[Reload] = &[$(Reload {
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
    server.listen: Addresses { least: 0, most: 16 };
    server.workers: Whole(0..=64);
    server.spread_above: Whole(0..=1_000_000) => NewSessions;
    server.drain_timeout: Span(Duration::ZERO..=Duration::from_mins(10)) => AtOnce;
    server.local_connections: OneOf::<LocalConnections>::new() => NewSessions;
    tls.listen: Addresses { least: 0, most: 16 };
    tls.certificate: PathOf("file") => NewSessions;
    tls.key: PathOf("file") => NewSessions;
    tls.client_ca: PathOf("file") => NewSessions;
    web.listen: Addresses { least: 0, most: 16 };
    web.tls_listen: Addresses { least: 0, most: 16 };
    web.hosts: HostNames { most: 16 } => AtOnce;
    media.listen: Addresses { least: 0, most: 16 };
    media.tls_listen: Addresses { least: 0, most: 16 };
    media.public_host: Host;
    media.udp_ports: Ports { least: 8 };
    media.streams: Whole(1..=1_000);
    media.waiting: Whole(1..=1_000);
    media.publish_timeout: Span(Duration::from_secs(1)..=Duration::from_mins(10));
    media.listeners: Whole(1..=100_000);
    media.listeners_per_key: Whole(1..=100_000);
    media.listeners_per_address: Whole(1..=100_000) => NewSessions;
    media.bit_rate: Whole(8_000..=100_000_000);
    media.silence_timeout: Span(Duration::from_secs(1)..=Duration::from_hours(1));
    media.unheard_timeout: Span(Duration::ZERO..=Duration::from_hours(1)) => AtOnce;
    monitoring.listen: Addresses { least: 0, most: 16 };
    limits.message_bytes: Whole(64..=64 * KIB);
    limits.name_timeout: Span(Duration::from_millis(10)..=Duration::from_hours(1)) => NewSessions;
    limits.line_timeout: Span(Duration::ZERO..=Duration::from_hours(1)) => NewSessions;
    limits.idle_timeout: Span(Duration::ZERO..=Duration::from_hours(24)) => NewSessions;
    limits.max_sessions: Whole(1..=1_000_000);
    limits.reserved_sessions: Whole(0..=1_000_000) => NewSessions;
    limits.outbox_bytes: Whole(4 * KIB..=GIB);
    limits.outboxes_bytes: Whole(MIB..=1024 * GIB) => AtOnce;
    limits.slow_reader_grace: Span(Duration::ZERO..=Duration::from_mins(10)) => NewSessions;
    limits.slow_reader_wait: Span(Duration::ZERO..=Duration::from_secs(10)) => AtOnce;
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
    accounts.file: PathOf("file") => AtOnce;
    accounts.required: YesNo => AtOnce;
    accounts.allow_plaintext: YesNo => AtOnce;
    accounts.bans_file: PathOf("file");
    close_server.allow: OneOf::<Allow>::new() => AtOnce;
    log.level: OneOf::<Level>::new() => AtOnce;
    log.format: OneOf::<LogFormat>::new();
}

impl Settings for Config {
    const PREFIX: &'static str = "ARAUTO_";

    fn table() -> &'static [Setting<Self>] {
        SETTINGS
    }

    fn see_from(&mut self, folder: &Path) {
        Config::see_from(self, folder);
    }

    fn judge(layers: &Layers<Self>) -> Vec<ConfigError> {
        judge::judge(layers)
    }
}

/// Descriptions of all settings, in the order of the table, and when a change of each takes effect in a running server.
pub fn describe() -> impl Iterator<Item = (Description, Applies)> {
    Config::describe().zip(RELOADS.iter().map(|reload| reload.applies))
}
