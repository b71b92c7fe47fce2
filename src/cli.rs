//! The command line as types, from which help, man page and completions are made.

#![allow(clippy::doc_markdown)] // these comments are help texts, where backticks would be shown

#[cfg(feature = "client")]
pub mod client;
mod man;
pub mod nodes;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub use man::man;

use crate::config::{Choice, CommandLine, Flag, Level, LogFormat};

const EXAMPLES: &str = if cfg!(feature = "client") {
    "Examples:
  arauto serve
  arauto join ana
  nc 127.0.0.1 1234"
} else {
    "Examples:
  arauto serve
  nc 127.0.0.1 1234"
};

/// A TR2.23 message server: named messaging between people, scripts and devices.
///
/// Clients connect by TCP, take a name, and send each other messages, one line each. netcat is a full client.
#[derive(Debug, Parser)]
#[command(name = "arauto", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    ///
    /// The server ends on close_server, SIGTERM or SIGINT, once its clients have received their last messages.
    #[command(after_help = "Examples:
  arauto serve
  arauto serve --listen 0.0.0.0:1234 --listen '[::]:1234'
  arauto serve --config arauto.toml --log-format json 2>arauto.log")]
    Serve(Settings),

    /// Chat: on a full screen in this terminal, or in a dialogue line by line
    ///
    /// On the full screen, the text you type goes to all clients; F1 shows the rest. The dialogue, with --plain and
    /// wherever there is no terminal, asks for an operation and for the fields that it needs, and prints the messages
    /// received. The dialogue ends on exit, connection_error and server closed; the end of standard input and SIGINT
    /// leave as exit does.
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection or it is lost.
    #[command(after_help = "Examples:
  arauto join ana --share ~/Music
  arauto join rui --server chat.example
  printf 'echo\\nhi\\n' | arauto join ana --plain")]
    #[cfg(feature = "client")]
    Join(client::Join),

    /// Print the names of the connected clients, one per line
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection.
    #[command(after_help = "Examples:
  arauto list
  arauto list --server chat.example
  arauto list --json")]
    #[cfg(feature = "client")]
    List(client::List),

    /// Send messages: a text, or each line of standard input
    ///
    /// The command ends when the server has confirmed all messages, or has not responded for --timeout. Empty lines are
    /// skipped. Nothing is sent after a line that is too long or holds control characters, nor after a message that the
    /// server refuses.
    ///
    /// Exit status: 0; 1 if a line of standard input cannot be sent, 2 if the text cannot, 3 if the server refuses, 4
    /// if there is no connection or it is lost, 5 if the server does not confirm in time: the messages may have been
    /// delivered or not.
    #[command(after_help = "Examples:
  arauto send --as build --all 'build 7 passed'
  arauto send --as ana --to rui <letter.txt
  tail -f app.log | grep --line-buffered error | arauto send --as app --others -")]
    #[cfg(feature = "client")]
    Send(client::Send),

    /// Print the messages received, one per line
    ///
    /// Prints SENDER | DESTINATION | OPERATION | DATA, or JSON. Answers requests for files from other users and does
    /// not print them. The command ends on SIGINT and SIGTERM, and when its standard output is closed.
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection, or if it is lost before --count messages.
    #[command(after_help = "Examples:
  arauto listen --as log --json >>messages.jsonl
  arauto listen --as me --from build --count 1
  arauto listen --as bot --json | jq --unbuffered -r .data")]
    #[cfg(feature = "client")]
    Listen(client::Listen),

    /// Ask a user for the list of files and print it
    ///
    /// Exit status: 0; 3 if no client has this name or no answer comes, 4 if there is no connection.
    #[command(after_help = "Examples:
  arauto files bob
  arauto files bob --timeout 2s --server chat.example")]
    #[cfg(feature = "client")]
    Files(client::Files),

    /// Play an audio file that a user shares, or save it as WAV
    ///
    /// Asks the owner's client, which sends the file to the server. If the file is already playing to others, you hear
    /// it from its current position. The command ends when the file does, on SIGINT and on SIGTERM. On a terminal, a
    /// line shows the position, how much audio is buffered, and how much was lost on the way.
    ///
    /// Exit status: 0; 1 if there is no audio output or the file cannot be written, 3 if the file's owner or the server
    /// refuses, 4 if there is no connection or it is lost.
    #[command(after_help = "Examples:
  arauto play ana/song.mp3
  arauto play 'ana/a song.mp3' --volume 50 --server chat.example
  arauto play ana/song.mp3 --output song.wav
  arauto play ana/song.mp3 --output - | aplay")]
    #[cfg(feature = "audio")]
    Play(client::Play),

    /// Show the nodes of a cluster: clients, lag and start of each
    ///
    /// Asks a node by HTTP, at an address of its monitoring.listen, and prints a table. The node that answers has a
    /// star. LAG is the number of messages of the cluster's log that a node had not carried out when it was last heard.
    ///
    /// Exit status: 0; 3 if the server is not a node of a cluster, 4 if there is no connection.
    #[command(after_help = "Examples:
  arauto nodes
  arauto nodes --monitoring 192.0.2.12:1281
  arauto nodes --json | jq '.nodes[] | select(.lag > 100) | .node'")]
    Nodes {
        /// The address of a node's monitoring
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1281", value_hint = ValueHint::Hostname)]
        monitoring: String,

        /// Print the server's answer as JSON
        #[arg(long)]
        json: bool,
    },

    /// Show the configuration in force, or check a file
    ///
    /// Prints every setting as TOML that --config accepts, each with the origin of its value.
    #[command(after_help = "Examples:
  arauto config
  ARAUTO_LIMITS_MAX_SESSIONS=50 arauto config --config arauto.toml
  arauto config --check arauto.toml
  arauto config --client")]
    Config {
        /// Check this file alone: print its faults, or that it is ok
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "Settings")]
        check: Option<PathBuf>,

        /// Show, or check, the client's settings: ~/.config/arauto/client.toml and ARAUTO_CLIENT_...
        #[cfg(feature = "client")]
        #[arg(long, conflicts_with = "Settings")]
        client: bool,

        /// Settings that `serve` takes, too.
        #[command(flatten)]
        settings: Settings,
    },

    /// Make a certificate and its key, to try TLS with
    ///
    /// Writes cert.pem and key.pem, which only you can read, and prints what to put into the configuration and how a
    /// client connects. The certificate signs itself: give it to the clients that are to trust it. Existing files are
    /// not overwritten.
    #[command(after_help = "Examples:
  arauto cert
  arauto cert --host chat.example --host 192.0.2.1 --days 30 --out-dir /etc/arauto")]
    Cert {
        /// A name or an address by which clients connect; may be repeated [default: this machine]
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,

        /// Number of days that the certificate is valid
        #[arg(long, value_name = "N", default_value = "365", value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,

        /// The folder to write to
        #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
        out_dir: PathBuf,
    },

    /// Make an account: hash a password into an entry for the accounts file
    ///
    /// Asks for the password twice, or reads one line of standard input if that is not a terminal. Prints the
    /// entry. The server reads the file that accounts.file names.
    #[command(after_help = "Examples:
  arauto passwd alan --operator >>accounts.toml
  arauto passwd bob <secret.txt >>accounts.toml")]
    Passwd {
        /// The name that the password protects
        name: String,

        /// Allow the account to close the server and to disconnect and ban others
        #[arg(long)]
        operator: bool,
    },

    /// Print a completion script for a shell
    #[command(after_help = "Examples:
  arauto completions bash >~/.local/share/bash-completion/completions/arauto
  arauto completions fish >~/.config/fish/completions/arauto.fish")]
    Completions {
        /// The shell to complete in
        shell: Shell,
    },

    /// Print the manual page
    #[command(after_help = "Examples:
  arauto man >arauto.1
  arauto man | man -l -")]
    Man,
}

