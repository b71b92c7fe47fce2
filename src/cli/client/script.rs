//! Arguments of the commands for scripts.

use std::time::Duration;

use arauto_client::{
    script::{OnBadLine, Sending, Words},
    text::To,
};
use arauto_protocol::{Name, NameError};
use clap::{Args, ValueEnum};

use super::{ClientCommand, ServerArgs};

/// Parses a name as typed. The server checks it again.
pub(super) fn name(text: &str) -> Result<String, NameError> {
    Name::parse(text, usize::MAX).map(|name| name.as_str().to_owned())
}

/// Error: a text is no duration, is zero or more than a day.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a time is a number and a unit, at most a day, such as 500ms, 10s or 2m")]
pub(super) struct NotATime;

pub(super) fn time(text: &str) -> Result<Duration, NotATime> {
    let time = humantime::parse_duration(text).map_err(|_| NotATime)?;
    if time.is_zero() || time > Duration::from_hours(24) { Err(NotATime) } else { Ok(time) }
}

/// Arguments of `arauto send`.
#[derive(Args, Debug)]
pub struct Send {
    /// Name to send under
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: String,

    /// Receivers of the messages.
    #[command(flatten)]
    to: Destination,

    /// Fail if the server takes no data, or confirms nothing, for this long
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = time)]
    timeout: Duration,

    /// Treatment of lines of standard input that cannot be sent
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_bad_line: BadLine,

    /// Text to send; if left out or `-`, each line of standard input
    text: Option<String>,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

/// Treatment of lines that cannot be sent.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum BadLine {
    /// Send neither the line nor those after it
    #[default]
    Fail,
    /// Skip the line
    Skip,
    /// Escape characters that cannot be sent as \u{1b} or \xff, and cut lines that are too long
    Escape,
}

/// Receivers of the messages; exactly one option is given.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Destination {
    /// Send to this user
    #[arg(long, value_name = "NAME", value_parser = name)]
    to: Option<String>,

    /// Send to all users, including yourself
    #[arg(long)]
    all: bool,

    /// Send to all users except yourself
    #[arg(long)]
    others: bool,
}

impl From<Send> for ClientCommand {
    fn from(args: Send) -> Self {
        let Destination { to, all, .. } = args.to;
        Self::Send {
            access: args.server.into(),
            name: args.name,
            sending: Sending {
                to: match to {
                    Some(name) => To::One(name),
                    None if all => To::All,
                    None => To::Others,
                },
                words: args.text.filter(|text| text != "-").map_or(Words::Input, Words::Text),
                on_bad_line: match args.on_bad_line {
                    BadLine::Fail => OnBadLine::Fail,
                    BadLine::Skip => OnBadLine::Skip,
                    BadLine::Escape => OnBadLine::Escape,
                },
                within: args.timeout,
            },
        }
    }
}

/// Arguments of `arauto listen`.
#[derive(Args, Debug)]
pub struct Listen {
    /// Name to listen under
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: String,

    /// Print JSON: one object per line, with time, from, to, operation and data
    #[arg(long)]
    json: bool,

    /// Print only messages from this user
    #[arg(long, value_name = "NAME", value_parser = name)]
    from: Option<String>,

    /// Exit after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Report on standard error once other users can reach this client
    #[arg(long, short)]
    verbose: bool,

    /// Reconnect under the same name after a lost connection; messages sent meanwhile are lost
    #[arg(long)]
    reconnect: bool,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Listen> for ClientCommand {
    fn from(args: Listen) -> Self {
        let Listen { name, json, from, count, verbose, reconnect, server } = args;
        Self::Listen { access: server.into(), name, from, count, json, verbose, reconnects: reconnect }
    }
}

/// Arguments of `arauto files`.
#[derive(Args, Debug)]
pub struct Files {
    /// User whose files are listed
    #[arg(value_name = "NAME", value_parser = name)]
    of: String,

    /// Name to use while asking; generated if left out
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: Option<String>,

    /// Print JSON: one object per line, with name, quoted and bytes, for audio also type and, if known, seconds
    #[arg(long)]
    json: bool,

    /// Fail if the complete list has not arrived within this time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Files> for ClientCommand {
    fn from(args: Files) -> Self {
        let Files { of, name, json, timeout, server } = args;
        Self::Files { access: server.into(), name, of, within: timeout, json }
    }
}
