//! What `arauto join` takes.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{ServerArgs, script};
use crate::client;

/// `arauto join`.
#[derive(Args, Debug)]
pub struct Join {
    /// The name to take; without it, you are asked
    #[arg(value_name = "NAME", value_parser = script::name)]
    name: Option<String>,

    /// Ask line by line, as the report's client does; always so where standard input or output is no terminal
    #[arg(long)]
    plain: bool,

    /// The server sends no line endings, as the report's; mostly found out without this. Implies --plain
    #[arg(long)]
    unframed: bool,

    /// Tell who asks which files are in this folder: names, sizes, how long audio plays; and play audio to who asks for it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    share: Option<PathBuf>,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Join> for client::Command {
    fn from(args: Join) -> Self {
        let Join { name, plain, unframed, share, server } = args;
        Self::Join { access: server.into(), name, plain, unframed, share }
    }
}