/// Settings that can be given as flags.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Read the settings of this file [env: ARAUTO_CONFIG]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Listen on this address; may be repeated [env: ARAUTO_SERVER_LISTEN]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,

    /// Number of threads that serve sessions; 0 for one per core [env: ARAUTO_SERVER_WORKERS]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    workers: Option<String>,

    /// End with status 1 if no NATS server of the cluster answers within 10 s, instead of waiting [env:
    /// ARAUTO_CLUSTER_ONCE]
    #[arg(long)]
    once: bool,

    /// Log nothing less severe than this [env: ARAUTO_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(Level::names()))]
    log_level: Option<String>,

    /// Log as lines of text or as JSON [env: ARAUTO_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(LogFormat::names()))]
    log_format: Option<String>,
}

impl From<Settings> for CommandLine {
    fn from(settings: Settings) -> Self {
        let listen = (!settings.listen.is_empty()).then(|| settings.listen.join(","));
        let flags = given([
            ("server.listen", "--listen", listen),
            ("server.workers", "--workers", settings.workers),
            ("cluster.once", "--once", settings.once.then(|| true.to_string())),
            ("log.level", "--log-level", settings.log_level),
            ("log.format", "--log-format", settings.log_format),
        ]);
        Self { file: settings.config, flags }
    }
}

/// Those of the flags that have a value, each with its setting.
fn given<const N: usize>(flags: [(&'static str, &'static str, Option<String>); N]) -> Vec<Flag> {
    let given = |(setting, name, value): (_, _, Option<String>)| Some(Flag { setting, name, value: value? });
    flags.into_iter().filter_map(given).collect()
}

/// The completion script for a shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    // Generated into memory first: the generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "arauto", &mut script);
    script
}
