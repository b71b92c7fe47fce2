//! What `arauto play` takes.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{ServerArgs, script};
use crate::client::{
    self,
    audio::play::{Output, Volume},
    script::Playing,
};

/// A file somebody has: `ana/song.mp3`.
#[derive(Clone, Debug)]
struct Of {
    name: String,
    file: String,
}

fn of(text: &str) -> Result<Of, String> {
    match text.split_once('/') {
        Some((name, file)) if !file.trim().is_empty() => {
            Ok(Of { name: script::name(name)?, file: file.to_owned() })
        }
        _ => {
            Err("a user's name, a slash, and a file as `arauto files` shows it, such as ana/song.mp3"
                .to_owned())
        }
    }
}

/// `arauto play`.
#[derive(Args, Debug)]
pub struct Play {
    /// Whose file, and which, as `arauto files` shows it
    #[arg(value_name = "NAME/FILE", value_parser = of)]
    what: Of,

    /// Write WAV to this file, or to standard output (-), instead of playing it here
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// How loud, from 0 to 100
    #[arg(long, value_name = "N", default_value_t)]
    volume: Volume,

    /// Over TCP from the beginning, not only when nothing comes by UDP
    #[arg(long)]
    tcp: bool,

    /// Ask under this name; without it, one is made up
    #[arg(long = "as", value_name = "NAME", value_parser = script::name)]
    name: Option<String>,

    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Play> for client::Command {
    fn from(args: Play) -> Self {
        let Play { what, output, volume, tcp, name, server } = args;
        let output = match output {
            None => Output::Card,
            Some(path) if path.as_os_str() == "-" => Output::Stdout,
            Some(path) => Output::File(path),
        };
        let playing = Playing { of: what.name, file: what.file, output, interleaved: tcp, volume };
        Self::Play { access: server.into(), name, playing }
    }
}
