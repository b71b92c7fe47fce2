//! Arguments of `arauto play`.

use std::path::PathBuf;

use arauto_client::{
    audio::play::{Output, Volume},
    script::PlayOptions,
};
use arauto_protocol::NameError;
use clap::{Args, ValueHint};

use super::{ClientCommand, ServerArgs, script};

/// A file of a user, such as `ana/song.mp3`.
#[derive(Clone, Debug)]
struct Of {
    name: String,
    file: String,
}

/// Why a text is no file of a user.
#[derive(Clone, Debug, thiserror::Error)]
enum NotAFile {
    /// A part is missing.
    #[error("a user's name, a slash, and a file as `arauto files` shows it, such as ana/song.mp3")]
    Incomplete,
    /// The user's name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
}

fn of(text: &str) -> Result<Of, NotAFile> {
    match text.split_once('/') {
        Some((name, file)) if !file.trim().is_empty() => {
            Ok(Of { name: script::name(name)?, file: file.to_owned() })
        }
        _ => Err(NotAFile::Incomplete),
    }
}

/// Arguments of `arauto play`.
#[derive(Args, Debug)]
pub struct Play {
    /// User and file, as listed by `arauto files`
    #[arg(value_name = "NAME/FILE", value_parser = of)]
    what: Of,

    /// Write WAV to this file, or to standard output (-), instead of playing the audio
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Volume from 0 to 100
    #[arg(long, value_name = "N", default_value_t)]
    volume: Volume,

    /// Use TCP from the start, not only if nothing arrives by UDP
    #[arg(long)]
    tcp: bool,

    /// Name to use while asking; generated if left out
    #[arg(long = "as", value_name = "NAME", value_parser = script::name)]
    name: Option<String>,

    /// Server and connection options.
    #[command(flatten)]
    server: ServerArgs,
}

impl From<Play> for ClientCommand {
    fn from(args: Play) -> Self {
        let Play { what, output, volume, tcp, name, server } = args;
        let output = match output {
            None => Output::Card,
            Some(path) if path.as_os_str() == "-" => Output::Stdout,
            Some(path) => Output::File(path),
        };
        let playing = PlayOptions { of: what.name, file: what.file, output, interleaved: tcp, volume };
        Self::Play { access: server.into(), name, playing }
    }
}
