//! What the client's commands take.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::client::{self, Target, command::Access, tls::TlsOptions};

/// Which server, and how to get there.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub struct ServerArgs {
    /// The server; without a port, 1234
    #[arg(long, value_name = "HOST[:PORT]", default_value = "127.0.0.1:1234", value_hint = ValueHint::Hostname)]
    server: Target,

    /// Encrypt the connection; the server's certificate has to be for HOST, and signed by someone this system trusts
    #[arg(long)]
    tls: bool,

    /// Trust what the certificates in this PEM file signed, instead of the system's; means --tls
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,

    /// Accept any certificate: whoever is on the way can read and change everything; means --tls
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// Show this certificate to the server, which may give its name without asking; means --tls
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// The certificate's private key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// The first line of this file is the password, if one is asked for
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<PathBuf>,
}

impl From<ServerArgs> for Access {
    fn from(args: ServerArgs) -> Self {
        let ServerArgs { server, tls, ca, insecure, cert, key, password_file } = args;
        Self { server, tls: TlsOptions { tls, ca, insecure, cert, key }, password_file }
    }
}

/// `arauto list`.
#[derive(Args, Debug)]
pub struct List {
    /// Ask under this name; without it, one is made up
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<List> for client::Command {
    fn from(args: List) -> Self {
        Self::List { access: args.server.into(), name: args.name }
    }
}
