//! The table of the client's settings, and the value forms that only the client has.

use std::path::Path;

use arauto_protocol::Name;
use arauto_settings::layers::{
    self, ConfigError, Form, Layers, OneOf, PathOf, Raw, Refused, Setting, YesNo, setting,
};
use arauto_settings::source::quoted;

use super::Settings;
use crate::{Target, ports::PortSet};

const SETTINGS: &[Setting<Settings>] = &[
    setting!("", "name", NameOf, name),
    setting!("", "server", ServerOf, server),
    setting!("", "colours", OneOf::<super::Colours>::new(), colours),
    setting!("", "tls", YesNo, tls),
    setting!("", "ca", PathOf("file"), ca),
    setting!("", "cert", PathOf("file"), cert),
    setting!("", "key", PathOf("file"), key),
    setting!("", "password_file", PathOf("file"), password_file),
    setting!("share", "ask", YesNo, asks_first),
    setting!("audio", "ports", PortsOf, audio_ports),
    setting!("audio", "allow_plain", YesNo, audio_allow_plain),
];

/// Settings that have no effect without TLS.
const FOR_TLS: [&str; 3] = ["ca", "cert", "key"];

impl layers::Settings for Settings {
    const PREFIX: &'static str = "ARAUTO_CLIENT_";

    fn table() -> &'static [Setting<Self>] {
        SETTINGS
    }

    fn see_from(&mut self, folder: &Path) {
        for path in [&mut self.ca, &mut self.cert, &mut self.key, &mut self.password_file] {
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
    }

    /// A user who sets a certificate expects a safe connection. If TLS is off, that is an error, unless a later layer
    /// than the certificate's turned it off.
    fn judge(layers: &Layers<Self>) -> Vec<ConfigError> {
        let Settings { tls, ca, cert, key, .. } = &layers.config;
        let is_unheard = |setting: &str, path: &Path| {
            let is_overruled = layers.origin("", "tls").is_over(layers.origin("", setting));
            !tls && !path.as_os_str().is_empty() && !is_overruled
        };
        let unheard =
            FOR_TLS.into_iter().zip([ca, cert, key]).filter(|(setting, path)| is_unheard(setting, path));
        unheard
            .map(|(setting, _)| {
                let index = Self::find("", setting).unwrap_or_default();
                layers.refusal(index, r#""", because tls is not true"#.to_owned())
            })
            .collect()
    }
}

/// The name of a user, or an empty string.
struct NameOf;

impl Form for NameOf {
    type Value = String;

    fn allowed(&self) -> String {
        r#"a name of at most 32 characters without | , or control characters, or "" for none"#.to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<String, Refused> {
        let text = raw.text().ok_or(Refused::WHOLE)?;
        if text.is_empty() {
            return Ok(String::new());
        }
        // The limit in bytes differs between servers, so only the server checks it.
        Name::parse(text, usize::MAX).map(|name| name.as_str().to_owned()).map_err(|_| Refused::WHOLE)
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }
}

/// A set of TCP ports.
struct PortsOf;

impl Form for PortsOf {
    type Value = PortSet;

    fn allowed(&self) -> String {
        r#"ports and ranges of ports, such as "322, 554, 8000-8999", each 1 to 65535"#.to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<PortSet, Refused> {
        raw.text().and_then(|text| text.parse().ok()).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &PortSet) -> String {
        quoted(&value.to_string())
    }
}

/// Host and port of a server.
struct ServerOf;

impl Form for ServerOf {
    type Value = Target;

    fn allowed(&self) -> String {
        r#"a host, with or without a port, such as "chat.example", "192.0.2.1:1234" or "[::1]:1234", and no URL"#
            .to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<Target, Refused> {
        raw.text().and_then(|text| text.parse().ok()).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Target) -> String {
        quoted(&value.to_string())
    }
}
