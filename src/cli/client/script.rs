//! What the commands for scripts take.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::ServerArgs;
use crate::{
    client::{
        self,
        script::{OnBadLine, Sending, Words},
        text::To,
    },
    protocol::Name,
};

/// A name as people type it; the server judges it again.
pub(super) fn name(text: &str) -> Result<String, String> {
    match Name::parse(text, usize::MAX) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() && time <= Duration::from_hours(24) => Ok(time),
        _ => Err("a time is a number and a unit, at most a day, such as 500ms, 10s or 2m".to_owned()),
    }
}

/// `arauto send`.
#[derive(Args, Debug)]
pub struct Send {
    /// Send under this name
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: String,

    /// To whom.
    #[command(flatten)]
    to: Destination,

    /// Give up once the server has taken nothing, or confirmed nothing, for so long
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = time)]
    timeout: Duration,

    /// How a line of standard input that cannot be sent is treated
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_bad_line: BadLine,

    /// What to say; `-`, or nothing, for each line of standard input
    text: Option<String>,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// How a line that cannot be sent is treated.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum BadLine {
    /// Send neither it nor what follows
    #[default]
    Fail,
    /// Leave it out
    Skip,
    /// Write what cannot be sent as \u{1b} or \xff, and cut what is too long
    Escape,
}

/// To whom: one of these.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Destination {
    /// To this user
    #[arg(long, value_name = "NAME", value_parser = name)]
    to: Option<String>,

    /// To everyone, yourself too
    #[arg(long)]
    all: bool,

    /// To everyone but yourself
    #[arg(long)]
    others: bool,
}

impl From<Send> for client::Command {
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

/// `arauto listen`.
#[derive(Args, Debug)]
pub struct Listen {
    /// Listen under this name
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: String,

    /// Print JSON: an object a line, with time, from, to, operation and data
    #[arg(long)]
    json: bool,

    /// Only what this user sends
    #[arg(long, value_name = "NAME", value_parser = name)]
    from: Option<String>,

    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Say on standard error when it listens: others can reach it from then on
    #[arg(long, short)]
    verbose: bool,

    /// Connect again after a cut, under the same name; what is said meanwhile is not received
    #[arg(long)]
    reconnect: bool,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Listen> for client::Command {
    fn from(args: Listen) -> Self {
        let Listen { name, json, from, count, verbose, reconnect, server } = args;
        Self::Listen { access: server.into(), name, from, count, json, verbose, reconnects: reconnect }
    }
}

/// `arauto files`.
#[derive(Args, Debug)]
pub struct Files {
    /// Whose files
    #[arg(value_name = "NAME", value_parser = name)]
    of: String,

    /// Ask under this name; without it, one is made up
    #[arg(long = "as", value_name = "NAME", value_parser = name)]
    name: Option<String>,

    /// Print JSON: an object a line, with name, quoted and bytes
    #[arg(long)]
    json: bool,

    /// Give up if the whole list has not come by then
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Files> for client::Command {
    fn from(args: Files) -> Self {
        let Files { of, name, json, timeout, server } = args;
        Self::Files { access: server.into(), name, of, within: timeout, json }
    }
}
