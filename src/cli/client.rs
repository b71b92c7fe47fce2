//! Arguments of the client's commands.

mod command;
mod join;
#[cfg(feature = "audio")]
mod play;
mod script;

use std::{path::PathBuf, time::Duration};

use arauto_client::Targets;
use clap::{Args, ValueHint};

pub use command::{Access, ClientCommand, Error, run};
pub use join::Join;
#[cfg(feature = "audio")]
pub use play::Play;
pub use script::{Files, Listen, Send};

use super::given;
use crate::config::CommandLine;

/// Server and connection options.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub struct ServerArgs {
    /// Server to connect to; the default port is 1234. Several addresses of a cluster are separated by commas, and the
    /// next one is tried where one does not let the client in [env: ARAUTO_CLIENT_SERVER] [default: 127.0.0.1:1234]
    #[arg(long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    server: Option<Targets>,

    /// Encrypt the connection with TLS; the server's certificate must be valid for HOST and signed by an issuer that
    /// this system trusts; --tls=false overrides the settings [env: ARAUTO_CLIENT_TLS]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls: Option<bool>,

    /// Trust the certificates in this PEM file as issuers, instead of the system's; implies --tls
    /// [env: ARAUTO_CLIENT_CA]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,

    /// Accept any certificate: an attacker on the network can then read and change everything; implies --tls
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// Show this certificate to the server, which may give you its name without asking; implies --tls
    /// [env: ARAUTO_CLIENT_CERT]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// Private key of the certificate; implies --tls [env: ARAUTO_CLIENT_KEY]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// File whose first line is the password, given if the server asks for one [env: ARAUTO_CLIENT_PASSWORD_FILE]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<PathBuf>,

    /// Read the settings from this file instead of ~/.config/arauto/client.toml [env: ARAUTO_CLIENT_CONFIG]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
}

impl From<ServerArgs> for Access {
    fn from(args: ServerArgs) -> Self {
        let ServerArgs { server, tls, ca, insecure, cert, key, password_file, config } = args;
        let path = |path: Option<PathBuf>| Some(path?.to_string_lossy().into_owned());
        let meant = |is_given: bool| (is_given && tls.is_none()).then(|| true.to_string());
        let flags = given([
            ("tls", "--ca", meant(ca.is_some())),
            ("tls", "--cert", meant(cert.is_some())),
            ("tls", "--key", meant(key.is_some())),
            ("server", "--server", server.map(|server| server.to_string())),
            ("tls", "--tls", tls.map(|tls| tls.to_string())),
            ("ca", "--ca", path(ca)),
            ("cert", "--cert", path(cert)),
            ("key", "--key", path(key)),
            ("password_file", "--password-file", path(password_file)),
        ]);
        Self { settings: CommandLine { file: config, flags }, insecure }
    }
}

/// Arguments of `arauto list`.
#[derive(Args, Debug)]
pub struct List {
    /// Name to use while asking; generated if left out
    #[arg(long = "as", value_name = "NAME", value_parser = script::name)]
    name: Option<String>,

    /// Print JSON: one object per line, with name
    #[arg(long)]
    json: bool,

    /// Fail if the complete list has not arrived within this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = script::time)]
    timeout: Duration,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<List> for ClientCommand {
    fn from(args: List) -> Self {
        let List { name, json, timeout, server } = args;
        Self::List { access: server.into(), name, within: timeout, json }
    }
}
