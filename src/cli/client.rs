//! What the client's commands take.

use clap::Args;

use crate::client::{self, Target, command::Access};

/// Which server, and how to get there.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub struct ServerArgs {
    /// The server; without a port, 1234
    #[arg(long, value_name = "HOST[:PORT]", default_value = "127.0.0.1:1234")]
    server: Target,
}

impl From<ServerArgs> for Access {
    fn from(args: ServerArgs) -> Self {
        Self { server: args.server }
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
