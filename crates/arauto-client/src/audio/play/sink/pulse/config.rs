//! [`Environment`] and [`PulseConfig`]: the configuration of PulseAudio's clients, as `pulse-client.conf(5)` describes it.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Maximum number of bytes read from a settings file.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024;

/// The parts of a process's environment that the choice of a sound server depends on.
pub struct Environment {
    /// Value of a variable; `None` if it is missing or empty.
    pub variable: fn(&str) -> Option<OsString>,
    /// Id of this machine. `{id}` before an address reserves that address for one machine.
    pub machine_id: Option<String>,
    /// Numeric user id.
    pub user: Option<u32>,
    /// Path of the system-wide settings.
    pub system_settings: &'static str,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let machine_id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok())
            .map(|id| id.trim().to_owned());
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        // The owner of `/proc/self` is the user of the process.
        let user = fs::metadata("/proc/self").ok().map(|entry| entry.uid());
        Self { variable, machine_id, user, system_settings: "/etc/pulse/client.conf" }
    }

    /// A variable that holds a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).map(PathBuf::from)
    }

    /// The folders in which a user's settings may be, the preferred one first.
    pub fn settings_folders(&self) -> Vec<PathBuf> {
        let home = self.path("HOME");
        let config = self.path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
        [config.map(|folder| folder.join("pulse")), home.map(|home| home.join(".pulse"))]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Content of a client settings file of PulseAudio.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PulseConfig {
    /// Path of the file; empty if there is none.
    pub file: String,
    /// Servers to try (`default-server`).
    pub server: Option<String>,
    /// Sink to play to (`default-sink`).
    pub sink: Option<String>,
    /// File of the secret (`cookie-file`).
    pub cookie: Option<String>,
    /// Whether to try localhost by TCP (`auto-connect-localhost`).
    pub tries_localhost: bool,
}

impl PulseConfig {
    /// Reads the first existing file of: the one that `PULSE_CLIENTCONFIG` names, the user's, the system's.
    pub fn read(environment: &Environment) -> Self {
        let named = environment.path("PULSE_CLIENTCONFIG");
        let users = environment.settings_folders().into_iter().map(|folder| folder.join("client.conf"));
        let system = PathBuf::from(environment.system_settings);
        let files = named.into_iter().chain(users).chain([system]);
        let file = files.into_iter().find(|file| file.is_file());
        file.and_then(|file| Some(Self::parse(&file, &read_text(&file)?))).unwrap_or_default()
    }

    fn parse(file: &Path, text: &str) -> Self {
        let mut settings = Self { file: file.display().to_string(), ..Self::default() };
        for line in text.lines() {
            let line = line.split([';', '#']).next().unwrap_or_default();
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match key.trim() {
                "default-server" => settings.server = value,
                "default-sink" => settings.sink = value,
                "cookie-file" => settings.cookie = value,
                "auto-connect-localhost" => {
                    settings.tries_localhost =
                        value.is_some_and(|value| matches!(value.as_str(), "yes" | "true" | "on" | "1"));
                }
                _ => {}
            }
        }
        settings
    }
}

fn read_text(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = fs::File::open(file).ok()?;
    io::Read::read_to_string(&mut io::Read::take(file, MAX_SETTINGS_BYTES), &mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_pulseaudio() {
        let text = "; default-server = no\n# x\n default-server = tcp:a ; b\ndefault-sink=hdmi\n\
                    cookie-file = /c\nauto-connect-localhost = yes\nautospawn = no\ndefault-source =\n";
        let settings = PulseConfig::parse(Path::new("/f"), text);
        let some = |text: &str| Some(text.to_owned());
        let expected = PulseConfig {
            file: "/f".to_owned(),
            server: some("tcp:a"),
            sink: some("hdmi"),
            cookie: some("/c"),
            tries_localhost: true,
        };
        assert_eq!(settings, expected);
    }
}
