//! Arguments of `arauto join`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{ClientCommand, ServerArgs, script};

/// Arguments of `arauto join`.
#[derive(Args, Debug)]
pub struct Join {
    /// Name to join under; if left out, the name in the settings, or else the client asks for it
    #[arg(value_name = "NAME", value_parser = script::name)]
    name: Option<String>,

    /// Use a dialogue line by line, like the report's client; always used if standard input or output is not a
    /// terminal
    #[arg(long)]
    plain: bool,

    /// Assume that the server sends no line endings, like the report's server; usually detected without this option.
    /// Implies --plain
    #[arg(long)]
    unframed: bool,

    /// Let other users list the files in this folder (names, sizes and durations) and play its audio files
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    share: Option<PathBuf>,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Join> for ClientCommand {
    fn from(args: Join) -> Self {
        let Join { name, plain, unframed, share, server } = args;
        Self::Join { access: server.into(), name, plain, unframed, share }
    }
}
