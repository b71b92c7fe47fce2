//! [`InForce`]: the configuration that all parts of a running server share, and its replacement on reload.

use std::ops::Deref;
use std::sync::Arc;

use arauto_settings::layers::Settings;
use arc_swap::{ArcSwap, Guard};

use super::{Applies, Config};

/// Handle to the configuration in force; clones share it. Reading takes no lock.
#[derive(Clone, Debug)]
pub struct InForce(Arc<ArcSwap<Config>>);

/// A setting whose value differs in another configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting's full name, `section.key`.
    pub setting: String,
    /// The value in force, as TOML.
    pub from: String,
    /// The requested value, as TOML.
    pub to: String,
    /// When the change takes effect.
    pub applies: Applies,
}

impl InForce {
    /// A handle with this initial configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(config)))
    }

    /// The configuration in force now, for brief use; see [`Self::view`] for one to keep.
    #[must_use]
    pub fn get(&self) -> Guard<Arc<Config>> {
        self.0.load()
    }

    /// A snapshot of the configuration in force, for code that holds it and reads it often.
    #[must_use]
    pub fn view(&self) -> View {
        View { in_force: self.clone(), held: self.0.load_full() }
    }

    /// The configuration that would be in force if `wanted` replaced it, and the settings that differ in `wanted`.
    /// Settings that need a restart keep their present values, but are listed all the same.
    #[must_use]
    pub fn after(&self, mut wanted: Config) -> (Config, Vec<Change>) {
        let now = self.get();
        let mut changes = Vec::new();
        for setting in Config::table() {
            let (from, to) = ((setting.show)(&now), (setting.show)(&wanted));
            if from != to {
                changes.push(Change { setting: setting.path(), from, to, applies: setting.applies });
            }
            if setting.applies == Applies::Restart {
                (setting.copy)(&now, &mut wanted);
            }
        }
        (wanted, changes)
    }

    /// Puts `config` in force.
    pub fn replace(&self, config: Config) {
        self.0.store(Arc::new(config));
    }
}

/// A snapshot of the configuration, as of its last refresh.
#[derive(Debug)]
pub struct View {
    in_force: InForce,
    held: Arc<Config>,
}

impl View {
    /// Updates the snapshot to the configuration in force.
    pub fn refresh(&mut self) {
        let now = self.in_force.get();
        if !Arc::ptr_eq(&now, &self.held) {
            self.held = Arc::clone(&now);
        }
    }
}

impl Deref for View {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Allow;

    #[test]
    fn what_needs_a_restart_stays_and_the_rest_is_new() {
        let in_force = InForce::new(Config::default());
        let mut view = in_force.view();
        let mut wanted = Config::default();
        wanted.server.workers = 7;
        wanted.close_server.allow = Allow::Nobody;
        wanted.limits.inflight_bytes = 4096;
        let (next, changes) = in_force.after(wanted.clone());
        let said: Vec<_> =
            changes.iter().map(|change| (change.setting.as_str(), &*change.to, change.applies)).collect();
        assert_eq!(
            said,
            [
                ("server.workers", "7", Applies::Restart),
                ("limits.inflight_bytes", "4096", Applies::NewSessions),
                ("close_server.allow", "\"nobody\"", Applies::AtOnce),
            ]
        );
        in_force.replace(next);
        wanted.server.workers = Config::default().server.workers;
        assert_eq!(**in_force.get(), wanted);
        assert_eq!(*view, Config::default());
        view.refresh();
        assert_eq!(*view, wanted);
    }
}
