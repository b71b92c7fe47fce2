//! The command line: help, man page and completions all come from these types.

#![allow(clippy::doc_markdown)] // these comments are help texts, where backticks would be shown

pub mod client;
mod man;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub use man::man;

use crate::config::{Choice, CommandLine, Flag, Level, LogFormat};

/// A TR2.23 message server: named messaging between people, scripts and devices.
///
/// Clients connect by TCP, take a name, and send each other messages, one line each. netcat is a full client.
#[derive(Debug, Parser)]
#[command(name = "arauto", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Examples:
  arauto serve
  arauto join ana
  nc 127.0.0.1 1234")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    ///
    /// It ends on close_server, SIGTERM or SIGINT, once its sessions have taken their last messages.
    #[command(after_help = "Examples:
  arauto serve
  arauto serve --listen 0.0.0.0:1234 --listen '[::]:1234'
  arauto serve --config arauto.toml --log-format json 2>arauto.log")]
    Serve(Settings),

    /// Talk: a full screen on this terminal, or a dialogue line by line
    ///
    /// On the full screen, what you type goes to everyone; F1 shows the rest. The dialogue, with --plain and wherever there is
    /// no terminal, asks for an operation, and for what that needs, and prints what is received. It ends on exit,
    /// connection_error and server closed; the end of standard input and SIGINT leave as exit does.
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection, or no longer.
    #[command(after_help = "Examples:
  arauto join ana --share ~/Music
  arauto join rui --server chat.example
  printf 'echo\\nhi\\n' | arauto join ana --plain")]
    Join(client::Join),

    /// Print who is connected, one name a line
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection.
    #[command(after_help = "Examples:
  arauto list
  arauto list --server chat.example
  arauto list --json")]
    List(client::List),

    /// Send messages: a text, or each line of standard input
    ///
    /// It ends when the server has carried out all of them and said so, or has done nothing for --timeout. Empty lines are passed over. Nothing is sent after a line that is
    /// too long or holds control characters, nor after a message that the server refuses.
    ///
    /// Exit status: 0; 1 if a line of standard input cannot be sent, 2 if the text cannot, 3 if the server refuses, 4 if there
    /// is no connection, or no longer, 5 if the server does not confirm in time that all was carried out: it may be or not.
    #[command(after_help = "Examples:
  arauto send --as build --all 'build 7 passed'
  arauto send --as ana --to rui <letter.txt
  tail -f app.log | grep --line-buffered error | arauto send --as app --others -")]
    Send(client::Send),

    /// Print what is received, one message a line
    ///
    /// SENDER | DESTINATION | OPERATION | DATA, or JSON. Others' questions for files are answered, and not printed. It leaves
    /// on SIGINT and SIGTERM, and when nobody reads what it prints.
    ///
    /// Exit status: 0; 3 if the server refuses, 4 if there is no connection, or if it ends before there were --count messages.
    #[command(after_help = "Examples:
  arauto listen --as log --json >>messages.jsonl
  arauto listen --as me --from build --count 1
  arauto listen --as bot --json | jq --unbuffered -r .data")]
    Listen(client::Listen),

    /// Ask a user for the list of files and print it
    ///
    /// Exit status: 0; 3 if nobody has this name or no answer comes, 4 if there is no connection.
    #[command(after_help = "Examples:
  arauto files bob
  arauto files bob --timeout 2s --server chat.example")]
    Files(client::Files),

    /// Hear an audio file that a user shares, or write it down as WAV
    ///
    /// Asks its owner's client, which sends it to the server; who asks for a file that is played already hears it from
    /// where it is. It ends when the file does, on SIGINT and on SIGTERM. On a terminal, a line shows how far it is, how
    /// much waits to be played, and what was lost on the way.
    ///
    /// Exit status: 0; 1 if there is no sound here or the file cannot be written, 3 if its owner or the server refuses, 4 if
    /// there is no connection, or no longer.
    #[command(after_help = "Examples:
  arauto play ana/song.mp3
  arauto play 'ana/a song.mp3' --volume 50 --server chat.example
  arauto play ana/song.mp3 --output song.wav
  arauto play ana/song.mp3 --output - | aplay")]
    Play(client::Play),

    /// Show the configuration in force, or judge a file
    ///
    /// Prints every setting as TOML that --config accepts, each with where its value came from.
    #[command(after_help = "Examples:
  arauto config
  ARAUTO_LIMITS_MAX_SESSIONS=50 arauto config --config arauto.toml
  arauto config --check arauto.toml
  arauto config --client")]
    Config {
        /// Judge this file alone: say what is wrong with it, or that it is ok
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "Settings")]
        check: Option<PathBuf>,

        /// Show, or judge, what is set for the client: by ~/.config/arauto/client.toml and ARAUTO_CLIENT_...
        #[arg(long, conflicts_with = "Settings")]
        client: bool,

        /// The same settings that `serve` takes.
        #[command(flatten)]
        settings: Settings,
    },

    /// Make a certificate and its key, to try TLS with
    ///
    /// Writes cert.pem and key.pem, which nobody else may read, and prints what to put into the configuration and how a
    /// client connects. The certificate vouches for itself: give it to those who are to trust it. It overwrites nothing.
    #[command(after_help = "Examples:
  arauto cert
  arauto cert --host chat.example --host 192.0.2.1 --days 30 --out-dir /etc/arauto")]
    Cert {
        /// A name or an address by which clients connect; may be repeated [default: this machine]
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,

        /// For how many days it is good
        #[arg(long, value_name = "N", default_value = "365", value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,

        /// The folder to write to
        #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
        out_dir: PathBuf,
    },

    /// Make an account: hash a password into an entry for the accounts file
    ///
    /// Asks for the password twice, or takes one line of standard input if that is no terminal. Prints the entry; the
    /// server reads the file that accounts.file names.
    #[command(after_help = "Examples:
  arauto passwd alan --operator >>accounts.toml
  arauto passwd bob <secret.txt >>accounts.toml")]
    Passwd {
        /// The name that is only given for this password
        name: String,

        /// Let it close the server and send others away
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

    /// Serve sessions with so many threads, 0 for one a core [env: ARAUTO_SERVER_WORKERS]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    workers: Option<String>,

    /// Log nothing less severe than this [env: ARAUTO_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(Level::names()))]
    log_level: Option<String>,

    /// Log lines for people, or JSON [env: ARAUTO_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(LogFormat::names()))]
    log_format: Option<String>,
}

impl From<Settings> for CommandLine {
    fn from(settings: Settings) -> Self {
        let listen = (!settings.listen.is_empty()).then(|| settings.listen.join(","));
        let flags = given([
            ("server.listen", "--listen", listen),
            ("server.workers", "--workers", settings.workers),
            ("log.level", "--log-level", settings.log_level),
            ("log.format", "--log-format", settings.log_format),
        ]);
        Self { file: settings.config, flags }
    }
}

/// Those of these flags, each with its setting, that have a value.
fn given<const N: usize>(flags: [(&'static str, &'static str, Option<String>); N]) -> Vec<Flag> {
    let given = |(setting, name, value): (_, _, Option<String>)| Some(Flag { setting, name, value: value? });
    flags.into_iter().filter_map(given).collect()
}

/// The completion script for a shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "arauto", &mut script);
    script
}
