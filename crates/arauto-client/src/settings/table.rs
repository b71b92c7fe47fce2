//! The client's settings, each with its meaning, type, form and bounds, and the forms of values that only the client has.

#![allow(
    clippy::doc_markdown,
    reason = "the comments are also the text of config/client.toml and of the manual page"
)]

use std::path::{Path, PathBuf};

use arauto_protocol::Name;
use arauto_settings::layers::{
    self, Choice, ConfigError, Form, Layers, OneOf, PathOf, Raw, Refused, Setting, YesNo, settings,
};
use arauto_settings::source::quoted;

use crate::{Targets, ports::PortSet};

const FILE: PathOf = PathOf("file");

settings! {
    /// All settings of the client.
    pub struct Settings {
        /// Whether the password belongs to another server than `server`, so that it must not be sent.
        pub(super) is_password_for_another: bool,
    }

    /// Settings outside any section: the user and the connection. An empty path means no file.
    general as "": General {
        /// The name to use if the command line gives none. "": none.
        name: String, NameOf;

        /// The server; without a port, 1234. IPv6 addresses go in brackets: "[::1]:1234". Several addresses of a cluster
        /// are separated by commas: "n1.example, n2.example". The client tries the next one where one does not let it in,
        /// and after a cut.
        server: Targets, ServerOf, "--server";

        /// Whether output has colours: "auto" (on a terminal, unless the variable NO_COLOR is set), "always" or
        /// "never".
        colours: Colours, OneOf::<Colours>::new();

        /// Whether the connection is encrypted: true or false. The server's certificate has to be for the host above,
        /// and signed by an authority that this system trusts. No setting accepts every certificate; only the flag
        /// --insecure does, for one run.
        tls: bool, YesNo, "--tls", "--tls=false";

        /// Certificates, in PEM, of the authorities to trust instead of those that the system trusts. A self-signed
        /// certificate, as `arauto cert` makes them, goes here too. Needs tls = true. "": the system's.
        ca: PathBuf, FILE, "--ca";

        /// Your certificate and its private key, in PEM. If the server trusts its issuer, the certificate gives you
        /// your name. Both need tls = true. Only you should be able to read the key. "": none.
        cert: PathBuf, FILE, "--cert";
        key: PathBuf, FILE, "--key";

        /// A file whose first line is your password, if your name has one; without it, the client asks for the password
        /// on the terminal. Only you should be able to read it. A password file set here is used only for the server
        /// set here, not for a server that a variable or a flag names. "": none.
        password_file: PathBuf, FILE, "--password-file";
    }

    /// Section `[share]`: files that others can list and hear.
    share: Share {
        /// Whether the client asks you before it plays a shared file to others: true or false. With --plain it cannot
        /// ask, so if this is true it plays nothing.
        ask: bool, YesNo;
    }

    /// Section `[audio]`: audio streams of the server.
    audio: Audio {
        /// The server's ports that the client uses for audio, to listen and to share; by default those usual for RTSP,
        /// and Arauto's own. Any other port that the server names is refused, because a tunnel can make the server's
        /// machine your own. Ports and ranges, separated by commas; "1-65535": any.
        ports: PortSet, PortsOf;

        /// Whether audio may be unencrypted where the server was joined by TLS: true or false. The key of the stream
        /// then crosses the network unencrypted. Audio of a server on this machine may always be unencrypted.
        allow_plain: bool, YesNo;
    }
}

/// Settings that have no effect without TLS.
const FOR_TLS: [&str; 3] = ["ca", "cert", "key"];

impl layers::Settings for Settings {
    const PREFIX: &'static str = "ARAUTO_CLIENT_";

    const HEADING: &'static str = "\
# Every setting of Arauto's client, with its default. The client reads ~/.config/arauto/client.toml
# ($XDG_CONFIG_HOME applies), or the file that --config or ARAUTO_CLIENT_CONFIG names. An environment variable
# overrides this file, and a flag overrides both; `arauto config --client` shows each value and its origin.
# Paths are relative to this file's folder; ~ is not expanded.
";

    fn table() -> &'static [Setting<Self>] {
        Self::TABLE
    }

    /// A user who sets a certificate expects a safe connection. If TLS is off, that is an error, unless a later layer
    /// than the certificate's turned it off.
    fn judge(layers: &Layers<Self>) -> Vec<ConfigError> {
        let General { tls, ca, cert, key, .. } = &layers.config.general;
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

/// When output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, even if the output is not a terminal.
    Always,
    /// Never, even on a terminal.
    Never,
}

impl Choice for Colours {
    const ALL: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
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

/// Hosts and ports of a server, separated by commas.
struct ServerOf;

impl Form for ServerOf {
    type Value = Targets;

    fn allowed(&self) -> String {
        r#"a host, with or without a port, such as "chat.example", "192.0.2.1:1234" or "[::1]:1234", and no URL; or up to 16 of them, separated by commas"#
            .to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<Targets, Refused> {
        raw.text().and_then(|text| text.parse().ok()).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Targets) -> String {
        quoted(&value.to_string())
    }
}
